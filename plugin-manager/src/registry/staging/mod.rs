//! A package is tried in a home of its own before others rely on it: its author's tests, then the same calls for long.
//! What passed can be attested; what did not cannot.

mod bench;
mod cases;
mod error;
mod report;
mod scratch;
mod soak;
mod stage;

pub use error::StagingError;
pub use report::{SoakReport, StageReport, TestReport};
pub(super) use scratch::Inherited;
pub use soak::SoakLength;
pub use stage::StageRequest;
