//! What is shown of plugins and keys: the JSON of the command line's results, which is also what a daemon sends.

mod deps;
mod keys;
mod plugins;
mod status;

pub use deps::Dependencies;
pub use keys::KeyLine;
pub use plugins::{CheckLine, Exchanged, Installed};
pub use status::{Brief, Full, ProbeLine, Setting};
