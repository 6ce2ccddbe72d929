//! The thread that scans the plugin directory when something is heard of it, and from time to time.

use super::keeper::Keeper;
use super::place::Place;
use super::report::DirectoryReport;
use super::{ASIDE, DirectoryError, SUFFIX};
use crate::registry::PluginManager;
use crate::registry::Probe;
use crate::registry::hall::Hall;
use common::error::ForgeError;
use common::words::counted;
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Watches the plugin directory until it is dropped, which waits for a scan that is being made. The host stays open as
/// long.
#[derive(Debug)]
pub struct DirectoryWatch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    keeper: Mutex<Keeper>,
    path: PathBuf,
    report: Mutex<DirectoryReport>,
    ending: AtomicBool,
    /// Written to end the thread's waiting.
    wake: OwnedFd,
    _only: Only,
}

/// The one watch of a host.
#[derive(Debug)]
struct Only(Arc<Hall>);

impl Only {
    fn of(hall: &Arc<Hall>) -> Result<Self, DirectoryError> {
        match hall.watched.swap(true, Ordering::AcqRel) {
            true => Err(DirectoryError::Watched),
            false => Ok(Self(hall.clone())),
        }
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        self.0.watched.store(false, Ordering::Release);
    }
}

/// How many packages were moved aside and are still there. What moves them bounds their number.
fn refused(aside: &Path) -> usize {
    let entries = std::fs::read_dir(aside).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(SUFFIX)).count()
}

impl PluginManager {
    /// Watches the plugin directory (`plugin_directory`, or the home's `plugins/`), in a thread of its own: a package
    /// that is dropped, replaced or deleted there is installed and started, upgraded to, or removed with its data kept,
    /// as by this handle's operator, through every check. A file that is refused is moved to `rejected/` with a reason
    /// beside it; one that lacks a dependency stays and waits for it. Drop the guard before the host is shut down.
    ///
    /// # Errors
    /// E0108 when others can write to the directory; E5009 when it is watched already; E0002 when the directory or the
    /// thread cannot be made.
    pub fn watch_plugins_directory(&self) -> Result<DirectoryWatch, ForgeError> {
        let only = Only::of(self.hall())?;
        let path = self.plugins_directory()?;
        Place::open(&path)?;
        let io = DirectoryError::io("wait for", &path);
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(io)?;
        let keeper = Keeper::new(self.clone(), path.clone(), self.host().clock.clone());
        let report = Mutex::new(keeper.report().clone());
        let keeper = Mutex::new(keeper);
        let ending = AtomicBool::new(false);
        let shared = Arc::new(Shared { keeper, path, report, ending, wake, _only: only });
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("forgeone-plugins".into()).spawn(move || own.run());
        Ok(DirectoryWatch { shared, thread: Some(thread.map_err(DirectoryError::Thread)?) })
    }

    /// What `doctor` says of the plugin directory, which need not be there.
    pub(in crate::registry) fn directory_probe(&self) -> Probe {
        let host = self.host();
        let path = host.config.plugin_directory.clone().unwrap_or_else(|| host.home.plugins_dir());
        let found =
            path.canonicalize().map_err(|source| DirectoryError::Io { doing: "resolve", path, source });
        let listed = found.and_then(|path| Ok((path.clone(), Place::open(&path)?.list()?)));
        let (verdict, detail) = match listed {
            Ok((path, listing)) => {
                let there = format!("{} has {}", path.display(), counted(listing.files.len(), "package"));
                match refused(&path.join(ASIDE)) {
                    0 => ("ok", there),
                    aside => {
                        ("warning", format!("{there}, and {} in {ASIDE}/", counted(aside, "refused one")))
                    }
                }
            }
            Err(DirectoryError::Io { path, source, .. }) if source.kind() == ErrorKind::NotFound => {
                ("ok", format!("{} is not there; watching makes it", path.display()))
            }
            Err(error) => ("problem", error.to_string()),
        };
        Probe { name: "plugin directory".to_owned(), verdict, detail }
    }

    /// The plugin directory, made when it is not there, free of links.
    pub(super) fn plugins_directory(&self) -> Result<PathBuf, DirectoryError> {
        let host = self.host();
        let Some(path) = &host.config.plugin_directory else { return Ok(host.home.plugins_dir()) };
        let failed = |doing: &'static str| {
            let path = path.clone();
            move |source| DirectoryError::Io { doing, path, source }
        };
        DirBuilder::new().mode(0o700).recursive(true).create(path).map_err(failed("create"))?;
        path.canonicalize().map_err(failed("resolve"))
    }
}

impl DirectoryWatch {
    /// What the last scan found.
    pub fn report(&self) -> DirectoryReport {
        self.shared.report.lock().clone()
    }

    /// Scans now, and returns when that is done. Files that are not known to be closed must still settle.
    pub fn scan(&self) -> DirectoryReport {
        self.shared.scan(&BTreeSet::new());
        self.report()
    }
}

impl Drop for DirectoryWatch {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
        // It cannot be full: nobody else writes.
        let _ = rustix::io::write(&self.shared.wake, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut ears = Ears::new();
        if ears.is_none() {
            tracing::warn!(path = %self.path.display(), "the plugin directory cannot be listened to; it is listed from time to time");
        }
        while !self.ending.load(Ordering::Acquire) {
            let closed = ears.as_mut().map(|ears| ears.heard(&self.path)).unwrap_or_default();
            let wait = self.scan(&closed);
            self.wait(ears.as_ref(), wait);
        }
    }

    fn scan(&self, closed: &BTreeSet<String>) -> Duration {
        let mut keeper = self.keeper.lock();
        let wait = keeper.scan(closed);
        *self.report.lock() = keeper.report().clone();
        wait
    }

    /// Until something is heard, the watch ends, or this long.
    fn wait(&self, ears: Option<&Ears>, wait: Duration) {
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        fds.extend(ears.map(|ears| PollFd::new(&ears.fd, PollFlags::IN)));
        let timeout = Timespec::try_from(wait).ok();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => {
                tracing::error!(%errno, "waiting for the plugin directory failed");
                std::thread::sleep(wait);
            }
        }
    }
}

/// What the kernel tells of one directory.
#[derive(Debug)]
struct Ears {
    fd: OwnedFd,
    watching: Option<i32>,
}

impl Ears {
    fn new() -> Option<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        Some(Self { fd, watching: None })
    }

    /// The files that were closed after writing or renamed in since. Listens to what is at this path now.
    fn heard(&mut self, path: &Path) -> BTreeSet<String> {
        let events = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        let watching = inotify::add_watch(&self.fd, path, events).ok();
        if let Some(old) = self.watching.filter(|old| Some(*old) != watching) {
            // Gone with its directory, if that is gone.
            let _ = inotify::remove_watch(&self.fd, old);
        }
        self.watching = watching;
        let mut closed = BTreeSet::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        while closed.len() < super::MAX_FILES
            && let Ok(event) = reader.next()
        {
            let arrived = event.events().intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO);
            let name = event.file_name().and_then(|name| name.to_str().ok());
            if Some(event.wd()) == watching && arrived {
                closed.extend(name.map(str::to_owned));
            }
        }
        closed
    }
}
