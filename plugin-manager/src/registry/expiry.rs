//! What ends of the keys and the trust of a home: for `doctor`, metrics, and whoever lists or uses keys.

use super::host::Host;
use super::report::Probe;
use super::sources;
use crate::attestation::{Ending, TrustRoot, pem_to_der};
use common::error::ForgeError;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Certificates of publishers that are looked at, and lines of metrics, at most.
const MOST: usize = 256;

/// What ends of a home's own certificates and of what it trusts, the soonest first. A certificate that cannot be read
/// is passed over: who uses it is told.
pub(crate) fn endings(home: &Path, trust: Option<&TrustRoot>) -> Vec<Ending> {
    let keys = home.join("keys");
    let mut all: Vec<Ending> = [
        ("authority", "own".to_owned(), keys.join("authority.cert.pem")),
        ("timestamp authority", "own".to_owned(), keys.join("notary/timestamps.cert.pem")),
    ]
    .into_iter()
    .chain(publishers(&keys.join("publishers")))
    .filter_map(|(what, name, path)| {
        let der = pem_to_der(&std::fs::read(path).ok()?).ok()?;
        Ending::of_certificate(what, &name, &der).ok()
    })
    .collect();
    all.extend(trust.map(TrustRoot::endings).unwrap_or_default());
    let mut seen = BTreeSet::new();
    all.retain(|ending| seen.insert(ending.digest));
    all.sort_by(|a, b| (a.at_ns, a.what, &a.name).cmp(&(b.at_ns, b.what, &b.name)));
    all
}

/// The certificates of publishers and signers, by name.
fn publishers(dir: &Path) -> Vec<(&'static str, String, PathBuf)> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = files.filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".cert.pem")?.to_owned();
        Some(("publisher", name, path))
    });
    named.take(MOST).collect()
}

/// What ends soon of a home, by its configuration; a trust configuration that cannot be read ends nothing.
///
/// # Errors
/// Why the configuration cannot be read.
pub(crate) fn ending_soon(
    home: &Path,
    config: Option<&Path>,
    now_ns: u64,
) -> Result<Vec<Ending>, ForgeError> {
    let within = warned_within(home, config)?;
    let trust = sources::trust(&home.join("trust")).ok().flatten();
    let all = endings(home, trust.as_ref());
    Ok(all.into_iter().filter(|ending| ending.is_within(now_ns, within)).collect())
}

/// How long before its last moment something is warned of, in nanoseconds.
///
/// # Errors
/// Why the configuration cannot be read.
pub(crate) fn warned_within(home: &Path, config: Option<&Path>) -> Result<u64, ForgeError> {
    Ok(nanos(sources::config(home, config)?.keys.warn_before.0))
}

fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

impl Host {
    fn endings(&self) -> Vec<Ending> {
        let judge = self.judge();
        endings(self.home.path(), judge.as_ref().ok().and_then(|office| office.1.verifier().trust()))
    }

    /// Whether anything ends soon.
    pub fn expiry_probe(&self) -> Probe {
        let name = "certificates".to_owned();
        let (now, within) = (self.clock.wall_ns(), nanos(self.config.keys.warn_before.0));
        let soon: Vec<Ending> = self.endings().into_iter().filter(|e| e.is_within(now, within)).collect();
        let line = |e: &Ending| {
            let (verb, day) = (if e.at_ns <= now { "ended" } else { "ends" }, day(e.at_ns));
            format!("{} {} {verb} {day}", e.what, e.name)
        };
        match soon.len() {
            0 => Probe { name, verdict: "ok", detail: "nothing ends soon".to_owned() },
            _ => {
                let lines: Vec<String> = soon.iter().take(8).map(line).collect();
                let more = soon.len().saturating_sub(lines.len());
                let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                // A publisher that signs no more is no problem of a host; what it trusts by is.
                let ended = soon.iter().any(|e| e.at_ns <= now && e.what != "publisher");
                let verdict = if ended { "problem" } else { "warning" };
                Probe { name, verdict, detail: format!("{}{more}", lines.join("; ")) }
            }
        }
    }

    /// Whether the authority's key lies open in a home that packages are trusted by.
    pub fn authority_key_probe(&self) -> Option<Probe> {
        let text = std::fs::read_to_string(self.home.keys_dir().join("authority.key.pem")).ok()?;
        let name = "authority key".to_owned();
        if crate::attestation::is_protected(&text) {
            return Some(Probe { name, verdict: "ok", detail: "has a passphrase".to_owned() });
        }
        let verdict =
            if self.config.environment == crate::config::Environment::Production { "warning" } else { "ok" };
        let detail = "keys/authority.key.pem has no passphrase: whoever reads it can sign as any publisher; \
             `forgeone keys protect` gives it one, and a host that runs plugins does not need it at all";
        Some(Probe { name, verdict, detail: detail.to_owned() })
    }

    /// The last moments of certificates and lists, as Prometheus text: the soonest 256.
    pub fn expiry_text(&self) -> String {
        let name = "forgeone_expiry_timestamp_seconds";
        let mut out = format!(
            "# HELP {name} Last moment of a certificate or revocation list, in seconds since 1970.\n# TYPE {name} gauge\n"
        );
        for ending in self.endings().iter().take(MOST) {
            let owner = ending.name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ");
            let seconds = ending.at_ns / 1_000_000_000;
            let _ = writeln!(out, "{name}{{what=\"{}\",name=\"{owner}\"}} {seconds}", ending.what);
        }
        out
    }
}

/// The day of a moment, RFC 3339.
fn day(ns: u64) -> String {
    let text = crate::attestation::rfc3339(ns / 1_000_000_000);
    text.split('T').next().unwrap_or_default().to_owned()
}
