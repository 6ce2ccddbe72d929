//! Calls that change a file where it is: opening for writing, writing at a place, resizing, syncing, renaming, and
//! making a directory. None makes a directory on its way.

use super::area::{Account, Area};
use super::fault::fault;
use super::service::{FileCall, directory, parent, writable};
use super::walk::{Entry, down, entry, open};
use super::{Files, path};
use crate::extension::service::{Door, invalid, limit, number, plugin, required};
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions};
use microkernel::syscall_bridge::{Call, CallError, Status, list};
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

/// The services of this file by action.
pub(super) fn services<D: Door>(files: &Arc<Files>) -> [(&'static str, D::Handler); 7] {
    let service = |serve, arguments| D::put(FileCall { files: files.clone(), serve, arguments });
    [
        ("file_open", service(open_for_writing, (2, 2))),
        ("file_write_at", service(write_at, (3, 3))),
        ("file_resize", service(resize, (2, 2))),
        ("file_sync", service(sync, (1, 1))),
        ("file_rename_from", service(rename_from, (1, 1))),
        ("file_rename_to", service(rename_to, (1, 1))),
        ("dir_create", service(dir_create, (1, 1))),
    ]
}

/// Flags of `file_open`.
const CREATE: u64 = 1;
const EXCLUSIVE: u64 = 2;
const TRUNCATE: u64 = 4;
/// The offset of `file_write_at` that means the end.
const END: u64 = u64::MAX;
/// Where no file reaches: a larger number would be a negative one for the system.
const LARGEST: u64 = i64::MAX as u64;

fn exists() -> CallError {
    CallError::new(Status::Conflict, "there is one already")
}

fn absent() -> CallError {
    CallError::new(Status::NotFound, "no such file or directory")
}

/// The size of the file of this name, which must be there.
fn size_of(dir: &Dir, name: &str) -> Result<u64, CallError> {
    match entry(dir, name)? {
        Entry::File(length) => Ok(length),
        Entry::Directory => Err(invalid("a directory")),
        Entry::Absent => Err(absent()),
    }
}

fn open_for_writing(files: &Files, area: &Area, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
    let [_, flags] = list::<2>(call.args, 2)?;
    let flags = number(required(flags)?)?;
    if flags & !(CREATE | EXCLUSIVE | TRUNCATE) != 0 {
        return Err(invalid("there is no such flag"));
    }
    let mut account = area.account();
    let (dir, name) = parent(area, segments)?;
    match writable(&dir, name, &account, files)? {
        Some(_) if flags & (CREATE | EXCLUSIVE) == CREATE | EXCLUSIVE => Err(exists()),
        Some(length) if flags & TRUNCATE != 0 => set_length(&dir, name, &mut account, (length, 0)),
        Some(_) => Ok(()),
        None if flags & CREATE == 0 => Err(absent()),
        None => {
            open(&dir, name, OpenOptions::new().write(true).create_new(true))?;
            account.entries += 1;
            Ok(())
        }
    }
}

fn set_length(dir: &Dir, name: &str, account: &mut Account, (old, new): (u64, u64)) -> Result<(), CallError> {
    let (file, _) = open(dir, name, OpenOptions::new().write(true))?;
    file.set_len(new).map_err(|e| fault(&e))?;
    account.resize(old, new);
    Ok(())
}

fn write_at(files: &Files, area: &Area, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
    let [_, offset, bytes] = list::<3>(call.args, 3)?;
    let (offset, bytes) = (number(required(offset)?)?, required(bytes)?);
    let mut account = area.account();
    let (dir, name) = parent(area, segments)?;
    let old = size_of(&dir, name)?;
    let at = if offset == END { old } else { offset };
    let end = at.checked_add(bytes.len() as u64).filter(|end| *end <= LARGEST);
    let end = end.ok_or_else(|| limit("no file is that large"))?;
    if !bytes.is_empty() {
        let new = old.max(end);
        account.may_hold(old, new, &files.limits)?;
        let (mut file, _) = open(&dir, name, OpenOptions::new().write(true))?;
        let written = file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes));
        // Where part of it was written, that part is there and counts.
        let length = if written.is_ok() { new } else { file.metadata().map_or(new, |meta| meta.len()) };
        account.resize(old, length);
        written.map_err(|e| fault(&e))?;
    }
    call.response.extend_from_slice(&end.to_le_bytes());
    Ok(())
}

