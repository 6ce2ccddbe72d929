//! The plugin directory: dropping, replacing and deleting a package file installs, exchanges and removes its plugin,
//! through every check there is for a command.
//!
//! `plan` and `settle` decide and do nothing else; `place` and `aside` touch files; `keeper` and `removal` put them together in one
//! scan, and `watch` makes scans, when something is heard of the directory and from time to time.

mod aside;
mod error;
mod keeper;
mod place;
mod plan;
mod removal;
mod report;
mod settle;
mod tell;
#[cfg(test)]
mod tests;
mod watch;

pub use error::DirectoryError;
pub use report::{DirectoryReport, HeldBack};
pub use watch::DirectoryWatch;

/// Package files of one directory at most.
const MAX_FILES: usize = 10_000;
/// Entries of any kind that are looked at in one directory.
const MAX_ENTRIES: usize = 4 * MAX_FILES;
/// How the name of a package file ends.
const SUFFIX: &str = ".forgepkg";
/// Where files are moved aside to, below the directory.
const ASIDE: &str = "rejected";
