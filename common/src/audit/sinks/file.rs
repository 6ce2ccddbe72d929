//! Checkpoints into a file elsewhere (another disk, a mounted share): one JSON string a line, as `checkpoints` has
//! them, synced.

use super::{CheckpointSink, Made, SinkError};
use crate::audit::marks::history_line;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Appends each checkpoint to a file, made with mode 0600. `audit verify --from-checkpoint` reads it.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    name: String,
}

impl FileSink {
    /// The sink that appends to this file. Its directory must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { name: format!("file {}", path.display()), path }
    }
}

impl CheckpointSink for FileSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn send(&mut self, made: &Made<'_>) -> Result<(), SinkError> {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(SinkError::io("open the file"))?;
        file.write_all(&history_line(made.note))
            .and_then(|()| file.sync_data())
            .map_err(SinkError::io("write the file"))
    }
}
