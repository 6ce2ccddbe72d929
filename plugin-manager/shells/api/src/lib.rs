//! What a running daemon answers over its unix socket, and the client the command line asks it with.
//!
//! Everything that can be asked of an open home is a type that implements [`Ask`]: its fields are the question, its
//! reply is what is shown. [`Ask::execute`] is the one way it is answered: a command that opened the home calls it,
//! and the daemon calls it for a command that sent it as a [`Request`].

pub mod asks;
mod client;
mod error;
mod interrupt;
mod operator;
mod place;
pub mod server;
pub mod shown;
mod timestamps;
mod when;
mod wire;

pub use asks::{Ask, Lane, Parcel, Request};
pub use client::{Answered, Target, Unanswered};
pub use error::{DaemonError, fault};
pub use interrupt::interrupted;
pub use operator::{name as operator, name_of as operator_named};
pub use timestamps::fetch_timestamp;
pub use when::rfc3339;
pub use wire::DaemonInfo;
