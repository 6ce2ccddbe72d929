//! RFC 3161 timestamps: a trusted authority saw these bytes at a time. Tokens are judged and made here; fetching one
//! from an authority elsewhere is the shell's.

mod issue;
mod syntax;
mod verify;

pub use issue::{TimestampError, Timestamper, request, response_of};
pub(super) use verify::{Chain, verify};
