//! The six calls of the filesystem family that take a file as a whole.

use super::area::{Account, Area};
use super::fault::{fault, special};
use super::walk::{Entry, down, down_or_make, entry, kind, open};
use super::{Files, path};
use crate::extension::service::{Door, Service, invalid, limit, number, plugin, required, target};
use cap_std::fs::{Dir, MetadataExt, OpenOptions};
use common::identity::IdentityContext;
use microkernel::syscall_bridge::{Call, CallError, Status, Target, list, push};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

/// The services of the family by action.
pub(in crate::extension) fn services<D: Door>(files: &Arc<Files>) -> Vec<(&'static str, D::Handler)> {
    let service = |serve, arguments| D::put(FileCall { files: files.clone(), serve, arguments });
    let mut all = vec![
        ("file_read", service(read, (1, 3))),
        ("file_write", service(write, (2, 2))),
        ("file_append", service(append, (2, 2))),
        ("file_stat", service(stat, (1, 1))),
        ("file_list", service(names, (1, 1))),
        ("file_delete", service(delete, (1, 2))),
    ];
    all.extend(super::in_place::services::<D>(files));
    all
}

/// A call on the plugin's area and the segments of its path below it.
pub(super) struct FileCall {
    pub(super) files: Arc<Files>,
    pub(super) serve: fn(&Files, &Area, &[&str], Call<'_>) -> Result<(), CallError>,
    /// The least and the most arguments.
    pub(super) arguments: (usize, usize),
}

impl Service for FileCall {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let (least, most) = self.arguments;
        let [name, offset, length] = list::<3>(args, least)?;
        if [name, offset, length].into_iter().flatten().count() > most {
            return Err(invalid("too many arguments"));
        }
        let name = path::canonical(required(name)?)?;
        Ok(target(name, path::private(name).is_some()))
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let segments = path::private(call.target)
            .ok_or_else(|| CallError::new(Status::NotFound, "nothing is mounted there"))?;
        let area = self.files.area(plugin(call.identity)?)?;
        (self.serve)(&self.files, &area, &segments, call)
    }
}

/// The directory a path's last segment is in.
pub(super) fn parent<'a>(area: &Area, segments: &'a [&'a str]) -> Result<(Dir, &'a str), CallError> {
    let (name, above) = segments.split_last().ok_or_else(|| invalid("the private area itself"))?;
    Ok((directory(area, above)?, name))
}

pub(super) fn directory(area: &Area, segments: &[&str]) -> Result<Dir, CallError> {
    let root = area.root()?.try_clone().map_err(|e| fault(&e))?;
    segments.iter().try_fold(root, |dir, name| down(&dir, name))
}

/// As [`parent`], making the directories that are not there, within the quota.
fn parent_or_make<'a>(
    area: &Area,
    segments: &'a [&'a str],
    account: &mut Account,
    files: &Files,
) -> Result<(Dir, &'a str), CallError> {
    let (name, above) = segments.split_last().ok_or_else(|| invalid("the private area itself"))?;
    let root = area.root()?.try_clone().map_err(|e| fault(&e))?;
    let dir = above.iter().try_fold(root, |dir, name| {
        if entry(&dir, name)? == Entry::Absent {
            account.may_add(&files.limits)?;
        }
        let (dir, made) = down_or_make(&dir, name)?;
        account.entries += u64::from(made);
        Ok::<_, CallError>(dir)
    })?;
    Ok((dir, name))
}

/// The size of the file of this name, none when there is none; room for one more is checked then.
pub(super) fn writable(
    dir: &Dir,
    name: &str,
    account: &Account,
    files: &Files,
) -> Result<Option<u64>, CallError> {
    match entry(dir, name)? {
        Entry::File(length) => Ok(Some(length)),
        Entry::Directory => Err(invalid("a directory")),
        Entry::Absent => account.may_add(&files.limits).map(|()| None),
    }
}

pub(in crate::extension) fn read(
    files: &Files,
    area: &Area,
    segments: &[&str],
    call: Call<'_>,
) -> Result<(), CallError> {
    let [_, offset, length] = list::<3>(call.args, 1)?;
    let offset = offset.map_or(Ok(0), number)?;
    let length = length.map_or(Ok(u64::MAX), number)?;
    let (dir, name) = parent(area, segments)?;
    let (mut file, size) = open(&dir, name, OpenOptions::new().read(true))?;
    let length = size.saturating_sub(offset).min(length);
    if length > files.limits.read_bytes {
        return Err(limit("more bytes than one read answers"));
    }
    if length == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::Start(offset)).map_err(|e| fault(&e))?;
    let read = file.take(length).read_to_end(call.response);
    read.map(drop).map_err(|e| fault(&e))
}

pub(in crate::extension) fn write(
    files: &Files,
    area: &Area,
    segments: &[&str],
    call: Call<'_>,
) -> Result<(), CallError> {
    let [_, bytes] = list::<2>(call.args, 2)?;
    let bytes = required(bytes)?;
    let length = bytes.len() as u64;
    let mut account = area.account();
    let (dir, name) = parent_or_make(area, segments, &mut account, files)?;
    let old = writable(&dir, name, &account, files)?;
    account.may_hold(old.unwrap_or(0), length, &files.limits)?;
    replace(files, &dir, name, bytes)?;
    account.resize(old.unwrap_or(0), length);
    account.entries += u64::from(old.is_none());
    Ok(())
}