fn resize(files: &Files, area: &Area, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
    let [_, size] = list::<2>(call.args, 2)?;
    let size = number(required(size)?)?;
    let mut account = area.account();
    let (dir, name) = parent(area, segments)?;
    let old = size_of(&dir, name)?;
    account.may_hold(old, size, &files.limits)?;
    if size > LARGEST {
        return Err(limit("no file is that large"));
    }
    set_length(&dir, name, &mut account, (old, size))
}

fn sync(_: &Files, area: &Area, segments: &[&str], _: Call<'_>) -> Result<(), CallError> {
    let (dir, name) = parent(area, segments)?;
    let (file, _) = open(&dir, name, OpenOptions::new().write(true))?;
    file.sync_all().map_err(|e| fault(&e))
}

fn dir_create(files: &Files, area: &Area, segments: &[&str], _: Call<'_>) -> Result<(), CallError> {
    let mut account = area.account();
    if segments.is_empty() {
        return Err(exists());
    }
    let (dir, name) = parent(area, segments)?;
    if entry(&dir, name)? != Entry::Absent {
        return Err(exists());
    }
    account.may_add(&files.limits)?;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    dir.create_dir_with(name, &builder).map_err(|e| fault(&e))?;
    account.entries += 1;
    Ok(())
}

/// Remembers what this instance may move away. The next one to ask takes the place: an instance that is overtaken
/// is told that it was, and nothing is moved.
fn rename_from(_: &Files, area: &Area, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
    let (dir, name) = parent(area, segments)?;
    if entry(&dir, name)? == Entry::Absent {
        return Err(absent());
    }
    *area.moving() = Some((plugin(call.identity)?.instance, call.target.to_owned()));
    Ok(())
}

fn has_entries(dir: &Dir, name: &str) -> Result<bool, CallError> {
    let mut entries = down(dir, name)?.entries().map_err(|e| fault(&e))?;
    Ok(entries.next().is_some())
}

