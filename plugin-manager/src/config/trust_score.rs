//! `trust_score`: how far what a plugin does changes how far it is trusted.

use common::config::Span;
use serde::Deserialize;
use std::time::Duration;

/// What becomes of a plugin whose class falls to `quarantined`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnQuarantined {
    /// It is taken out of service until an operator releases it.
    Quarantine,
    /// It goes on; the class is told, recorded and seen by policies.
    Tell,
}

/// `trust_score`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrustScore {
    /// Points of a plugin whose signature was judged, which it starts with and never exceeds.
    pub attested: u32,
    /// Points of one whose signature was not.
    pub unattested: u32,
    /// Below so many points a plugin's class is `reduced`.
    pub reduced_below: u32,
    /// Below so many it is `quarantined`.
    pub quarantined_below: u32,
    /// Points that come back in an hour.
    pub recovery: u32,
    /// What findings cost, as a percentage of the built-in costs; with 0 nothing costs anything.
    pub severity: u32,
    /// For so long after its first host call a plugin's rates are only learnt.
    pub learning: Span,
    /// A rate is out of the ordinary beyond so many times the usual one and its usual spread together.
    pub factor: u32,
    /// No rate below so many calls a minute is.
    pub least: u32,
    /// What becomes of a plugin whose class falls to `quarantined`.
    pub on_quarantined: OnQuarantined,
}

impl Default for TrustScore {
    fn default() -> Self {
        Self {
            attested: 100,
            unattested: 80,
            reduced_below: 60,
            quarantined_below: 20,
            recovery: 10,
            severity: 100,
            learning: Span(Duration::from_secs(3600)),
            factor: 8,
            least: 100,
            on_quarantined: OnQuarantined::Quarantine,
        }
    }
}

impl TrustScore {
    /// The key of the first value out of its range, and what it may be.
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let ranges = [
            ("attested", self.attested <= 100, "must be 0 to 100"),
            ("unattested", self.unattested <= 100, "must be 0 to 100"),
            ("reduced_below", self.reduced_below <= 100, "must be 0 to 100"),
            ("quarantined_below", self.quarantined_below <= 100, "must be 0 to 100"),
            ("recovery", self.recovery <= 6000, "must be 0 to 6000"),
            ("severity", self.severity <= 1000, "must be 0 to 1000, a percentage"),
            ("factor", (2..=1000).contains(&self.factor), "must be 2 to 1000"),
            ("least", self.least >= 1, "must be at least 1"),
        ];
        ranges.into_iter().find_map(|(key, valid, problem)| (!valid).then_some((key, problem)))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, OnQuarantined, SettingsError};

    #[test]
    fn values_are_in_range() {
        let with =
            |text: &str| Config::parse("c", &format!("plugin_manager: {{ trust_score: {{ {text} }} }}"));
        let own = with("severity: 0, on_quarantined: tell, learning: 5m").unwrap().trust_score;
        assert_eq!((own.severity, own.on_quarantined), (0, OnQuarantined::Tell));
        for (text, key) in [
            ("attested: 101", "attested"),
            ("unattested: 101", "unattested"),
            ("reduced_below: 101", "reduced_below"),
            ("quarantined_below: 101", "quarantined_below"),
            ("recovery: 6001", "recovery"),
            ("severity: 1001", "severity"),
            ("factor: 1", "factor"),
            ("least: 0", "least"),
        ] {
            let SettingsError::Text(place) = with(text).unwrap_err() else { panic!("{text}") };
            assert!(place.to_string().contains(&format!("trust_score.{key}: must be")), "{place}");
        }
    }
}
