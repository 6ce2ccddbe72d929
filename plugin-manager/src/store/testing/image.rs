//! What a crash leaves: the files there were, and of the changes since those that reached the disk.

use super::recorded::Id;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// One change of the disk.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// A new, empty file.
    Link(PathBuf, Id),
    Write(Id, u64, Vec<u8>),
    Length(Id, u64),
    Sync(Id),
    Rename(PathBuf, PathBuf),
    /// A file, or a directory and all in it.
    Remove(PathBuf),
    SyncDir(PathBuf),
}

/// What of the changes before a crash is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing: the process died, the machine did not.
    Nothing,
    /// Everything that was not synced.
    Unsynced,
    /// Of what was not synced, some; which, this number says.
    Some(u64),
    /// The end of the last write, from a multiple of 512 bytes on, unless it was synced.
    Torn,
    /// What was written and not synced; names are as they were last.
    Data,
}

impl Loss {
    /// One of each.
    pub(crate) const fn each(seed: u64) -> [Self; 5] {
        [Self::Nothing, Self::Unsynced, Self::Some(seed), Self::Torn, Self::Data]
    }
}

/// The files below a directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    root: PathBuf,
    dirs: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, Id>,
    bytes: BTreeMap<Id, Vec<u8>>,
}

impl Image {
    /// The files below `root` as they are, and what the machine calls each.
    pub(super) fn taken(root: &Path) -> (Self, BTreeMap<(u64, u64), Id>) {
        let mut image = Self { root: root.canonicalize().unwrap(), ..Self::default() };
        let mut ids = BTreeMap::new();
        let mut left = vec![image.root.clone()];
        while let Some(dir) = left.pop() {
            for entry in std::fs::read_dir(&dir).unwrap().map(Result::unwrap) {
                let (path, kind) = (entry.path(), entry.file_type().unwrap());
                if kind.is_dir() {
                    image.dirs.insert(path.clone());
                    left.push(path);
                } else if kind.is_file() {
                    let meta = entry.metadata().unwrap();
                    let id = ids.len() as Id;
                    ids.insert((meta.dev(), meta.ino()), id);
                    image.bytes.insert(id, std::fs::read(&path).unwrap());
                    image.names.insert(path, id);
                }
            }
        }
        (image, ids)
    }

    /// The directory they are below.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A copy of the directory as a crash after these changes leaves it.
    pub(super) fn after(&self, changes: &[Change], loss: Loss) -> tempfile::TempDir {
        let (mut left, mut whole) = (self.clone(), self.clone());
        let last = changes.iter().rposition(|c| matches!(c, Change::Write(..)));
        for (at, change) in changes.iter().enumerate() {
            let later = &changes[at + 1..];
            let kept = match loss {
                Loss::Nothing => true,
                Loss::Torn if Some(at) == last && !change.is_durable(later) => {
                    left.apply(&change.torn(), &whole);
                    false
                }
                Loss::Torn => true,
                Loss::Unsynced => change.is_durable(later),
                Loss::Some(seed) => change.is_durable(later) || chosen(seed, at),
                Loss::Data => !change.is_of_bytes() || change.is_durable(later),
            };
            if kept {
                left.apply(change, &whole);
            }
            whole.apply(change, &Self::default());
        }
        left.written()
    }

    /// `whole` knows the files whose making was lost and whose later name was not.
    fn apply(&mut self, change: &Change, whole: &Self) {
        match change {
            Change::Link(path, id) => {
                self.names.insert(path.clone(), *id);
            }
            Change::Write(id, at, bytes) => {
                let (file, at) = (self.bytes.entry(*id).or_default(), usize::try_from(*at).unwrap());
                let end = at + bytes.len();
                file.resize(file.len().max(end), 0);
                file[at..end].copy_from_slice(bytes);
            }
            Change::Length(id, length) => {
                self.bytes.entry(*id).or_default().resize(usize::try_from(*length).unwrap(), 0);
            }
            Change::Rename(from, to) => self.rename(from, to, whole),
            Change::Remove(path) => {
                self.names.retain(|name, _| !name.starts_with(path));
                self.dirs.retain(|name| !name.starts_with(path));
            }
            Change::Sync(_) | Change::SyncDir(_) => {}
        }
    }

    fn rename(&mut self, from: &Path, to: &Path, whole: &Self) {
        let moved = |name: &Path| {
            let rest = name.strip_prefix(from).unwrap();
            if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) }
        };
        let known: Vec<(PathBuf, Id)> = self
            .names
            .iter()
            .chain(&whole.names)
            .filter(|(name, _)| name.starts_with(from))
            .map(|(name, id)| (moved(name), *id))
            .collect();
        self.names.retain(|name, _| !name.starts_with(from));
        self.names.extend(known);
        let dirs: Vec<PathBuf> = self.dirs.iter().filter(|d| d.starts_with(from)).map(|d| moved(d)).collect();
        self.dirs.retain(|name| !name.starts_with(from));
        self.dirs.extend(dirs);
    }

    fn written(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        let place = |path: &Path| copy.path().join(path.strip_prefix(&self.root).unwrap());
        let dir = |path: &Path| {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).unwrap();
        };
        self.dirs.iter().for_each(|path| dir(&place(path)));
        for (path, id) in &self.names {
            let target = place(path);
            dir(target.parent().unwrap());
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&target).unwrap();
            let bytes = self.bytes.get(id).map_or(&[][..], Vec::as_slice);
            std::io::Write::write_all(&mut file, bytes).unwrap();
        }
        copy
    }
}

impl Change {
    const fn is_of_bytes(&self) -> bool {
        matches!(self, Self::Write(..) | Self::Length(..))
    }

    /// Whether one of the later changes made this one durable.
    fn is_durable(&self, later: &[Self]) -> bool {
        let synced = |id: Id| later.iter().any(|c| matches!(c, Self::Sync(of) if *of == id));
        let synced_dir =
            |of: &Path| later.iter().any(|c| matches!(c, Self::SyncDir(dir) if of.parent() == Some(dir)));
        match self {
            Self::Write(id, ..) | Self::Length(id, _) => synced(*id),
            Self::Link(path, _) | Self::Remove(path) => synced_dir(path),
            Self::Rename(from, to) => synced_dir(to) || synced_dir(from),
            Self::Sync(_) | Self::SyncDir(_) => true,
        }
    }

    /// The part of a write that a torn one leaves.
    fn torn(&self) -> Self {
        match self {
            Self::Write(id, at, bytes) => {
                let sectors = bytes.len() / 512;
                Self::Write(*id, *at, bytes[..sectors / 2 * 512].to_vec())
            }
            other => other.clone(),
        }
    }
}

fn chosen(seed: u64, at: usize) -> bool {
    let mixed = (seed ^ (at as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 63 == 1
}
