//! The policy files of an open host: whether they changed since they were last read, and what is wrong with those that
//! could not be put in force.

use super::host::Host;
use super::manager::PluginManager;
use super::report::Probe;
use super::sources;
use crate::syscall::text::escaped;
use common::error::ForgeError;
use microkernel::trust::PolicySource;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells two states of a file apart without reading it: device, inode, size, time of change in nanoseconds.
type Stamp = (u64, u64, u64, i64, i64);

/// The state of a policy directory; `None` of one that cannot be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Option<BTreeMap<OsString, Option<Stamp>>>);

impl Stamps {
    /// As the directory is now. Looks at no more files than a host reads.
    pub fn of(dir: &Path) -> Self {
        let stamp = |path: &Path| {
            let m = std::fs::metadata(path).ok()?;
            Some((m.dev(), m.ino(), m.len(), m.ctime(), m.ctime_nsec()))
        };
        let Ok(entries) = std::fs::read_dir(dir) else { return Self(None) };
        let policies = entries.flatten().map(|entry| entry.path());
        let policies = policies.filter(|path| path.extension().is_some_and(|e| e == "cedar"));
        let stamped = |path: std::path::PathBuf| Some((path.file_name()?.to_owned(), stamp(&path)));
        Self(Some(policies.take(crate::config::MAX_POLICIES + 1).filter_map(stamped).collect()))
    }
}

/// A set of policy files as records name it.
#[derive(Debug, Clone, Default)]
pub(super) struct PolicySet {
    /// The digest of files and names together; empty of none.
    pub digest: String,
    /// How many files.
    pub files: String,
    /// Their names, as many as a record has room for.
    pub names: String,
}

/// Bytes of the names of policy files in a record.
const NAMES_BYTES: usize = 1024;

impl PolicySet {
    /// What these files are called together.
    pub fn of(policies: &[PolicySource]) -> Self {
        let names = policies.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>().join(" ");
        Self {
            digest: sources::digest_of(policies).map(|digest| digest.to_string()).unwrap_or_default(),
            files: policies.len().to_string(),
            names: escaped(names.as_bytes(), NAMES_BYTES),
        }
    }
}

/// What is known of the policy files since the home was opened.
#[derive(Debug)]
pub(super) struct PolicyFiles(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    stamps: Stamps,
    /// The files that are in force.
    set: PolicySet,
    /// Why the files as they are now are not in force.
    refused: Option<String>,
    refusals: u64,
}

impl PolicyFiles {
    /// These files, in this state, are in force.
    pub fn in_force(stamps: Stamps, policies: &[PolicySource]) -> Self {
        Self(Mutex::new(Seen { stamps, set: PolicySet::of(policies), refused: None, refusals: 0 }))
    }

    /// The files that are in force.
    pub fn set(&self) -> PolicySet {
        self.0.lock().set.clone()
    }

    /// Others are in force from now on.
    pub fn replaced(&self, set: PolicySet) {
        self.0.lock().set = set;
    }

    /// What came of reading the files in this state.
    pub fn read(&self, stamps: Stamps, outcome: &Result<usize, ForgeError>) {
        let mut seen = self.0.lock();
        seen.stamps = stamps;
        match outcome {
            Ok(_) => seen.refused = None,
            Err(error) => {
                let reasons = error.reasons().join("; ");
                seen.refused = Some(format!("{}: {error}: {reasons}", error.code().id));
                seen.refusals = seen.refusals.saturating_add(1);
            }
        }
    }
}

impl Host {
    /// What is counted of policies, as Prometheus text.
    pub fn policies_text(&self) -> String {
        let seen = self.policy_files.0.lock();
        let families = [
            (
                "epoch",
                "Policy epoch: rises with every change of policy.",
                "gauge",
                self.bridge.evaluator().epoch(),
            ),
            (
                "stale",
                "1 when the policy files are not valid and older policies are in force.",
                "gauge",
                u64::from(seen.refused.is_some()),
            ),
            ("refused_total", "Changed policy files that were not put in force.", "counter", seen.refusals),
        ];
        let mut out = String::new();
        for (name, help, kind, value) in families {
            let name = format!("forgeone_policy_{name}");
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        out
    }
}

impl PluginManager {
    /// Puts changed policy files in force, whatever the policies in force say of it. `None` when they are as they were when they were last looked at; costs a
    /// listing of their directory then. For a program that keeps a home open: asked every 400 ms, a change is in force
    /// within half a second.
    ///
    /// # Errors
    /// As [`PluginManager::reload_policies`], told once for each change: the policies stay what they were, `doctor`
    /// and the metric `forgeone_policy_stale` say so until the files can be put in force.
    pub fn reload_changed_policies(&self) -> Option<Result<usize, ForgeError>> {
        let host = self.host();
        let now = Stamps::of(&host.home.policy_dir());
        let changed = host.policy_files.0.lock().stamps != now;
        changed.then(|| self.read_policies_again())
    }

    pub(super) fn conduct_probe(&self) -> Probe {
        let (verdict, detail) = self.host().conduct();
        Probe { name: "conduct".to_owned(), verdict, detail }
    }

    pub(super) fn policy_probe(&self) -> Probe {
        let host = self.host();
        let (epoch, refused) = (host.bridge.evaluator().epoch(), host.policy_files.0.lock().refused.clone());
        let (verdict, detail) = match refused {
            None => {
                let unread = sources::unread_policies(&host.home.policy_dir()).join(", ");
                let in_force = format!("in force since epoch {epoch}");
                match unread.is_empty() {
                    true => ("ok", in_force),
                    false => (
                        "warning",
                        format!("{in_force}; not read, for policies are files named *.cedar: {unread}"),
                    ),
                }
            }
            Some(why) => (
                "problem",
                format!("those of epoch {epoch} stay in force, for the files are not valid: {why}"),
            ),
        };
        Probe { name: "policies".to_owned(), verdict, detail }
    }
}
