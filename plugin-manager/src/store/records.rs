//! What the home keeps of a plugin, and its versioned form as a row.

use super::StoreError;
use common::identity::{Digest, Name, Publisher};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema of the rows this build writes and reads.
const ROW: u64 = 1;

/// The state a plugin should be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Desired {
    /// Up.
    Running,
    /// Down.
    Stopped,
    /// Up, answering no calls.
    Paused,
}

impl Desired {
    /// The word shown and stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
        }
    }
    /// The state of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Stopped, Self::Paused].into_iter().find(|d| d.name() == name)
    }
}

/// What an installation records; the home adds the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlugin {
    /// Its name; one plugin of a name is installed at a time.
    pub name: Name,
    /// Its publisher.
    pub publisher: Publisher,
    /// Its version, strict semver.
    pub version: String,
    /// The digest of the package file.
    pub package: Digest,
    /// The digest of the manifest.
    pub manifest: Digest,
    /// The state it should be in.
    pub desired: Desired,
    /// The engine it runs on.
    pub engine: String,
    /// Further facts the hall keeps about it (signer, checks, enforcement), as name and value.
    pub facts: BTreeMap<String, String>,
}

/// An installed plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPlugin {
    /// What was installed.
    pub plugin: NewPlugin,
    /// When, in nanoseconds since 1970.
    pub installed_at_ns: u64,
    /// Why it is `Failed`, when it is.
    pub failure: Option<String>,
}

/// What becomes of a plugin's private data (files, stored values, saved state) when it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateData {
    /// Kept for a later installation of the same publisher and name.
    Keep,
    /// Erased.
    Erase,
}

/// What `state_save` wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedState {
    /// The version of the plugin that saved it.
    pub version: String,
    /// When, in nanoseconds since 1970.
    pub saved_at_ns: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The owner of private data: publisher and name together, as `publisher/name`.
pub fn namespace(publisher: &Publisher, name: &Name) -> String {
    format!("{publisher}/{name}")
}

#[derive(Serialize, Deserialize)]
struct Version {
    v: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    v: u64,
    name: String,
    publisher: String,
    version: String,
    package: String,
    manifest: String,
    desired: String,
    engine: String,
    facts: BTreeMap<String, String>,
    installed_at_ns: u64,
    failure: Option<String>,
}

impl InstalledPlugin {
    /// The row of this record.
    pub(super) fn to_row(&self) -> Result<Vec<u8>, StoreError> {
        let p = &self.plugin;
        let row = Row {
            v: ROW,
            name: p.name.to_string(),
            publisher: p.publisher.to_string(),
            version: p.version.clone(),
            package: p.package.to_string(),
            manifest: p.manifest.to_string(),
            desired: p.desired.name().to_owned(),
            engine: p.engine.clone(),
            facts: p.facts.clone(),
            installed_at_ns: self.installed_at_ns,
            failure: self.failure.clone(),
        };
        serde_json::to_vec(&row).map_err(|e| damaged(p.name.as_str(), e))
    }

    /// The record of this row, which is stored under `name`.
    pub(super) fn from_row(name: &str, bytes: &[u8]) -> Result<Self, StoreError> {
        let version: Version = serde_json::from_slice(bytes).map_err(|e| damaged(name, e))?;
        if version.v != ROW {
            let what = format!("the record of plugin {name}");
            return Err(StoreError::Schema { what, found: version.v, supported: ROW });
        }
        let row: Row = serde_json::from_slice(bytes).map_err(|e| damaged(name, e))?;
        row.parse().map_err(|e| damaged(name, e))
    }
}

impl Row {
    fn parse(self) -> Result<InstalledPlugin, serde_json::Error> {
        use serde::de::Error as _;
        let desired = Desired::from_name(&self.desired);
        let plugin = NewPlugin {
            name: self.name.parse().map_err(serde_json::Error::custom)?,
            publisher: self.publisher.parse().map_err(serde_json::Error::custom)?,
            version: self.version,
            package: self.package.parse().map_err(serde_json::Error::custom)?,
            manifest: self.manifest.parse().map_err(serde_json::Error::custom)?,
            desired: desired.ok_or_else(|| serde_json::Error::custom("unknown desired state"))?,
            engine: self.engine,
            facts: self.facts,
        };
        Ok(InstalledPlugin { plugin, installed_at_ns: self.installed_at_ns, failure: self.failure })
    }
}

fn damaged(name: &str, source: serde_json::Error) -> StoreError {
    StoreError::Damaged { what: format!("plugin {name}"), source }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use common::error::{Coded, codes};

    pub(in crate::store) fn plugin(name: &str, version: &str, package: &[u8]) -> NewPlugin {
        NewPlugin {
            name: Name::new(name).unwrap(),
            publisher: Name::new("acme").unwrap(),
            version: version.into(),
            package: Digest::of(package),
            manifest: Digest::of(b"manifest"),
            desired: Desired::Running,
            engine: "wasmtime".into(),
            facts: BTreeMap::from([("signer".into(), "acme release".into())]),
        }
    }

    #[test]
    fn a_record_survives_its_row() {
        for desired in [Desired::Running, Desired::Stopped, Desired::Paused] {
            let plugin = NewPlugin { desired, ..plugin("a", "1.0.0", b"p") };
            let record = InstalledPlugin { plugin, installed_at_ns: 7, failure: Some("init: 3".into()) };
            assert_eq!(InstalledPlugin::from_row("a", &record.to_row().unwrap()).unwrap(), record);
        }
    }

    #[test]
    fn rows_of_other_versions_and_damaged_rows_are_told_apart() {
        let newer = br#"{"v":2,"anything":true}"#;
        assert_eq!(InstalledPlugin::from_row("a", newer).unwrap_err().code(), &codes::E0106);
        let record =
            InstalledPlugin { plugin: plugin("a", "1.0.0", b"p"), installed_at_ns: 7, failure: None };
        let text = String::from_utf8(record.to_row().unwrap()).unwrap();
        for (from, to) in [("running", "flying"), ("sha256:", "md5:"), ("acme", "../x"), ("{", "")] {
            let row = text.replacen(from, to, 1);
            assert_eq!(InstalledPlugin::from_row("a", row.as_bytes()).unwrap_err().code(), &codes::E0003);
        }
    }
}
