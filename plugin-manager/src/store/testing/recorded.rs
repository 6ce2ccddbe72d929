//! A disk that does what it is told on the machine's own, remembers it, and fails where it is asked to.

use super::super::disk::{Disk, RealDisk};
use super::image::{Change, Image, Loss};
use common::audit::{Files, SegmentFile};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// From this change on every change that needs room finds the disk full.
    Full(usize),
    /// The first write from this change on, in place or not, finds the disk full, and no other.
    FullOnce(usize),
    /// The first sync from this change on fails, and no other.
    Sync(usize),
    /// The next sync of the database fails, and no other.
    DatabaseSync,
    /// From this change on nothing can be changed.
    ReadOnly(usize),
}

/// What a change needs of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Room,
    InPlace,
    Sync,
    DatabaseSync,
    Other,
}

/// Which file it is, whatever its name.
pub(super) type Id = u64;

#[derive(Debug)]
struct State {
    base: Image,
    changes: Vec<Change>,
    /// Files by what the machine calls them.
    ids: BTreeMap<(u64, u64), Id>,
    next: Id,
    fault: Option<Fault>,
}

/// The machine's own disk below one directory, and what was changed there since.
#[derive(Debug)]
pub(crate) struct RecordedDisk(Mutex<State>);

const FULL: i32 = 28;
const BAD: i32 = 5;
const READ_ONLY: i32 = 30;

impl RecordedDisk {
    /// Remembers what is changed below `root` from now on.
    pub(crate) fn of(root: &Path) -> Arc<Self> {
        let (base, ids) = Image::taken(root);
        let next = ids.len() as Id;
        Arc::new(Self(Mutex::new(State { base, changes: Vec::new(), ids, next, fault: None })))
    }
    /// Lets changes fail from now on, or no longer. The fault that was asked for before and has not come.
    pub(crate) fn fail(&self, fault: Option<Fault>) -> Option<Fault> {
        std::mem::replace(&mut self.0.lock().fault, fault)
    }
    /// How many changes there were.
    pub(crate) fn changes(&self) -> usize {
        self.0.lock().changes.len()
    }
    /// What a crash after so many changes leaves when this is lost.
    pub(crate) fn crashed(&self, after: usize, loss: Loss) -> tempfile::TempDir {
        let state = self.0.lock();
        state.base.after(&state.changes[..after], loss)
    }

    fn change<T>(
        &self,
        kind: Kind,
        doing: impl FnOnce() -> io::Result<T>,
        change: impl FnOnce(&mut State, &T) -> Change,
    ) -> io::Result<T> {
        let mut state = self.0.lock();
        let at = state.changes.len();
        let failed = match state.fault {
            Some(Fault::Full(from)) if kind == Kind::Room && at >= from => Some(FULL),
            Some(Fault::FullOnce(from)) if matches!(kind, Kind::Room | Kind::InPlace) && at >= from => {
                Some(FULL)
            }
            Some(Fault::Sync(from)) if matches!(kind, Kind::Sync | Kind::DatabaseSync) && at >= from => {
                Some(BAD)
            }
            Some(Fault::DatabaseSync) if kind == Kind::DatabaseSync => Some(BAD),
            Some(Fault::ReadOnly(from)) if at >= from => Some(READ_ONLY),
            _ => None,
        };
        if let Some(errno) = failed {
            if matches!(state.fault, Some(Fault::FullOnce(_) | Fault::Sync(_) | Fault::DatabaseSync)) {
                state.fault = None;
            }
            return Err(io::Error::from_raw_os_error(errno));
        }
        let done = doing()?;
        let change = change(&mut state, &done);
        state.changes.push(change);
        Ok(done)
    }

    fn made(&self, path: &Path, open: impl FnOnce() -> io::Result<File>) -> io::Result<File> {
        let is_new = !path.exists();
        if !is_new {
            return open();
        }
        self.change(Kind::Room, open, |state, file| {
            let id = state.next;
            state.next += 1;
            state.ids.insert(key(file), id);
            Change::Link(path.to_owned(), id)
        })
    }

