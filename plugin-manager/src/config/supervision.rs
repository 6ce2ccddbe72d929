//! `supervision`: how plugins are kept up, for all of them and for one. What is not said of one is as for all.

use super::Config;
use common::config::Span;
use serde::Deserialize;
use std::time::Duration;

/// Restarts a budget may have.
const MAX_RESTARTS: u32 = 1000;

/// Which plugins that failed are started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// None.
    Never,
    /// Those that fail while they are supervised.
    OnFailure,
    /// Those too that were `Failed` when supervision began.
    Always,
}

/// What becomes of a plugin that fails when its budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBudgetSpent {
    /// `Failed`, until an operator starts it.
    Fail,
    /// `Quarantined`, until an operator releases it.
    Quarantine,
}

/// What becomes of plugins that need one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dependents {
    /// They are paused until it is back.
    Pause,
    /// They go on, and the failure is told as an event.
    Tell,
}

/// What is looked at in a plugin that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusCheck {
    /// Its calls: it is unwell when there were some since the last check, and all of them failed.
    Calls,
}

/// `backoff`, as far as it is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffSection {
    /// The wait before the first restart.
    pub first: Option<Span>,
    /// The longest wait.
    pub max: Option<Span>,
    /// The percentage of a wait that chance may take off it.
    pub jitter: Option<u8>,
}

/// `budget`, as far as it is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetSection {
    /// How many restarts there may be.
    pub restarts: Option<u32>,
    /// In how long.
    pub within: Option<Span>,
}

/// `health`, as far as it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthSection {
    /// The operation that is called with no input, and returns 0 when the plugin is well.
    pub operation: Option<String>,
    /// What is looked at beside it, or without it.
    pub status: Option<StatusCheck>,
    /// How often.
    pub every: Option<Span>,
    /// How long the operation may take.
    pub timeout: Option<Span>,
    /// How many failures in a row make it a failure of the plugin.
    pub failures: Option<u32>,
}

/// `supervision`, as far as it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupervisionSection {
    /// Whether what fails is started again.
    pub restart: Option<Restart>,
    /// After how long.
    pub backoff: BackoffSection,
    /// How often.
    pub budget: BudgetSection,
    /// What becomes of it after that.
    pub on_budget_spent: Option<OnBudgetSpent>,
    /// How it is seen whether it is well.
    pub health: HealthSection,
    /// What becomes of those that need it.
    pub dependents: Option<Dependents>,
}

/// How it is seen whether a plugin is well. With neither it is well while it runs; with both it is when both say so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthCheck {
    /// By calling this operation.
    pub operation: Option<String>,
    /// By looking.
    pub status: Option<StatusCheck>,
}

impl HealthCheck {
    /// Whether there is none.
    pub const fn is_none(&self) -> bool {
        self.operation.is_none() && self.status.is_none()
    }
}

/// How one plugin is kept up, everything said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervision {
    /// Whether it is started again.
    pub restart: Restart,
    /// The wait before the first restart.
    pub backoff_first: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
    /// The percentage of a wait that chance may take off it.
    pub jitter: u8,
    /// How many restarts there may be.
    pub restarts: u32,
    /// In how long.
    pub within: Duration,
    /// What becomes of it after that.
    pub on_budget_spent: OnBudgetSpent,
    /// How it is seen whether it is well.
    pub check: HealthCheck,
    /// How often.
    pub every: Duration,
    /// How long the check may take.
    pub timeout: Duration,
    /// How many failures in a row are one of the plugin.
    pub failures: u32,
    /// What becomes of those that need it.
    pub dependents: Dependents,
}

impl SupervisionSection {
    /// The path of the first value out of its range, and what it may be.
    pub(super) fn problem(&self) -> Option<(Vec<&'static str>, &'static str)> {
        let zero = |span: Option<Span>| span.is_some_and(|span| span.0.is_zero());
        let (b, h) = (&self.backoff, &self.health);
        let ranges = [
            (vec!["backoff", "first"], zero(b.first), "must be longer than nothing"),
            (vec!["backoff", "max"], zero(b.max), "must be longer than nothing"),
            (vec!["backoff", "jitter"], b.jitter.is_some_and(|j| j > 100), "must be 0 to 100, a percentage"),
            (
                vec!["budget", "restarts"],
                self.budget.restarts.is_some_and(|r| r > MAX_RESTARTS),
                "must be 0 to 1000",
            ),
            (vec!["budget", "within"], zero(self.budget.within), "must be longer than nothing"),
            (vec!["health", "every"], zero(h.every), "must be longer than nothing"),
            (vec!["health", "timeout"], zero(h.timeout), "must be longer than nothing"),
            (vec!["health", "failures"], h.failures == Some(0), "must be at least 1"),
            (
                vec!["health", "operation"],
                h.operation.as_ref().is_some_and(|o| o.is_empty() || o.len() > 255),
                "must be the name of an operation",
            ),
        ];
        ranges.into_iter().find_map(|(path, wrong, problem)| wrong.then_some((path, problem)))
    }
}

