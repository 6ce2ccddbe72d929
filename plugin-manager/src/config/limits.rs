//! `limits`: what plugins may ask of the host in a second, and how many calls may wait or run at once.

use serde::Deserialize;

/// `limits`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Counted host calls of one plugin a second, for long; for a moment ten times as many.
    pub host_calls_per_second: u32,
    /// Recorded host calls of one plugin a second, for long; at once those of a minute.
    pub effects_per_second: u32,
    /// Calls that may wait for an instance of one plugin; more are refused.
    pub queue_length: u32,
    /// Threads that run calls made with `call_async`; twice the machine's cores when not set.
    pub call_threads: Option<u32>,
    /// Calls made with `call_async` that may wait for a thread; more are refused.
    pub call_queue: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            host_calls_per_second: 10_000_000,
            effects_per_second: 1_000,
            queue_length: 1024,
            call_threads: None,
            call_queue: 4096,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, SettingsError};

    #[test]
    fn rates_are_at_least_one() {
        let with = |text: &str| Config::parse("c", &format!("plugin_manager: {{ limits: {{ {text} }} }}"));
        assert_eq!(with("effects_per_second: 5").unwrap().limits.effects_per_second, 5);
        for key in ["host_calls_per_second", "effects_per_second"] {
            let refused = with(&format!("{key}: 0")).unwrap_err();
            let SettingsError::Text(place) = refused else { panic!("{refused}") };
            assert!(place.to_string().contains(&format!("limits.{key}: must be at least 1")), "{place}");
        }
    }
}
