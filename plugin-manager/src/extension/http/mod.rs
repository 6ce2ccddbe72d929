//! `http_request`: what a plugin sends and fetches. Each hop is decided by the door, resolved once, checked, and
//! connected to the very address that was checked; secrets are filled in last and go to no other origin.

mod address;
mod answer;
mod exchange;
mod fault;
mod net;
mod quota;
mod request;
mod roots;
mod service;
#[cfg(test)]
pub(super) mod tests;
mod url;

pub use address::{BadRange, Range};
pub use net::{Http, HttpAccess, HttpOptions, Resolve, SystemResolver, Vouchers};
pub use roots::{RootsError, Tls};
pub use url::{BadUrl, Url};

pub(super) use exchange::Hop;
pub(super) use fault::Fault;
pub(super) use net::OwnTerms;
pub(super) use quota::{Quotas, Rates};
pub(super) use service::HttpRequest;
pub(super) use url::Scheme;
