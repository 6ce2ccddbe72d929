//! WASI preview 1 over a port: names, positions and rights live here; every effect is a host call, decided and recorded
//! by the bridge. No file of the host is open between two calls, and no function names an engine.

mod descriptors;
mod errno;
mod fd;
mod files;
mod functions;
mod guest;
mod layout;
mod path;
mod process;
#[cfg(test)]
mod tests;

pub use functions::{FUNCTIONS, Function};
pub use guest::{Exited, State};
