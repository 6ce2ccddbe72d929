//! `limits`: what plugins may ask of the host in a second.

use serde::Deserialize;

/// `limits`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Counted host calls of one plugin a second, for long; for a moment ten times as many.
    pub host_calls_per_second: u32,
    /// Recorded host calls of one plugin a second, for long; for a moment ten times as many.
    pub effects_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { host_calls_per_second: 10_000_000, effects_per_second: 100_000 }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use common::error::ForgeError;

    #[test]
    fn rates_are_at_least_one() {
        let with = |text: &str| Config::parse("c", &format!("plugin_manager: {{ limits: {{ {text} }} }}"));
        assert_eq!(with("effects_per_second: 5").unwrap().limits.effects_per_second, 5);
        for key in ["host_calls_per_second", "effects_per_second"] {
            let refused = ForgeError::from(with(&format!("{key}: 0")).unwrap_err()).to_string();
            assert!(refused.contains(&format!("limits.{key}: must be at least 1")), "{refused}");
        }
    }
}
