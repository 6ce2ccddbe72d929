//! A version that waits for consent to the permissions it adds.

use crate::when;
use plugin_manager::PendingUpgrade;
use serde::{Deserialize, Serialize};

/// A version that waits for consent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/json.md says what each field is")]
pub struct Waiting {
    pub name: String,
    pub version: String,
    pub publisher: String,
    pub installed: String,
    pub package: String,
    pub added: Vec<String>,
    pub since: String,
}

impl From<PendingUpgrade> for Waiting {
    fn from(p: PendingUpgrade) -> Self {
        Self {
            name: p.name,
            version: p.version,
            publisher: p.publisher,
            installed: p.installed,
            package: p.package.to_string(),
            added: p.added,
            since: when::rfc3339(p.since_ns),
        }
    }
}
