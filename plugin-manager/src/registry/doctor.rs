//! What this build and machine can and cannot do, seen by trying.

use super::manager::PluginManager;
use super::report::Probe;
use crate::plugin::PluginState;
use crate::runtime;
use common::audit::{Health, Space};
use common::error::ForgeError;
use common::words::counted;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The smallest module that is one: compiled on every engine, to see that native code can be made here.
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

impl PluginManager {
    /// Looks at the engines, the home, the log, the trust configuration and the isolation.
    pub fn doctor(&self) -> Vec<Probe> {
        let mut probes: Vec<Probe> =
            runtime::available().iter().map(|kind| self.engine_probe(*kind)).collect();
        probes.extend([
            self.home_probe(),
            keys_probe(&self.host().parts().home.keys_dir()),
            self.audit_probe(),
            self.trust_probe(),
            self.host().expiry_probe(),
            self.policy_probe(),
            self.conduct_probe(),
            self.review_probe(),
            self.directory_probe(),
            self.plugins_probe(),
            self.isolation_probe(),
        ]);
        probes.extend(self.host().authority_key_probe());
        probes.extend(self.host().natives.refused().into_iter().map(|(name, why)| Probe {
            name: format!("native plugin {name}"),
            verdict: "problem",
            detail: why,
        }));
        probes.extend(self.host().config.weakened().into_iter().map(|key| Probe {
            name: key.to_owned(),
            verdict: "warning",
            detail: "this security default is switched off".to_owned(),
        }));
        probes.extend(self.host().config.unheeded().into_iter().map(|key| Probe {
            name: key.to_owned(),
            verdict: "warning",
            detail: "this key is set, and this build does not act on it".to_owned(),
        }));
        probes
    }

    fn engine_probe(&self, kind: runtime::EngineKind) -> Probe {
        let compiled = self.host().engine(kind).and_then(|engine| {
            engine.compile(EMPTY_MODULE, false).map_err(ForgeError::from)?;
            Ok(engine.fingerprint(false))
        });
        let name = format!("engine {kind}");
        match compiled {
            Ok(fingerprint) => Probe { name, verdict: "ok", detail: format!("compiles; {fingerprint}") },
            Err(e) => Probe { name, verdict: "problem", detail: format!("{e}: {}", e.reasons().join(": ")) },
        }
    }

    fn home_probe(&self) -> Probe {
        home_probe(self.host().parts().home.path())
    }

    fn audit_probe(&self) -> Probe {
        let name = "audit log".to_owned();
        let audit = &self.host().audit;
        match (audit.flush(), audit.health()) {
            (Ok(()), Health::Scarce(Space::Low(free))) => {
                let detail = format!("records and syncs; only {free} bytes are free on its disk");
                Probe { name, verdict: "warning", detail }
            }
            (Ok(()), Health::Scarce(_)) => {
                let detail = "privileged actions are refused: its disk is nearly full".to_owned();
                Probe { name, verdict: "problem", detail }
            }
            (Ok(()), _) => Probe { name, verdict: "ok", detail: "records and syncs".to_owned() },
            (Err(e), _) => Probe { name, verdict: "problem", detail: e.to_string() },
        }
    }

    fn trust_probe(&self) -> Probe {
        let judge = self.host().judge();
        let problem = judge.as_ref().map_or_else(Some, |office| office.1.problem());
        let trust = judge.as_ref().ok().and_then(|office| office.1.verifier().trust());
        let (verdict, detail) = match (problem, trust.map(|trust| trust.anchors().len())) {
            (Some(e), _) => ("problem", format!("{e}: {}", e.reasons().join(": "))),
            (None, Some(anchors)) => ("ok", format!("{} trusted", counted(anchors, "anchor"))),
            (None, None) => {
                ("warning", "there is no trust/trust.toml: no signed package can be installed".to_owned())
            }
        };
        Probe { name: "trust".to_owned(), verdict, detail }
    }

    /// Which plugins wait for somebody: a `release`, or another try.
    fn plugins_probe(&self) -> Probe {
        let name = "plugins".to_owned();
        let rows = match self.host().rows() {
            Ok(rows) => rows,
            Err(e) => return Probe { name, verdict: "problem", detail: e.to_string() },
        };
        let out = rows.iter().filter_map(|row| match self.standing(row) {
            state @ (PluginState::Quarantined | PluginState::Failed) => {
                Some(format!("{} is {state}", row.plugin.name))
            }
            _ => None,
        });
        let out: Vec<String> = out.collect();
        match out.is_empty() {
            true => Probe { name, verdict: "ok", detail: format!("{} installed", rows.len()) },
            false => Probe {
                name,
                verdict: "warning",
                detail: format!("{}: `forgeone status` says why", out.join(", ")),
            },
        }
    }

    fn isolation_probe(&self) -> Probe {
        let demanded = self.host().config.security.namespace_isolation;
        let (verdict, detail) = if demanded {
            (
                "problem",
                "security.namespace_isolation is true and this build has no worker processes: plugins are refused (E4050)",
            )
        } else {
            (
                "warning",
                "plugins run inside the host's process: engine limits hold, there is no wall around them",
            )
        };
        Probe { name: "isolation".to_owned(), verdict, detail: detail.to_owned() }
    }
}

/// Whether nobody else can change the home.
pub(super) fn home_probe(path: &Path) -> Probe {
    let mode = std::fs::metadata(path).map(|m| m.permissions().mode() & 0o777);
    let (verdict, detail) = match mode {
        Ok(mode) if mode & 0o022 == 0 => ("ok", format!("{} has mode {mode:04o}", path.display())),
        Ok(mode) => {
            let detail =
                format!("{0} has mode {mode:04o}: others can write to it: `chmod 700 {0}`", path.display());
            ("problem", detail)
        }
        Err(e) => ("problem", format!("{} cannot be looked at: {e}", path.display())),
    };
    Probe { name: "home".to_owned(), verdict, detail }
}

/// Whether nobody else can read a private key.
pub(super) fn keys_probe(keys: &Path) -> Probe {
    let open = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
    let below = ["publishers", "retired", "notary"].map(|dir| keys.join(dir));
    let dirs = [&[keys.to_owned()][..], &below].concat();
    let all = dirs.iter().flat_map(|dir| private_keys(dir));
    let open: Vec<String> = all.filter(open).map(|path| path.display().to_string()).collect();
    let (verdict, detail) = match open.as_slice() {
        [] => ("ok", format!("nobody else can read the private keys of {}", keys.display())),
        open => ("problem", format!("others can read or change {0}: `chmod 600` it", open.join(", "))),
    };
    Probe { name: "keys".to_owned(), verdict, detail }
}

/// How the names of private keys end.
const PRIVATE: [&str; 3] = [".key.pem", ".pkcs8", ".key"];
/// Most files of a directory of keys that are looked at.
const MAX_KEYS: usize = 4096;

fn private_keys(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().take(MAX_KEYS);
    let mut keys: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    keys.retain(|path| {
        let name = path.to_string_lossy();
        PRIVATE.iter().any(|ending| name.ends_with(ending))
    });
    keys.sort_unstable();
    keys
}
