//! `audit quarantine`: whether the key of a log signed the evidence of a quarantine, and what is in it.

use crate::args::AuditQuarantine;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::files;
use crate::output::{Show, write_pairs};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::crypto::{Algorithm, PublicKey};
use common::error::{ForgeError, codes};
use plugin_manager::{AuditSource, open_evidence};
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};

/// Bytes of the largest bundle there is: its parts are bounded to a few MiB.
const MOST: u64 = 16 << 20;

/// What a bundle of evidence says; all of it is signed.
#[derive(Debug, Serialize)]
struct Opened {
    plugin: String,
    version: String,
    publisher: String,
    /// The digest of the package.
    package: String,
    why: String,
    /// When, in nanoseconds since 1970.
    at_ns: u64,
    /// The policy epoch.
    epoch: u64,
    /// The policy files there were.
    policies: Vec<String>,
    /// What was granted.
    granted: Vec<String>,
    /// Records of the log that name the plugin.
    records: usize,
    /// Bytes of its saved state; `null` when there was none.
    state: Option<u64>,
}

impl Opened {
    fn of(statement: &Value) -> Self {
        let at = |pointer: &str| statement.pointer(pointer);
        let text = |pointer: &str| at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |pointer: &str| at(pointer).and_then(Value::as_u64);
        let list = |pointer: &str| at(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        let told = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = |file: &Value| file.get("name").map(told).unwrap_or_default();
        Self {
            plugin: text("/predicate/plugin/name"),
            version: text("/predicate/plugin/version"),
            publisher: text("/predicate/plugin/publisher"),
            package: format!("sha256:{}", text("/subject/0/digest/sha256")),
            why: text("/predicate/why"),
            at_ns: number("/predicate/at_ns").unwrap_or_default(),
            epoch: number("/predicate/policy/epoch").unwrap_or_default(),
            policies: list("/predicate/policy/files").iter().map(name).collect(),
            granted: list("/predicate/granted").iter().map(told).collect(),
            records: list("/predicate/records").len(),
            state: number("/predicate/state/bytes"),
        }
    }
}

impl Show for Opened {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let none_or = |all: &[String]| if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        let policies = format!("epoch {}, {}", self.epoch, none_or(&self.policies));
        write_pairs(
            out,
            &[
                ("signature", "holds".to_owned()),
                ("plugin", format!("{} {} of {}", self.plugin, self.version, self.publisher)),
                ("package", self.package.clone()),
                ("quarantined", format!("{} ns since 1970", self.at_ns)),
                ("why", one_line(&self.why)),
                ("policies", one_line(&policies)),
                ("granted", one_line(&none_or(&self.granted))),
                ("records", format!("{} of the log name it", self.records)),
                ("state", self.state.map_or("none".to_owned(), |bytes| format!("{bytes} bytes"))),
            ],
        )
    }
}

/// Runs `audit quarantine`.
///
/// # Errors
/// E1202 for what is no bundle, E1204 when the key did not sign it; E5008 when there is no such file, or the home has
/// no log; E0101 for a key that is none.
pub(super) fn run(context: &Context, args: &AuditQuarantine) -> Result<(), Failure> {
    let key = match &args.key {
        Some(text) => verifier_key(text)?,
        None => AuditSource::of(context.home())?.key,
    };
    let statement = open_evidence(&files::read(&args.file, MOST)?, &key).map_err(ForgeError::from)?;
    let value: Value = serde_json::from_slice(&statement).map_err(|e| {
        ForgeError::new(&codes::E1202, "what is signed is no statement").reason(e.to_string())
    })?;
    if let Some(file) = &args.output {
        files::write(file, &statement, 0o600)?;
    }
    context.output().show(&Opened::of(&value))
}

/// The key of `name+id+key`, which a log's checkpoints are verified with.
fn verifier_key(text: &str) -> Result<PublicKey, ForgeError> {
    let bytes = text.splitn(3, '+').nth(2).and_then(|key| STANDARD.decode(key).ok());
    let raw = bytes.as_deref().and_then(|bytes| bytes.split_first()).filter(|(kind, _)| **kind == 1);
    let key = raw.and_then(|(_, raw)| PublicKey::from_raw(Algorithm::Ed25519, raw).ok());
    key.ok_or_else(|| {
        ForgeError::new(&codes::E0101, "the key is no verifier key of a log")
            .with_help("`forgeone audit verify` in the home of that log shows it")
    })
}
