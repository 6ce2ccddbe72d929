//! `reviews`: how often somebody is to look at each plugin and at the policies.

use common::config::Span;
use serde::Deserialize;
use std::time::Duration;

/// `reviews`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reviews {
    /// How long a review holds; and how long what was never reviewed may wait for the first.
    pub every: Span,
}

impl Default for Reviews {
    /// A quarter of a year.
    fn default() -> Self {
        Self { every: Span(Duration::from_secs(90 * 24 * 3600)) }
    }
}

impl Reviews {
    /// The key of the first value out of its range, and what it may be.
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let range = Duration::from_secs(1)..=Duration::from_secs(3650 * 24 * 3600);
        (!range.contains(&self.every.0)).then_some(("every", "must be 1s to 3650d"))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, SettingsError};
    use std::time::Duration;

    #[test]
    fn a_review_holds_for_a_quarter_unless_the_operator_says_otherwise() {
        let with = |text: &str| Config::parse("c", &format!("plugin_manager: {{ reviews: {{ {text} }} }}"));
        assert_eq!(Config::default().reviews.every.0, Duration::from_secs(7_776_000));
        assert_eq!(with("every: 30d").unwrap().reviews.every.0, Duration::from_secs(2_592_000));
        for bad in ["every: 0s", "every: 3651d"] {
            let SettingsError::Text(place) = with(bad).unwrap_err() else { panic!("{bad}") };
            assert!(place.to_string().contains("reviews.every: must be 1s to 3650d"), "{place}");
        }
    }
}
