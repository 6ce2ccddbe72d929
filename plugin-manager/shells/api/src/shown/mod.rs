//! What is shown of plugins, keys and reviews: the JSON of the command line's results, which is also what a daemon sends.

mod deps;
mod keys;
mod pending;
mod plan;
mod plugins;
mod review;
mod stage;
mod status;
mod trial;

pub use deps::Dependencies;
pub use keys::{KeyLine, NotaryLine, RevokedLine};
pub use pending::Waiting;
pub use plan::{Planned, StepLeftOut, StepLine};
pub use plugins::{CheckLine, Exchanged, Installed};
pub use review::ReviewLine;
pub use stage::{SoakLine, Staged, TestLine};
pub use status::{Brief, Full, NotReadyLine, Overview, ProbeLine, Setting, Standing};
pub use trial::{Side, Tried};
