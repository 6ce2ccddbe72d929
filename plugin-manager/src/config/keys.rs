//! `keys`: when the host warns of what runs out.

use common::config::Span;
use serde::Deserialize;
use std::time::Duration;

/// `keys`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// How long before their last day certificates and revocation lists are warned of.
    pub warn_before: Span,
}

impl Default for Keys {
    fn default() -> Self {
        Self { warn_before: Span(Duration::from_secs(30 * 86_400)) }
    }
}
