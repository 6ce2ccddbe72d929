//! How a version is tried, and what it may do worse than the installed one.

use crate::registry::error::HostError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A part of a hundred, in hundredths of a percent: `10%`, `0.5%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent(u16);

/// What is no [`Percent`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a share is 0% to 100% with at most two digits after the point, for example 0.5%")]
pub struct BadPercent;

impl Percent {
    /// The whole, in hundredths of a percent.
    const WHOLE: u16 = 10_000;
    /// None.
    pub const ZERO: Self = Self(0);
    /// All.
    pub const ALL: Self = Self(Self::WHOLE);

    /// So many percent, 0 to 100.
    pub const fn new(percent: u16) -> Option<Self> {
        if percent <= 100 { Some(Self(percent * 100)) } else { None }
    }
    /// Which part `part` is of `whole`, rounded down; none of nothing.
    pub(super) fn of(part: u64, whole: u64) -> Self {
        let hundredths = u128::from(part) * u128::from(Self::WHOLE) / u128::from(whole.max(1));
        Self(u16::try_from(hundredths).unwrap_or(Self::WHOLE).min(Self::WHOLE))
    }
    /// Both together, the whole at most.
    pub(super) fn plus(self, other: Self) -> Self {
        Self((self.0 + other.0).min(Self::WHOLE))
    }
    /// Whether the call with this number, from 0, belongs to this share. Of any 10,000 calls in a row exactly the
    /// share does, spread evenly.
    pub(super) fn takes(self, number: u64) -> bool {
        let (share, whole) = (u64::from(self.0), u64::from(Self::WHOLE));
        let n = number % whole;
        (n + 1) * share / whole > n * share / whole
    }
}

impl FromStr for Percent {
    type Err = BadPercent;
    fn from_str(text: &str) -> Result<Self, BadPercent> {
        let number = text.strip_suffix('%').ok_or(BadPercent)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(rest) || rest.len() > 2 || whole.len() > 3 {
            return Err(BadPercent);
        }
        let whole: u16 = whole.parse().map_err(|_| BadPercent)?;
        let rest: u16 = format!("{rest:0<2}").parse().map_err(|_| BadPercent)?;
        let hundredths = whole * 100 + rest;
        if hundredths <= Self::WHOLE { Ok(Self(hundredths)) } else { Err(BadPercent) }
    }
}

impl TryFrom<String> for Percent {
    type Error = BadPercent;
    fn try_from(text: String) -> Result<Self, BadPercent> {
        text.parse()
    }
}

impl From<Percent> for String {
    fn from(share: Percent) -> Self {
        share.to_string()
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, rest) if rest % 10 == 0 => write!(f, "{whole}.{}%", rest / 10),
            (whole, rest) => write!(f, "{whole}.{rest:02}%"),
        }
    }
}

/// What the version on trial is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrialKind {
    /// This part of the calls: it answers them, and what they do is done. Which calls is decided by a counter. Not for
    /// plugins that carry state, which would go two ways.
    Share(Percent),
    /// A copy of every call that the installed version has answered, after it: its own answers go nowhere, and host
    /// calls that change anything are not made for it ([`SHADOW_CALLS`](crate::syscall::SHADOW_CALLS)).
    Shadow,
}

impl fmt::Display for TrialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "share {share}"),
            Self::Shadow => f.write_str("shadow"),
        }
    }
}

/// How a version is tried before it takes the installed one's place.
///
/// It is promoted when it has answered `calls` calls, or `time` is over, and it kept within the limits; it is abandoned as
/// soon as it is known not to, and when `time` is over and it was never called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// What it is given.
    pub kind: TrialKind,
    /// Calls it has to answer, at least 1.
    pub calls: u64,
    /// How long it is tried at most, 1 s to 7 days; without it until the calls are answered.
    pub time: Option<Duration>,
    /// How much more of its calls may fail than of the installed version's in the same time.
    pub max_errors: Percent,
    /// How much of its calls may fail, whatever the installed version's do.
    pub max_errors_absolute: Option<Percent>,
    /// How long its calls may take, in percent of the installed version's at the 95th percentile: 200 is twice as
    /// long. Both are known to a quarter, and less than 1 ms more is never too long.
    pub max_latency_percent: Option<u32>,
    /// Host calls that may be denied to it beyond those denied to the installed version in the same time.
    pub max_denials: u64,
    /// How much of the answers to copied calls may differ; for [`TrialKind::Shadow`].
    pub max_different: Option<Percent>,
}

impl Trial {
    /// A trial of this kind over 1,000 calls: 1 % more failures, twice the time and no more denials are allowed.
    pub const fn new(kind: TrialKind) -> Self {
        Self {
            kind,
            calls: 1000,
            time: None,
            max_errors: Percent(100),
            max_errors_absolute: None,
            max_latency_percent: Some(200),
            max_denials: 0,
            max_different: None,
        }
    }

    /// Whether it can be held.
    pub(super) fn check(&self) -> Result<(), HostError> {
        let longest = Duration::from_secs(7 * 24 * 3600);
        if matches!(self.kind, TrialKind::Share(Percent::ZERO | Percent::ALL)) {
            return Err(HostError::Setting("a share on trial is more than 0% and less than 100%"));
        }
        if self.calls == 0 {
            return Err(HostError::Setting("a trial is over at least one call"));
        }
        if self.time.is_some_and(|time| time < Duration::from_secs(1) || time > longest) {
            return Err(HostError::Setting("a trial takes 1 second to 7 days"));
        }
        if self.max_different.is_some() && self.kind != TrialKind::Shadow {
            return Err(HostError::Setting("answers are compared of copied calls alone"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_are_read_and_written_the_same() {
        for text in ["0%", "1%", "0.5%", "0.05%", "12.34%", "100%"] {
            assert_eq!(text.parse::<Percent>().unwrap().to_string(), text);
        }
        for text in ["", "%", "10", "-1%", "+1%", "101%", "100.01%", "1.234%", "1.%", ".5%", "1 %", "1e1%"] {
            assert_eq!(text.parse::<Percent>(), Err(BadPercent), "{text}");
        }
    }

    #[test]
    fn a_tenth_is_every_tenth_call() {
        let tenth = Percent::new(10).unwrap();
        let taken: Vec<u64> = (0..40).filter(|n| tenth.takes(*n)).collect();
        assert_eq!(taken, [9, 19, 29, 39]);
        assert!((0..100).all(|n| Percent::ALL.takes(n) && !Percent::ZERO.takes(n)));
    }

    proptest! {
        #[test]
        fn of_ten_thousand_calls_exactly_the_share_is_taken(share in 0u16..=10_000, from in 0u64..1 << 40) {
            let taken = (from..from + 10_000).filter(|n| Percent(share).takes(*n)).count();
            prop_assert_eq!(taken, usize::from(share));
        }

        #[test]
        fn a_part_of_a_whole_is_a_share_of_it(part in any::<u64>(), whole in any::<u64>()) {
            prop_assert!(Percent::of(part, whole) <= Percent::ALL);
        }
    }

    #[test]
    fn what_cannot_be_held_is_refused() {
        let good = Trial::new(TrialKind::Share(Percent(1)));
        good.check().unwrap();
        for bad in [
            Trial::new(TrialKind::Share(Percent::ZERO)),
            Trial::new(TrialKind::Share(Percent::ALL)),
            Trial { calls: 0, ..good },
            Trial { time: Some(Duration::from_millis(999)), ..good },
            Trial { time: Some(Duration::from_secs(7 * 24 * 3600 + 1)), ..good },
            Trial { max_different: Some(Percent::ZERO), ..good },
        ] {
            bad.check().unwrap_err();
        }
    }
}
