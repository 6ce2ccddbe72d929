//! What is kept of a plugin when it is taken out of service: one in-toto statement, the same bytes for the same facts.
//! Collecting the facts and signing the statement are the host's part.

use super::score::{Finding, Kept};
use common::identity::Digest;
use serde_json::{Value, json};

/// What kind of statement it is.
pub const PREDICATE_TYPE: &str = "https://forgeone.dev/attestations/quarantine/v1";
/// Records kept at most, and their bytes together.
pub const MOST_RECORDS: usize = 256;
/// Bytes of kept records together.
pub const RECORD_BYTES: usize = 1 << 20;
/// Bytes of a saved state that are kept; of a larger one, its digest and length alone.
pub const STATE_BYTES: usize = 1 << 20;

/// The facts.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// The plugin, its version and its publisher.
    pub plugin: (&'a str, &'a str, &'a str),
    /// The package's bytes.
    pub package: Digest,
    /// Its manifest, which names every file of it.
    pub manifest: Digest,
    /// Why it is quarantined.
    pub why: &'a str,
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
    /// What it was trusted; `None` when nothing was seen of it.
    pub score: Option<&'a Kept>,
    /// The policy epoch, and each policy file with its digest.
    pub epoch: u64,
    /// The policy files, each with its digest.
    pub policies: &'a [(String, Digest)],
    /// What it was granted, one line each.
    pub granted: &'a [String],
    /// The last records of the log that name it, as they stand there, the oldest first.
    pub records: &'a [String],
    /// The newest checkpoint of the log at that time, as it stands there; empty when there was none yet.
    pub checkpoint: &'a str,
    /// Its saved state: the version that saved it, its digest, its length, and its bytes as base64 unless it is larger
    /// than [`STATE_BYTES`].
    pub state: Option<(&'a str, Digest, usize, Option<String>)>,
}

impl Evidence<'_> {
    /// The statement.
    pub fn statement(&self) -> Vec<u8> {
        let (name, version, publisher) = self.plugin;
        let subject = |name: String, digest: &Digest| json!({ "name": name, "digest": digest_set(digest) });
        let state = self.state.as_ref().map(|(version, digest, bytes, content)| {
            json!({ "version": version, "digest": digest_set(digest), "bytes": bytes, "content": content })
        });
        let policies: Vec<Value> =
            self.policies.iter().map(|(name, digest)| subject(name.clone(), digest)).collect();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                subject(format!("{name}-{version}.forgepkg"), &self.package),
                subject("manifest.json".to_owned(), &self.manifest),
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "plugin": { "name": name, "version": version, "publisher": publisher },
                "why": self.why,
                "at_ns": self.at_ns,
                "trust": self.score.map(trust),
                "policy": { "epoch": self.epoch, "files": policies },
                "granted": self.granted,
                "records": self.records,
                "checkpoint": self.checkpoint,
                "state": state,
            },
        });
        statement.to_string().into_bytes()
    }
}

fn trust(kept: &Kept) -> Value {
    let finding = |f: &Finding| {
        json!({ "at_ms": f.at_ms, "signal": f.signal.name(), "action": f.action, "count": f.count,
                "cost_milli": f.cost })
    };
    json!({
        "class": kept.class.name(),
        "points_milli": kept.milli,
        "since_ms": kept.since_ms,
        "findings": kept.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn digest_set(digest: &Digest) -> Value {
    let text = digest.to_string();
    json!({ "sha256": text.strip_prefix("sha256:").unwrap_or(&text) })
}

/// The last of these lines that name a plugin, the oldest first: [`MOST_RECORDS`] and [`RECORD_BYTES`] at most.
pub fn records_of(plugin: &str, lines: impl Iterator<Item = String>) -> Vec<String> {
    // Names are the contract's: no character of one is escaped in JSON.
    // A key or an event may bear the name of another plugin: only a resource that is a plugin names it.
    let actor = format!("\"plugin\":\"{plugin}\"");
    let resource = format!("\"resource\":{{\"kind\":\"plugin\",\"name\":\"{plugin}\"}}");
    let mut last = std::collections::VecDeque::new();
    let mut bytes = 0_usize;
    for line in lines.filter(|line| line.contains(&actor) || line.contains(&resource)) {
        bytes = bytes.saturating_add(line.len());
        last.push_back(line);
        while last.len() > MOST_RECORDS || bytes > RECORD_BYTES {
            let Some(first) = last.pop_front() else { break };
            bytes = bytes.saturating_sub(first.len());
        }
    }
    last.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_names_its_subjects_and_says_the_same_of_the_same_facts() {
        let digest = Digest::of(b"x");
        let evidence = Evidence {
            plugin: ("a", "1.0.0", "acme"),
            package: digest,
            manifest: digest,
            why: "because",
            at_ns: 7,
            score: None,
            epoch: 3,
            policies: &[("50-a.cedar".to_owned(), digest)],
            granted: &[],
            records: &["{}".to_owned()],
            checkpoint: "",
            state: Some(("1.0.0", digest, 1, None)),
        };
        let bytes = evidence.statement();
        assert_eq!(bytes, evidence.statement());
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let hex = value.pointer("/subject/0/digest/sha256").unwrap().as_str().unwrap();
        assert_eq!(format!("sha256:{hex}"), digest.to_string());
        assert_eq!(value.pointer("/predicate/state/bytes"), Some(&json!(1)));
        assert_eq!(value.pointer("/predicate/policy/files/0/name"), Some(&json!("50-a.cedar")));
    }

    #[test]
    fn records_are_the_last_that_name_the_plugin_within_both_bounds() {
        let line = |i: usize, name: &str| format!("{{\"seq\":{i},\"actor\":{{\"plugin\":\"{name}\"}}}}");
        let lines = (0..1000).map(|i| line(i, if i % 2 == 0 { "a" } else { "ab" }));
        let kept = records_of("a", lines);
        assert_eq!(kept.len(), MOST_RECORDS);
        assert_eq!(kept.last(), Some(&line(998, "a")));
        let long = |i: usize| format!("{}{}", line(i, "a"), "x".repeat(RECORD_BYTES / 3));
        assert_eq!(records_of("a", (0..9).map(long)).len(), 2);
        assert_eq!(records_of("b", (0..9).map(long)), Vec::<String>::new());
        let on = |kind: &str| {
            format!("{{\"actor\":{{\"plugin\":\"b\"}},\"resource\":{{\"kind\":\"{kind}\",\"name\":\"a\"}}}}")
        };
        let lines = ["plugin", "key", "event"].map(on);
        assert_eq!(records_of("a", lines.iter().cloned()), [on("plugin")], "others cannot fill it");
    }
}