    fn grows(file: &File, end: u64) -> Kind {
        if file.metadata().is_ok_and(|meta| meta.len() < end) { Kind::Room } else { Kind::InPlace }
    }
}

/// The machine's own disk, which is told to sync nothing: for looking at what a crash left.
#[derive(Debug)]
pub(crate) struct Hasty;

impl Disk for Hasty {
    fn sync(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
    fn sync_data(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        path.metadata().map(drop)
    }
}

impl State {
    fn id(&self, file: &File) -> Id {
        self.ids[&key(file)]
    }
}

fn key(file: &File) -> (u64, u64) {
    let meta = file.metadata().unwrap();
    (meta.dev(), meta.ino())
}

impl Disk for RecordedDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.made(path, || RealDisk.create(path))
    }
    fn append_to(&self, path: &Path) -> io::Result<File> {
        self.made(path, || RealDisk.append_to(path))
    }
    fn open_in_place(&self, path: &Path) -> io::Result<File> {
        self.made(path, || RealDisk.open_in_place(path))
    }
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let kind = Self::grows(file, at + bytes.len() as u64);
        let written = |state: &mut State, (): &()| Change::Write(state.id(file), at, bytes.to_vec());
        self.change(kind, || RealDisk.write_at(file, bytes, at), written)
    }
    fn grow(&self, file: &File, _: u64, to: u64) -> io::Result<()> {
        let grown = |state: &mut State, (): &()| Change::Length(state.id(file), to);
        self.change(Kind::Room, || file.set_len(to), grown)
    }
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let at = file.metadata()?.len();
        let written = |state: &mut State, (): &()| Change::Write(state.id(file), at, bytes.to_vec());
        self.change(Kind::Room, || RealDisk.write(file, bytes), written)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        // The machine's own disk need not wait: what a crash leaves is made from what is remembered.
        let database =
            File::open(self.0.lock().base.root().join("state.redb")).is_ok_and(|db| key(&db) == key(file));
        let kind = if database { Kind::DatabaseSync } else { Kind::Sync };
        self.change(kind, || Ok(()), |state, ()| Change::Sync(state.id(file)))
    }
    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.sync(file)
    }
    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        let cut = |state: &mut State, (): &()| Change::Length(state.id(file), length);
        self.change(Kind::Other, || RealDisk.truncate(file, length), cut)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let moved = |_: &mut State, (): &()| Change::Rename(from.to_owned(), to.to_owned());
        self.change(Kind::Other, || RealDisk.rename(from, to), moved)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let there = || path.metadata().map(drop);
        self.change(Kind::Sync, there, |_, ()| Change::SyncDir(path.to_owned()))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(Kind::Other, || RealDisk.remove(path), |_, ()| Change::Remove(path.to_owned()))
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.change(Kind::Other, || RealDisk.remove_tree(path), |_, ()| Change::Remove(path.to_owned()))
    }
}

/// The same disk, for an audit log.
#[derive(Debug)]
pub(crate) struct LogFiles(pub Arc<RecordedDisk>);

#[derive(Debug)]
struct Segment {
    disk: Arc<RecordedDisk>,
    file: File,
}

impl Files for LogFiles {
    fn append_to(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let is_new = !path.exists();
        let file = self.0.append_to(path)?;
        if is_new {
            path.parent().map_or(Ok(()), |dir| self.0.sync_dir(dir))?;
        }
        Ok(Box::new(Segment { disk: self.0.clone(), file }))
    }
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary: PathBuf = path.with_extension("new");
        let _ = self.0.remove(&temporary);
        super::super::disk::write_atomic(&*self.0, &temporary, path, bytes)
    }
}

impl SegmentFile for Segment {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.write(&self.file, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.disk.sync(&self.file)
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.truncate(&self.file, length)?;
        self.disk.sync(&self.file)
    }
}
