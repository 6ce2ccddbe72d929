//! Disks for tests: one that remembers every change made through it, from which what any crash could leave is made
//! again; and faults at any of those changes.

mod image;
mod recorded;

pub(crate) use image::Loss;
pub(crate) use recorded::{Fault, Hasty, LogFiles as RecordedLog, RecordedDisk};
