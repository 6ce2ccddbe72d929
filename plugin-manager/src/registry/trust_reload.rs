//! Reads the trust configuration again while plugins run, when asked to or when its files change, and stops what is
//! trusted no more.

use super::error::HostError;
use super::manager::PluginManager;
use common::audit::Outcome;
use common::error::ForgeError;
use microkernel::trust::ManagementAction;
use parking_lot::{Condvar, Mutex};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Files that are looked at, at most.
const MAX_FILES: usize = 4096;
/// How long a stop waits for whoever has a plugin's turn before it is kept in the home.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a reading of the trust configuration changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustReload {
    /// The digest of the configuration with its certificates and lists; `None` when there is none that can be used.
    pub digest: Option<String>,
    /// What is wrong with it, with its code. Nothing new is run as long as that is so, and what runs goes on.
    pub problem: Option<String>,
    /// The plugins that were stopped and quarantined, by name.
    pub withdrawn: Vec<String>,
}

impl PluginManager {
    /// Reads `trust.toml`, the certificates it names and the revocation lists again. From then on packages are judged
    /// by them, and each new instance of what runs is. A plugin that is refused now (its signer, key, digest or
    /// version is trusted no more) is quarantined: calls in flight are ended, and its instances with them. A
    /// configuration that cannot be used, and certificates or lists that have run out, stop nothing that runs; nothing
    /// new runs until they are mended.
    ///
    /// # Errors
    /// E2001 when the policy denies the operator to configure the host.
    pub fn reload_trust(&self) -> Result<TrustReload, ForgeError> {
        let (host, configure) = (self.host(), ManagementAction::Configure);
        host.recorded(configure, "", || host.authorise(configure, ""))?;
        self.read_trust_again()
    }

    fn read_trust_again(&self) -> Result<TrustReload, ForgeError> {
        let host = self.host();
        let lock = host.court.lock();
        let office = host.judge()?;
        let (term, judge) = (office.0, &office.1);
        let digest = judge.verifier().trust().map(|trust| trust.digest().to_string());
        let problem = judge.problem().map(told);
        let code = judge.problem().map(|p| p.code().id);
        host.court.review();
        let withdrawn = self.stop_what_lost_trust();
        drop(lock);
        let (shown, term) = (digest.clone().unwrap_or_default(), term.to_string());
        let stopped = withdrawn.join(" ");
        let details = [("trust", shown.as_str()), ("epoch", term.as_str()), ("withdrawn", stopped.as_str())];
        let outcome = if code.is_some() { Outcome::Failed } else { Outcome::Ok };
        // What protects is done whether or not the log can take it.
        host.audit.protect(&host.management("reload_trust", "", outcome, code, &details));
        Ok(TrustReload { digest, problem, withdrawn })
    }

    /// Quarantines the plugins whose warrant is over; first all of them, then in the home.
    fn stop_what_lost_trust(&self) -> Vec<String> {
        let hall = self.hall();
        let up = hall.names().into_iter().filter_map(|name| hall.loaded(&name));
        let stopped: Vec<_> = up.filter(|loaded| loaded.plugin.lose_trust()).collect();
        stopped.iter().for_each(|loaded| hall.after_failure(loaded, PATIENCE));
        stopped.iter().map(|loaded| loaded.name().to_owned()).collect()
    }

    /// Looks at the files of the trust configuration five times a second, in a thread of its own, and reads it again
    /// when they changed: what is revoked is stopped within a second. The host stays open as long as the guard lives.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn watch_trust(&self) -> Result<TrustWatch, ForgeError> {
        let shared = Arc::new(Shared::default());
        let (manager, own) = (self.clone(), shared.clone());
        let dir = self.host().home.trust_dir();
        // What changed since the home was opened is read now.
        let before = seen(&dir);
        self.read_trust_again()?;
        let run = move || {
            let mut last = before;
            while own.wait() {
                let now = seen(&dir);
                if now != last {
                    last = now;
                    match manager.read_trust_again() {
                        Ok(TrustReload { problem: None, withdrawn, .. }) if withdrawn.is_empty() => {
                            tracing::info!("trust was read again");
                        }
                        Ok(TrustReload { problem, withdrawn, .. }) => {
                            tracing::warn!(?problem, ?withdrawn, "trust was read again");
                        }
                        Err(error) => tracing::error!(%error, "trust cannot be read again"),
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("forgeone-trust".into()).spawn(run);
        Ok(TrustWatch { shared, thread: Some(thread.map_err(HostError::Thread)?) })
    }
}

fn told(problem: &ForgeError) -> String {
    let parts = std::iter::once(format!("{}: {problem}", problem.code().id));
    parts.chain(problem.reasons().iter().cloned()).collect::<Vec<_>>().join(": ")
}

/// Watches the trust configuration until it is dropped.
#[derive(Debug)]
#[must_use = "the trust configuration is watched for as long as this lives"]
pub struct TrustWatch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    over: Mutex<bool>,
    changed: Condvar,
}

impl Shared {
    /// Until it is time to look. Whether there is anything to look for.
    fn wait(&self) -> bool {
        let mut over = self.over.lock();
        if !*over {
            self.changed.wait_for(&mut over, LOOK);
        }
        !*over
    }
}

impl Drop for TrustWatch {
    fn drop(&mut self) {
        *self.shared.over.lock() = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A file by what changes when it does.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    path: std::path::PathBuf,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The files below the trust directory but the policies, two directories deep.
fn seen(dir: &Path) -> Vec<Seen> {
    let mut all = Vec::new();
    look(dir, 2, &mut all);
    all.sort_unstable();
    all
}

fn look(dir: &Path, deep: u32, all: &mut Vec<Seen>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        // A link is what it leads to.
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        if all.len() >= MAX_FILES {
            return;
        }
        if meta.is_dir() {
            if deep > 0 && entry.file_name() != "policy" {
                look(&path, deep - 1, all);
            }
            continue;
        }
        all.push(Seen::of(path, &meta));
    }
}

impl Seen {
    fn of(path: std::path::PathBuf, meta: &Metadata) -> Self {
        Self {
            path,
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}
