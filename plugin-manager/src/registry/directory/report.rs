//! What is told of the plugin directory. Shells turn this into tables and JSON.

use std::path::PathBuf;

/// What the last scan of the plugin directory found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryReport {
    /// The directory.
    pub path: PathBuf,
    /// Scans since the watch began.
    pub scans: u64,
    /// Why the last scan could not be made, or not to its end; the next one tries again.
    pub problem: Option<String>,
    /// Package files that are there.
    pub files: usize,
    /// What is named as a package file and is none: links, directories, names that are not text.
    pub passed_over: usize,
    /// Files that are still being written.
    pub arriving: usize,
    /// What is not done, and is tried again when what it waits for changes.
    pub held_back: Vec<HeldBack>,
}

/// A file, or the removal of a plugin, that waits for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// The file.
    pub file: String,
    /// The plugin, where it is known.
    pub plugin: Option<String>,
    /// Why: a code and what happened.
    pub why: String,
}