impl Config {
    /// How this plugin is kept up: by its own section, else by the host's, else by the defaults.
    ///
    /// ```
    /// use plugin_manager::config::{Config, Restart};
    /// let text = "plugin_manager: { supervision: { restart: never }, plugins: { a: { supervision: { restart: always } } } }";
    /// let config = Config::parse("x.yaml", text).unwrap();
    /// assert_eq!((config.supervision_of("a").restart, config.supervision_of("b").restart), (Restart::Always, Restart::Never));
    /// ```
    pub fn supervision_of(&self, plugin: &str) -> Supervision {
        let (all, none) = (&self.supervision, SupervisionSection::default());
        let own = self.plugins.get(plugin).map_or(&none, |section| &section.supervision);
        let span = |own: Option<Span>, all: Option<Span>, default: Duration| {
            own.or(all).map_or(default, |span| span.0)
        };
        let (first, max) = (Duration::from_secs(1), Duration::from_secs(60));
        Supervision {
            restart: own.restart.or(all.restart).unwrap_or(Restart::OnFailure),
            backoff_first: span(own.backoff.first, all.backoff.first, first),
            backoff_max: span(own.backoff.max, all.backoff.max, max),
            jitter: own.backoff.jitter.or(all.backoff.jitter).unwrap_or(20),
            restarts: own.budget.restarts.or(all.budget.restarts).unwrap_or(5),
            within: span(own.budget.within, all.budget.within, Duration::from_secs(600)),
            on_budget_spent: own.on_budget_spent.or(all.on_budget_spent).unwrap_or(OnBudgetSpent::Fail),
            check: HealthCheck {
                operation: own.health.operation.clone().or_else(|| all.health.operation.clone()),
                status: own.health.status.or(all.health.status),
            },
            every: span(own.health.every, all.health.every, Duration::from_secs(30)),
            timeout: span(own.health.timeout, all.health.timeout, Duration::from_secs(5)),
            failures: own.health.failures.or(all.health.failures).unwrap_or(3),
            dependents: own.dependents.or(all.dependents).unwrap_or(Dependents::Pause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SettingsError;

    fn parse(text: &str) -> Result<Config, SettingsError> {
        Config::parse("c", &format!("plugin_manager: {{ {text} }}"))
    }

    #[test]
    fn what_is_said_of_one_plugin_stands_before_what_is_said_of_all_and_that_before_the_defaults() {
        let config = parse(
            "supervision: { backoff: { first: 2s, jitter: 0 }, health: { status: calls }, dependents: tell }, \
             plugins: { a: { supervision: { backoff: { first: 5s }, health: { operation: ping, failures: 1 }, \
             on_budget_spent: quarantine, budget: { restarts: 0 } } } }",
        )
        .unwrap();
        let (a, b) = (config.supervision_of("a"), config.supervision_of("b"));
        assert_eq!((a.backoff_first.as_secs(), a.jitter, a.restarts), (5, 0, 0));
        let both = HealthCheck { operation: Some("ping".into()), status: Some(StatusCheck::Calls) };
        assert_eq!((a.check, a.failures), (both, 1));
        assert_eq!((a.on_budget_spent, a.dependents), (OnBudgetSpent::Quarantine, Dependents::Tell));
        assert_eq!((b.backoff_first.as_secs(), b.backoff_max.as_secs(), b.restarts), (2, 60, 5));
        assert_eq!((b.check.operation, b.check.status, b.failures), (None, Some(StatusCheck::Calls), 3));
        assert!(Config::default().supervision_of("a").check.is_none());
    }

    #[test]
    fn values_out_of_range_and_unknown_words_are_refused_with_their_place() {
        for (text, at) in [
            ("backoff: { first: 0s }", "supervision.backoff.first"),
            ("backoff: { jitter: 101 }", "supervision.backoff.jitter"),
            ("budget: { restarts: 1001 }", "supervision.budget.restarts"),
            ("budget: { within: 0ms }", "supervision.budget.within"),
            ("health: { failures: 0 }", "supervision.health.failures"),
            ("health: { operation: \"\" }", "supervision.health.operation"),
        ] {
            for whole in [
                format!("supervision: {{ {text} }}"),
                format!("plugins: {{ a: {{ supervision: {{ {text} }} }} }}"),
            ] {
                let SettingsError::Text(place) = parse(&whole).unwrap_err() else { panic!("{whole}") };
                assert!(place.to_string().contains(at), "{place}");
            }
        }
        assert!(parse("supervision: { restart: often }").is_err());
        assert!(parse("supervision: { restarts: 3 }").is_err());
    }
}