/// Written in the staging directory, synced, renamed: never half there.
fn replace(files: &Files, dir: &Dir, name: &str, bytes: &[u8]) -> Result<(), CallError> {
    let (staging, temporary) = files.staging();
    let written = fill(staging, &temporary, bytes)
        .and_then(|()| staging.rename(&temporary, dir, name).map_err(|e| fault(&e)));
    if written.is_err() {
        // The error that matters is the first one; opening the home clears what stays.
        let _ = staging.remove_file(&temporary);
    }
    written
}

fn fill(staging: &Dir, name: &str, bytes: &[u8]) -> Result<(), CallError> {
    let (mut file, _) = open(staging, name, OpenOptions::new().write(true).create_new(true))?;
    file.write_all(bytes).and_then(|()| file.sync_data()).map_err(|e| fault(&e))
}

fn append(files: &Files, area: &Area, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
    let [_, bytes] = list::<2>(call.args, 2)?;
    let bytes = required(bytes)?;
    let mut account = area.account();
    let (dir, name) = parent_or_make(area, segments, &mut account, files)?;
    let old = writable(&dir, name, &account, files)?;
    let before = old.unwrap_or(0);
    let after = before.saturating_add(bytes.len() as u64);
    account.may_hold(before, after, &files.limits)?;
    let (mut file, _) = open(&dir, name, OpenOptions::new().append(true).create(true))?;
    account.entries += u64::from(old.is_none());
    if let Err(e) = file.write_all(bytes) {
        // Part of it may be there; nothing of it shall be.
        let length = file.set_len(before).and_then(|()| file.metadata()).map_or(before, |m| m.len());
        account.resize(before, length);
        return Err(fault(&e));
    }
    account.resize(before, after);
    Ok(())
}

fn stat(_: &Files, area: &Area, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
    let meta = match parent(area, segments) {
        Ok((dir, name)) => dir.symlink_metadata(name),
        Err(_) if segments.is_empty() => area.root()?.dir_metadata(),
        Err(e) => return Err(e),
    };
    let meta = meta.map_err(|e| fault(&e))?;
    let (size, of_kind) = match kind(&meta)? {
        Entry::File(bytes) => (bytes, 0),
        Entry::Directory => (0, 1),
        Entry::Absent => return Err(special()),
    };
    let seconds = u64::try_from(meta.mtime()).unwrap_or(0);
    let nanoseconds = u64::try_from(meta.mtime_nsec()).unwrap_or(0);
    let mtime = seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
    for value in [size, mtime, of_kind] {
        push(call.response, &u64::to_le_bytes(value));
    }
    Ok(())
}

fn names(files: &Files, area: &Area, segments: &[&str], call: Call<'_>) -> Result<(), CallError> {
    let dir = directory(area, segments)?;
    let mut names = Vec::new();
    let mut bytes = 0;
    for item in dir.entries().map_err(|e| fault(&e))? {
        let name = item.map_err(|e| fault(&e))?.file_name();
        // What no path can name (not UTF-8, links, special files) is not listed.
        let Some(mut name) = name.to_str().map(str::to_owned) else { continue };
        match entry(&dir, &name) {
            Ok(Entry::File(_)) => {}
            Ok(Entry::Directory) => name.push('/'),
            _ => continue,
        }
        bytes += name.len() as u64 + 4;
        if bytes > files.limits.read_bytes {
            return Err(limit("the list is longer than one answer"));
        }
        names.push(name);
    }
    names.sort_unstable();
    names.iter().for_each(|name| push(call.response, name.as_bytes()));
    Ok(())
}

/// Deletes a file or an empty directory; with a second argument, as in `file_stat`, only what is of that kind.
pub(in crate::extension) fn delete(
    _: &Files,
    area: &Area,
    segments: &[&str],
    call: Call<'_>,
) -> Result<(), CallError> {
    let [_, of_kind] = list::<2>(call.args, 1)?;
    let of_kind = of_kind.map(number).transpose()?;
    let mut account = area.account();
    let (dir, name) = parent(area, segments)?;
    let (removed, bytes) = match entry(&dir, name)? {
        Entry::Absent => return Err(CallError::new(Status::NotFound, "no such file or directory")),
        Entry::File(_) if of_kind.is_some_and(|kind| kind != 0) => return Err(invalid("not a directory")),
        Entry::Directory if of_kind.is_some_and(|kind| kind != 1) => return Err(invalid("a directory")),
        Entry::File(bytes) => (dir.remove_file(name), bytes),
        Entry::Directory => (dir.remove_dir(name), 0),
    };
    removed.map_err(|e| fault(&e))?;
    account.resize(bytes, 0);
    account.entries = account.entries.saturating_sub(1);
    Ok(())
}
