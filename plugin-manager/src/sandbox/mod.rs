//! Verified package to grant: requested ∩ allowed, and what is really enforced.

mod limits;

pub use limits::Limits;
