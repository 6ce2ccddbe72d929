//! A bucket in a folder of this machine: opened when it is first used, walked one segment at a time beneath its handle.
//!
//! Objects are replaced whole, as `file_write` does it. Folders come with their objects and go with the last of them.

use super::name::{DEPTH, RESERVED, is_key};
use crate::extension::files::{self, Area, Entry, FileDirs, FileLimits, Files, down, entry, fault};
use crate::extension::service::limit;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt};
use microkernel::syscall_bridge::{Call, CallError, Status};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;

/// Where objects are written before they are renamed.
const STAGING: &str = ".forgeone-staging";
/// The arguments of `file_delete` for what must be a file: an empty path, which is not read, and the kind 0.
pub(super) const OF_A_FILE: [u8; 16] = [0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Entries of one folder that a list looks at.
const LISTED: usize = 100_000;

/// A bucket in a folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    limits: FileLimits,
    open: Mutex<Option<Arc<Opened>>>,
}

#[derive(Debug)]
struct Opened {
    files: Files,
    area: Area,
}

impl Folder {
    /// The bucket in this folder, which need not be there yet.
    pub fn new(path: PathBuf, limits: FileLimits) -> Self {
        Self { path, limits, open: Mutex::default() }
    }

    fn opened(&self) -> Result<Arc<Opened>, CallError> {
        let mut open = self.open.lock();
        if let Some(opened) = &*open {
            return Ok(opened.clone());
        }
        let staging = self.path.join(STAGING);
        clear(&self.path).map_err(|error| self.unavailable(&error))?;
        let dirs = FileDirs { data: self.path.clone(), staging };
        let files = Files::open(&dirs, self.limits).map_err(|error| self.unavailable(&error))?;
        let area = files.whole()?;
        Ok(open.insert(Arc::new(Opened { files, area })).clone())
    }

    fn unavailable(&self, error: &(dyn std::error::Error + 'static)) -> CallError {
        tracing::warn!(folder = %self.path.display(), error, "the folder of a bucket cannot be opened");
        CallError::new(Status::Unavailable, "the folder of the bucket cannot be opened")
    }

    /// Reads an object, or a part of it as `file_read` does.
    pub fn get(&self, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
        let opened = self.opened()?;
        files::read(&opened.files, &opened.area, segments, call).map_err(|e| shape(e, Status::NotFound))
    }

    /// Makes or replaces an object.
    pub fn put(&self, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
        let opened = self.opened()?;
        files::write(&opened.files, &opened.area, segments, call).map_err(|e| shape(e, Status::Conflict))
    }

    /// Deletes an object if it is there, and the folders it leaves empty. The arguments are those of [`OF_A_FILE`].
    pub fn delete(&self, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
        let opened = self.opened()?;
        let deleted = files::delete(&opened.files, &opened.area, segments, call);
        match deleted.map_err(|e| shape(e, Status::NotFound)) {
            Err(error) if error.status == Status::NotFound => Ok(()),
            Ok(()) => opened.prune(segments),
            Err(error) => Err(error),
        }
    }

    /// Names of the objects below `folder`, in the order of their bytes: those after `after`, `most` of them.
    pub fn list(
        &self,
        folder: &[&str],
        (after, most): (&str, usize),
        each: &mut dyn FnMut(&str),
    ) -> Result<(), CallError> {
        let opened = self.opened()?;
        let root = opened.area.root()?.try_clone().map_err(|e| fault(&e))?;
        let dir = match folder.iter().try_fold(root, |dir, name| down(&dir, name)) {
            Err(e) if [Status::NotFound, Status::Invalid].contains(&e.status) => return Ok(()),
            other => other?,
        };
        let mut prefix = folder.join("/");
        if !prefix.is_empty() {
            prefix.push('/');
        }
        Lister { after, left: most, each }.walk(&dir, &mut prefix)
    }
}

/// A wrong kind of thing in the place of an object, in the words of objects.
fn shape(error: CallError, status: Status) -> CallError {
    match error.status {
        Status::Invalid => {
            CallError::new(status, "a folder is in the place of the object, or an object in that of a folder")
        }
        _ => error,
    }
}

/// Makes the place for unfinished objects, or empties it: what lies there is of a host that is gone.
fn clear(folder: &std::path::Path) -> std::io::Result<()> {
    let dir = Dir::open_ambient_dir(folder, cap_std::ambient_authority())?;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    match dir.create_dir_with(STAGING, &builder) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        other => return other,
    }
    let staging = down(&dir, STAGING).map_err(std::io::Error::other)?;
    for item in staging.entries()? {
        staging.remove_file(item?.file_name())?;
    }
    Ok(())
}

