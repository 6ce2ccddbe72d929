//! `directory`: how the drop directory is watched.

use common::config::Span;
use serde::Deserialize;
use std::time::Duration;

/// `directory`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Directory {
    /// How long a file must stand still, or be gone, before it is taken for written, or deleted. One that is closed
    /// after writing or renamed in need not wait.
    pub settle: Span,
    /// How often the directory is listed when nothing is heard of it.
    pub rescan: Span,
    /// Whether a dropped package may replace a higher version.
    pub allow_downgrade: bool,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            settle: Span(Duration::from_secs(1)),
            rescan: Span(Duration::from_secs(10)),
            allow_downgrade: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, SettingsError};

    #[test]
    fn times_are_longer_than_nothing() {
        let with = |text: &str| Config::parse("c", &format!("plugin_manager: {{ directory: {{ {text} }} }}"));
        assert!(with("allow_downgrade: true").unwrap().directory.allow_downgrade);
        for key in ["settle", "rescan"] {
            let refused = with(&format!("{key}: 0s")).unwrap_err();
            let SettingsError::Text(place) = refused else { panic!("{refused}") };
            assert!(place.to_string().contains(&format!("directory.{key}: must be longer")), "{place}");
        }
    }
}
