//! `file_*`: a virtual root. `/data` is the plugin's private area, opened beneath a directory handle.
//!
//! No path is ever joined to text: each segment is opened beneath the directory before it, and no symbolic link
//! is followed. `file_write` replaces a file whole: what was there, or what is new, is there after a crash.
//! `file_append` is as durable as the machine's own append. `file_write_at` writes in place: what it was doing when the
//! machine fails may be there in part, and `file_sync` tells when it is there in full.

mod area;
mod fault;
mod in_place;
mod path;
mod service;
#[cfg(test)]
mod tests;
mod walk;

pub(super) use area::Area;
pub use area::{FileDirs, FileError, FileLimits, Files};
pub(super) use fault::fault;
pub(super) use service::{delete, read, services, write};
pub(super) use walk::{Entry, down, entry};
