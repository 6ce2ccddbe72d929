//! What may be typed of trials.

use clap::Args;
use common::config::Span;
use plugin_manager::{Percent, Trial, TrialKind};

/// How a version is tried before it takes the installed one's place.
#[derive(Debug, Args)]
#[command(next_help_heading = "Trial, in a host that stays up")]
pub struct Try {
    /// Give this part of the calls to the new version first, for example 10%
    #[arg(long, value_name = "SHARE", group = "kind_of_trial")]
    canary: Option<Percent>,
    /// Repeat calls in the new version first: its answers and effects go nowhere
    #[arg(long, group = "kind_of_trial")]
    shadow: bool,
    /// Calls the new version has to answer
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, requires = "kind_of_trial")]
    calls: u64,
    /// Judge after this time even when there were fewer calls
    #[arg(long = "for", value_name = "TIME", requires = "kind_of_trial")]
    time: Option<Span>,
    /// How much more of its calls may fail than of the installed version's
    #[arg(long, value_name = "SHARE", default_value = "1%", requires = "kind_of_trial")]
    max_errors: Percent,
    /// How long its calls may take, in percent of the installed version's (95th percentile)
    #[arg(long, value_name = "PERCENT", default_value_t = 200, requires = "kind_of_trial")]
    max_latency: u32,
    /// Host calls that may be denied to it beyond those denied to the installed version
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "kind_of_trial")]
    max_denials: u64,
    /// How much of its answers may differ, with --shadow
    #[arg(long, value_name = "SHARE", requires = "shadow")]
    max_different: Option<Percent>,
}

impl Try {
    /// The trial that is asked for, if one is.
    pub fn trial(&self) -> Option<Trial> {
        let kind = match self.canary {
            Some(share) => TrialKind::Share(share),
            None if self.shadow => TrialKind::Shadow,
            None => return None,
        };
        Some(Trial {
            calls: self.calls,
            time: self.time.map(|time| time.0),
            max_errors: self.max_errors,
            max_latency_percent: Some(self.max_latency),
            max_denials: self.max_denials,
            max_different: self.max_different,
            ..Trial::new(kind)
        })
    }
}

#[derive(Debug, Args)]
pub struct OnTrial {
    /// The plugin
    pub name: String,
}
