//! What is shown of plugins and keys: the JSON of the command line's results, which is also what a daemon sends.

mod deps;
mod keys;
mod pending;
mod plan;
mod plugins;
mod status;
mod trial;

pub use deps::Dependencies;
pub use keys::{KeyLine, NotaryLine, RevokedLine};
pub use pending::Waiting;
pub use plan::{Planned, StepLeftOut, StepLine};
pub use plugins::{CheckLine, Exchanged, Installed};
pub use status::{Brief, Full, NotReadyLine, Overview, ProbeLine, Setting, Standing};
pub use trial::{Side, Tried};
