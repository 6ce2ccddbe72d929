//! One journal: its file, open for appending, and in memory what its frames changed.

use super::super::StoreError;
use super::super::disk::Disk;
use super::frame::{HEADER, Header, Position};
use super::pending::Pending;
use common::crypto::random;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes at which a journal is full: the other one takes over as soon as it is empty.
const FULL: u64 = 8 << 20;
/// Bytes at which nothing is appended before the other one has taken over.
const OVERFULL: u64 = 3 * FULL;

/// The file of a journal, open for appending.
#[derive(Debug)]
pub(super) struct JournalFile {
    pub path: PathBuf,
    pub file: File,
}

impl JournalFile {
    /// Leaves a new header in the file and nothing else; durable.
    pub(super) fn restart(&self, disk: &dyn Disk, generation: u64) -> Result<Header, StoreError> {
        let mut mark = [0; 16];
        let header = random(&mut mark).map_err(io::Error::other).and_then(|()| {
            let header = Header { generation, mark };
            disk.truncate(&self.file, 0)?;
            disk.write(&self.file, &header.encode())?;
            disk.sync_data(&self.file)?;
            Ok(header)
        });
        header.map_err(StoreError::io("empty", &self.path))
    }
    /// Makes its bytes durable.
    pub(super) fn sync(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        disk.sync_data(&self.file).map_err(StoreError::io("sync", &self.path))
    }
}

/// One of the two journals.
#[derive(Debug)]
pub(super) struct Segment {
    pub file: Arc<JournalFile>,
    pub header: Header,
    /// Bytes that count.
    pub length: u64,
    /// Bytes of them that are durable.
    pub synced: u64,
    /// What its frames changed. Shared with who moves it into the database.
    pub rows: Arc<Pending>,
}

impl Segment {
    /// One that holds its header alone.
    pub(super) fn empty(file: Arc<JournalFile>, header: Header) -> Self {
        let empty = HEADER as u64;
        Self { file, header, length: empty, synced: empty, rows: Arc::default() }
    }
    pub(super) fn is_empty(&self) -> bool {
        self.length == HEADER as u64
    }
    pub(super) fn is_full(&self) -> bool {
        self.length >= FULL
    }
    pub(super) fn is_overfull(&self) -> bool {
        self.length >= OVERFULL
    }
    /// Whether some of it is not durable yet.
    pub(super) fn is_ahead(&self) -> bool {
        self.synced < self.length
    }
    /// Where it ends.
    pub(super) fn end(&self) -> Position {
        Position { generation: self.header.generation, offset: self.length }
    }
    /// Up to where it is durable.
    pub(super) fn durable(&self) -> Position {
        Position { generation: self.header.generation, offset: self.synced }
    }
    /// Notes what became durable, if it is of this generation.
    pub(super) fn note_synced(&mut self, up_to: Position) {
        if up_to.generation == self.header.generation {
            self.synced = self.synced.max(up_to.offset);
        }
    }

    /// Appends a frame: the whole of it, in one write, or nothing that counts.
    pub(super) fn append(&mut self, disk: &dyn Disk, frame: &[u8]) -> Result<(), Torn> {
        let written = disk.write(&self.file.file, frame);
        if let Err(source) = written {
            let cut = disk.truncate(&self.file.file, self.length).is_ok();
            return Err(Torn { cut, error: StoreError::io("append to", &self.file.path)(source) });
        }
        self.length += frame.len() as u64;
        Ok(())
    }
}

/// An append that failed.
#[derive(Debug)]
pub(super) struct Torn {
    /// Whether the file is as it was before; else nothing may be appended any more.
    pub cut: bool,
    pub error: StoreError,
}