impl Opened {
    /// Removes the folders above an object that is gone, as far as they are empty.
    fn prune(&self, segments: &[&str]) -> Result<(), CallError> {
        // Held until the end: an object that is being put makes its folders under the same lock.
        let mut account = self.area.account();
        let mut above = segments.split_last().map_or(&[][..], |(_, above)| above);
        while let Some((name, further)) = above.split_last() {
            let root = self.area.root()?.try_clone().map_err(|e| fault(&e))?;
            let Ok(dir) = further.iter().try_fold(root, |dir, name| down(&dir, name)) else { break };
            if dir.remove_dir(name).is_err() {
                break;
            }
            account.entries = account.entries.saturating_sub(1);
            above = further;
        }
        Ok(())
    }
}

/// A walk in the order of names.
struct Lister<'a> {
    after: &'a str,
    left: usize,
    each: &'a mut dyn FnMut(&str),
}

impl Lister<'_> {
    fn walk(&mut self, dir: &Dir, prefix: &mut String) -> Result<(), CallError> {
        for name in names(dir, LISTED)? {
            if self.left == 0 {
                return Ok(());
            }
            let before = prefix.len();
            prefix.push_str(&name);
            // Names below a folder that ends before `after` begins are all before it.
            let passed = prefix.as_str() <= self.after && !self.after.starts_with(prefix.as_str());
            match name.strip_suffix('/') {
                Some(_) if passed || prefix.split('/').count() > DEPTH => {}
                // A folder that went meanwhile has no objects.
                Some(folder) => match down(dir, folder) {
                    Err(e) if e.status == Status::NotFound => {}
                    below => self.walk(&below?, prefix)?,
                },
                None if prefix.as_str() <= self.after || !is_key(prefix) => {}
                None => {
                    (self.each)(prefix);
                    self.left -= 1;
                }
            }
            prefix.truncate(before);
        }
        Ok(())
    }
}

/// Names of files, and of folders with `/` at the end, sorted. Links and special files are left out.
fn names(dir: &Dir, most: usize) -> Result<Vec<String>, CallError> {
    let mut names = Vec::new();
    for item in dir.entries().map_err(|e| fault(&e))? {
        let name = item.map_err(|e| fault(&e))?.file_name();
        let Some(mut name) = name.to_str().map(str::to_owned) else { continue };
        if name.starts_with(RESERVED) {
            continue;
        }
        match entry(dir, &name) {
            Ok(Entry::File(_)) => {}
            Ok(Entry::Directory) => name.push('/'),
            _ => continue,
        }
        if names.len() == most {
            return Err(limit("a folder of the bucket has more than 100,000 entries"));
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_entries_of_one_folder_are_looked_at_as_may_be() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["c", "a", ".forgeone-staging"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        std::fs::create_dir(dir.path().join("b")).unwrap();
        let opened = Dir::open_ambient_dir(dir.path(), cap_std::ambient_authority()).unwrap();
        assert_eq!(names(&opened, 3).unwrap(), ["a", "b/", "c"]);
        assert_eq!(names(&opened, 2).unwrap_err().status, Status::Limit);
    }
}
