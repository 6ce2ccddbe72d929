//! The home's lock: one process at a time, the second is told which process is the first, and whether it is one of this
//! boot of this machine.

use super::StoreError;
use super::error::Holder;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(20);

/// Held as long as it lives. The kernel releases it when the process dies, however it dies.
#[derive(Debug)]
pub(super) struct HomeLock {
    _file: File,
}

impl HomeLock {
    /// Takes the lock of this home, waiting up to `wait` for another holder.
    pub(super) fn take(home: &Path, wait: Duration) -> Result<Self, StoreError> {
        let path = home.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        if !acquire(&file, wait).map_err(StoreError::io("lock", &path))? {
            return Err(StoreError::Locked { path: home.to_owned(), holder: holder(&mut file) });
        }
        sign(&mut file).map_err(StoreError::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// Tries until the lock is had or `wait` has been slept.
fn acquire(file: &File, wait: Duration) -> std::io::Result<bool> {
    let mut waited = Duration::ZERO;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) if waited >= wait => return Ok(false),
            Err(Errno::WOULDBLOCK) => {
                let pause = PAUSE.min(wait.saturating_sub(waited));
                std::thread::sleep(pause);
                waited += pause;
            }
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// The number of a process and the boot of the machine it is of.
fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(128).read_to_string(&mut text).ok()?;
    let mut words = text.split_whitespace();
    let pid = words.next()?.parse().ok()?;
    // A kernel that does not tell its boot signs without one.
    let elsewhere = words.next().is_some_and(|boot| !boot_id().is_empty() && boot != boot_id());
    Some(Holder { pid, elsewhere })
}

/// Over what was there: on a full disk there is no room for a new block.
fn sign(file: &mut File) -> std::io::Result<()> {
    let text = format!("{} {}\n", std::process::id(), boot_id());
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

/// Which boot of the machine this is; empty where the kernel does not tell.
fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_told_the_first_and_gets_the_lock_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = HomeLock::take(dir.path(), Duration::ZERO).unwrap();
        let refused = HomeLock::take(dir.path(), Duration::from_millis(30)).unwrap_err();
        let me = std::process::id();
        assert!(matches!(&refused, StoreError::Locked { holder: Some(holder), .. } if holder.pid == me));
        assert!(refused.to_string().ends_with(&format!("by process {me}")), "{refused}");
        drop(first);
        HomeLock::take(dir.path(), Duration::ZERO).unwrap();
    }

    #[test]
    fn fault_096_a_holder_of_another_boot_is_told_from_one_of_this() {
        let dir = tempfile::tempdir().unwrap();
        let first = HomeLock::take(dir.path(), Duration::ZERO).unwrap();
        for (text, told) in [
            ("77 00000000-0000-0000-0000-000000000000 \n", "by process 77 of another boot or machine"),
            ("77\n", "by process 77"),
            ("nobody", "is in use"),
        ] {
            std::fs::write(dir.path().join("lock"), text).unwrap();
            let refused = HomeLock::take(dir.path(), Duration::ZERO).unwrap_err().to_string();
            assert!(refused.ends_with(told), "{refused}");
        }
        drop(first);
        drop(HomeLock::take(dir.path(), Duration::ZERO).unwrap());
        let signed = std::fs::read_to_string(dir.path().join("lock")).unwrap();
        assert_eq!(signed, format!("{} {}\n", std::process::id(), boot_id()));
    }

    #[test]
    fn a_waiter_gets_the_lock_when_the_holder_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let first = HomeLock::take(dir.path(), Duration::ZERO).unwrap();
        let home = dir.path().to_owned();
        let waiter = std::thread::spawn(move || HomeLock::take(&home, Duration::from_secs(60)).map(drop));
        drop(first);
        waiter.join().unwrap().unwrap();
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        std::fs::write(&outside, "precious").unwrap();
        let home = dir.path().join("home");
        std::fs::create_dir(&home).unwrap();
        std::os::unix::fs::symlink(&outside, home.join("lock")).unwrap();
        assert!(HomeLock::take(&home, Duration::ZERO).is_err());
        assert_eq!(std::fs::read(&outside).unwrap(), b"precious");
    }
}