fn rename_to(_: &Files, area: &Area, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
    let mut account = area.account();
    let instance = plugin(call.identity)?.instance;
    let from = area.moving().take_if(|(of, _)| *of == instance);
    let (_, from) = from.ok_or_else(|| CallError::new(Status::Unavailable, "nothing is to be renamed"))?;
    let above = path::private(&from).ok_or_else(absent)?;
    if segments.starts_with(&above) && segments != above {
        return Err(invalid("a directory cannot be moved into itself"));
    }
    let (old_name, old_above) = above.split_last().ok_or_else(absent)?;
    let old_dir = directory(area, old_above)?;
    let (new_dir, new_name) = parent(area, segments)?;
    let moved = entry(&old_dir, old_name)?;
    let replaced = entry(&new_dir, new_name)?;
    match (moved, replaced) {
        (Entry::Absent, _) => return Err(absent()),
        (Entry::File(_), Entry::Directory) => return Err(invalid("a directory")),
        (Entry::Directory, Entry::File(_)) => return Err(invalid("not a directory")),
        // What lies in it would get other names, which nobody decided on, and could be moved too deep to be counted.
        (Entry::Directory, _) if segments != above && has_entries(&old_dir, old_name)? => {
            return Err(CallError::new(Status::Conflict, "a directory that is not empty is not renamed"));
        }
        _ => {}
    }
    old_dir.rename(old_name, &new_dir, new_name).map_err(|e| fault(&e))?;
    if replaced != Entry::Absent && segments != above {
        let freed = if let Entry::File(length) = replaced { length } else { 0 };
        account.resize(freed, 0);
        account.entries = account.entries.saturating_sub(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::FileLimits;
    use super::*;
    use crate::extension::testing::{Host, args, n};
    use microkernel::syscall_bridge::SyscallArgs;

    struct Disk(Host);

    impl Disk {
        fn new(limits: FileLimits) -> Self {
            Self(Host::with_files(limits))
        }
        fn call(&self, name: &str, args: SyscallArgs) -> Result<Vec<u8>, Status> {
            self.0.call(name, args)
        }
        fn open(&self, path: &str, flags: u64) -> Result<(), Status> {
            self.call("file_open", args().arg(path).arg(n(flags))).map(drop)
        }
        fn put(&self, path: &str, at: u64, bytes: &str) -> Result<u64, Status> {
            let end = self.call("file_write_at", args().arg(path).arg(n(at)).arg(bytes))?;
            Ok(u64::from_le_bytes(end.try_into().unwrap()))
        }
        fn resize(&self, path: &str, size: u64) -> Result<(), Status> {
            self.call("file_resize", args().arg(path).arg(n(size))).map(drop)
        }
        fn make(&self, path: &str) -> Result<(), Status> {
            self.call("dir_create", args().arg(path)).map(drop)
        }
        fn rename(&self, from: &str, to: &str) -> Result<(), Status> {
            self.call("file_rename_from", args().arg(from))?;
            self.call("file_rename_to", args().arg(to)).map(drop)
        }
        fn read(&self, path: &str) -> Result<Vec<u8>, Status> {
            self.call("file_read", args().arg(path))
        }
    }

    fn small() -> Disk {
        Disk::new(FileLimits { bytes: 100, entries: 3, ..FileLimits::default() })
    }

    #[test]
    fn opening_makes_empties_and_insists_as_it_is_told() {
        let disk = small();
        assert_eq!(disk.open("/data/f", 0), Err(Status::NotFound));
        assert_eq!(disk.open("/data/none/f", CREATE), Err(Status::NotFound), "no directory is made");
        disk.open("/data/f", CREATE | EXCLUSIVE).unwrap();
        assert_eq!(disk.put("/data/f", 0, "text"), Ok(4));
        assert_eq!(disk.open("/data/f", CREATE | EXCLUSIVE), Err(Status::Conflict));
        disk.open("/data/f", CREATE).unwrap();
        assert_eq!(disk.read("/data/f"), Ok(b"text".to_vec()));
        disk.open("/data/f", TRUNCATE).unwrap();
        assert_eq!(disk.read("/data/f"), Ok(Vec::new()));
        assert_eq!(disk.open("/data/f", 8), Err(Status::Invalid));
        disk.make("/data/d").unwrap();
        assert_eq!(disk.open("/data/d", 0), Err(Status::Invalid));
        assert_eq!(disk.make("/data/d"), Err(Status::Conflict));
        assert_eq!(disk.make("/data"), Err(Status::Conflict));
        disk.make("/data/d/e").unwrap();
        assert_eq!(disk.make("/data/x"), Err(Status::Limit), "three entries");
        assert_eq!(disk.open("/data/x", CREATE), Err(Status::Limit));
    }

    #[test]
    fn writing_at_a_place_keeps_the_rest_and_the_quota() {
        let disk = small();
        disk.open("/data/f", CREATE).unwrap();
        assert_eq!(disk.put("/data/f", 0, "0123456789"), Ok(10));
        assert_eq!(disk.put("/data/f", 3, "abc"), Ok(6));
        assert_eq!(disk.put("/data/f", END, "xy"), Ok(12));
        assert_eq!(disk.read("/data/f"), Ok(b"012abc6789xy".to_vec()));
        assert_eq!(disk.put("/data/f", 14, "z"), Ok(15));
        assert_eq!(disk.read("/data/f").unwrap()[12..], *b"\0\0z");
        assert_eq!(disk.put("/data/f", 100, "!"), Err(Status::Limit));
        assert_eq!(disk.put("/data/f", 99, "!"), Ok(100));
        assert_eq!(disk.put("/data/f", u64::MAX - 1, "!!"), Err(Status::Limit));
        assert_eq!(disk.put("/data/f", i64::MAX as u64, "!"), Err(Status::Limit));
        disk.resize("/data/f", 2).unwrap();
        assert_eq!(disk.read("/data/f"), Ok(b"01".to_vec()));
        assert_eq!(disk.resize("/data/f", 101), Err(Status::Limit));
        disk.resize("/data/f", 100).unwrap();
        assert_eq!(disk.put("/data/none", 0, ""), Err(Status::NotFound));
        assert_eq!(disk.call("file_sync", args().arg("/data/f")), Ok(Vec::new()));
        assert_eq!(disk.call("file_sync", args().arg("/data/none")), Err(Status::NotFound));
    }

    #[test]
    fn renaming_moves_and_replaces_and_keeps_count() {
        let disk = small();
        disk.open("/data/a", CREATE).unwrap();
        disk.put("/data/a", 0, "old").unwrap();
        disk.make("/data/d").unwrap();
        disk.rename("/data/a", "/data/d/b").unwrap();
        assert_eq!(disk.read("/data/a"), Err(Status::NotFound));
        assert_eq!(disk.read("/data/d/b"), Ok(b"old".to_vec()));
        disk.open("/data/c", CREATE).unwrap();
        disk.put("/data/c", 0, &"n".repeat(97)).unwrap();
        disk.rename("/data/c", "/data/d/b").unwrap();
        disk.rename("/data/d/b", "/data/d/b").unwrap();
        assert_eq!(disk.put("/data/d/b", END, "123"), Ok(100), "what was replaced is given back");
        disk.open("/data/c", CREATE).unwrap();
        assert_eq!(disk.open("/data/e", CREATE), Err(Status::Limit), "and counts no more");
        assert_eq!(disk.rename("/data/d", "/data/d/e"), Err(Status::Invalid));
        assert_eq!(disk.rename("/data/c", "/data/d"), Err(Status::Invalid));
        assert_eq!(disk.rename("/data/d", "/data/c"), Err(Status::Invalid));
        assert_eq!(disk.rename("/data/none", "/data/x"), Err(Status::NotFound));
        assert_eq!(
            disk.rename("/data/d", "/data/g"),
            Err(Status::Conflict),
            "what lies in it keeps its name"
        );
        let alone = disk.call("file_rename_to", args().arg("/data/x"));
        assert_eq!(alone, Err(Status::Unavailable), "what was named is named once");
    }

    #[test]
    fn deleting_by_kind_spares_what_is_of_another() {
        let disk = small();
        disk.open("/data/f", CREATE).unwrap();
        disk.make("/data/d").unwrap();
        let delete = |path: &str, kind| disk.call("file_delete", args().arg(path).arg(n(kind)));
        assert_eq!(delete("/data/f", 1), Err(Status::Invalid));
        assert_eq!(delete("/data/d", 0), Err(Status::Invalid));
        assert_eq!((delete("/data/f", 0), delete("/data/d", 1)), (Ok(Vec::new()), Ok(Vec::new())));
    }

    #[test]
    fn a_directory_is_renamed_while_it_is_empty() {
        let disk = small();
        disk.make("/data/d").unwrap();
        disk.rename("/data/d", "/data/e").unwrap();
        disk.make("/data/e/f").unwrap();
        assert_eq!(disk.rename("/data/e", "/data/d"), Err(Status::Conflict));
        disk.rename("/data/e/f", "/data/f").unwrap();
        disk.rename("/data/e", "/data/d").unwrap();
    }

    #[test]
    fn links_are_neither_written_through_nor_renamed() {
        let disk = small();
        disk.make("/data/d").unwrap();
        let area = disk.0.dir().join("data/acme/log-redactor");
        std::os::unix::fs::symlink("/etc", area.join("etc")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", area.join("name")).unwrap();
        assert_eq!(disk.open("/data/etc/x", CREATE), Err(Status::Denied));
        assert_eq!(disk.open("/data/name", TRUNCATE), Err(Status::Denied));
        assert_eq!(disk.put("/data/name", 0, "x"), Err(Status::Denied));
        assert_eq!(disk.resize("/data/name", 0), Err(Status::Denied));
        assert_eq!(disk.make("/data/etc/d"), Err(Status::Denied));
        assert_eq!(disk.rename("/data/name", "/data/x"), Err(Status::Denied));
        assert_eq!(disk.rename("/data/d", "/data/etc/d"), Err(Status::Denied));
    }
}
