//! The calls of the tests again and again, for a number of calls or a time: what fails only then.

use super::super::trial::Latencies;
use super::bench::{Bench, Ended};
use super::cases::Case;
use super::error::StagingError;
use super::report::SoakReport;
use common::error::ForgeError;
use std::time::Duration;

/// Calls of a soak at most.
pub(super) const MOST_CALLS: u64 = 1_000_000;
/// Time of a soak at most.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// After so many failures nothing is learnt from more.
const ENOUGH: u64 = 100;
/// Failures that are told one by one.
const TOLD: usize = 5;
/// Memory that grows in the second half by no more than this, or a tenth, is no leak.
const GROWTH: u64 = 1 << 20;

/// How long a soak is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoakLength {
    /// So many calls: 1 to 1,000,000.
    Calls(u64),
    /// For so long: a second to a day.
    For(Duration),
}

impl Default for SoakLength {
    fn default() -> Self {
        Self::Calls(1000)
    }
}

impl SoakLength {
    pub(super) fn checked(self) -> Result<Self, StagingError> {
        let fits = match self {
            Self::Calls(calls) => (1..=MOST_CALLS).contains(&calls),
            Self::For(time) => (Duration::from_secs(1)..=LONGEST).contains(&time),
        };
        if fits { Ok(self) } else { Err(StagingError::Length) }
    }

    /// How far a soak is that made so many calls in so long, in thousandths.
    fn done(self, calls: u64, elapsed: Duration) -> u64 {
        let (part, whole) = match self {
            Self::Calls(all) => (u128::from(calls), u128::from(all)),
            Self::For(time) => (elapsed.as_nanos(), time.as_nanos()),
        };
        u64::try_from(part.saturating_mul(1000) / whole.max(1)).unwrap_or(1000)
    }
}

/// The tests that a soak repeats: those that may be, with the settings of the first of them.
pub(super) fn repeated(cases: &[Case]) -> Result<Vec<&Case>, StagingError> {
    let first = cases.iter().find(|case| case.soak).ok_or(StagingError::NothingToSoak)?;
    Ok(cases.iter().filter(|case| case.soak && case.settings == first.settings).collect())
}

/// Soaks a plugin that passed its tests.
///
/// # Errors
/// E4031 when the run is not wanted any more; when the plugin cannot be brought up, or a setting not be made.
pub(super) fn soak(
    bench: &mut Bench<'_>,
    cases: &[&Case],
    length: SoakLength,
) -> Result<SoakReport, ForgeError> {
    let Some(first) = cases.first() else { return Err(StagingError::NothingToSoak.into()) };
    bench.set(&first.settings)?;
    let clock = bench.manager.hall().host.clock.clone();
    let (mut seen, latencies) = (SoakReport::default(), Latencies::default());
    let mut last = None;
    let began = clock.mono_ns();
    for case in cases.iter().cycle() {
        let elapsed = Duration::from_nanos(clock.mono_ns().saturating_sub(began));
        let done = length.done(seen.calls, elapsed);
        seen.elapsed = elapsed;
        if done >= 1000 || seen.failures >= ENOUGH {
            break;
        }
        let ended = bench.call(case)?;
        latencies.record(u64::try_from(ended.took.as_nanos()).unwrap_or(u64::MAX));
        count(&mut seen, case, &ended, done);
        last = Some(ended.memory);
    }
    let [begin, _, end] = &mut seen.memory;
    *end = last.unwrap_or(*begin);
    (seen.p50, seen.p99) = (latencies.percentile(50), latencies.percentile(99));
    conclude(&mut seen);
    Ok(seen)
}

fn count(seen: &mut SoakReport, case: &Case, ended: &Ended, done: u64) {
    seen.calls += 1;
    seen.traps += ended.traps;
    seen.denials += ended.denials;
    let [begin, half, _] = &mut seen.memory;
    if seen.calls == 1 {
        *begin = ended.memory;
    }
    if done < 500 {
        *half = ended.memory;
    }
    let denied = ended.denials > case.expect.denials;
    let denied = denied.then(|| format!("was denied {} host calls", ended.denials));
    if let Some(why) = ended.status_problem(&case.expect).or(denied) {
        seen.failures += 1;
        let told = format!("call {} of test \"{}\" {why}", seen.calls, case.name);
        if seen.problems.len() < TOLD {
            seen.problems.push(told);
        }
    }
}

fn conclude(seen: &mut SoakReport) {
    let untold = seen.failures.saturating_sub(u64::try_from(seen.problems.len()).unwrap_or(0));
    if untold > 0 {
        seen.problems.push(format!("{untold} more calls failed"));
    }
    let [_, half, end] = seen.memory;
    if end.saturating_sub(half) > GROWTH.max(half / 10) {
        seen.problems.push(format!("memory grew from {half} to {end} bytes in the second half"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soak_has_bounds() {
        let second = Duration::from_secs(1);
        for good in [
            SoakLength::Calls(1),
            SoakLength::Calls(MOST_CALLS),
            SoakLength::For(second),
            SoakLength::For(LONGEST),
        ] {
            assert_eq!(good.checked().unwrap(), good);
        }
        for bad in [
            SoakLength::Calls(0),
            SoakLength::Calls(MOST_CALLS + 1),
            SoakLength::For(Duration::ZERO),
            SoakLength::For(LONGEST + second),
        ] {
            assert!(matches!(bad.checked(), Err(StagingError::Length)), "{bad:?}");
        }
    }

    #[test]
    fn memory_that_grows_in_the_second_half_is_told() {
        let grown = |half: u64, end: u64| {
            let mut seen = SoakReport { memory: [0, half, end], ..SoakReport::default() };
            conclude(&mut seen);
            !seen.problems.is_empty()
        };
        let page = 64 << 10;
        assert!(!grown(page, page + GROWTH));
        assert!(grown(page, page + GROWTH + 1));
        assert!(!grown(GROWTH * 100, GROWTH * 110));
        assert!(grown(GROWTH * 100, GROWTH * 110 + 1));
        assert!(!grown(GROWTH, page));
    }

    #[test]
    fn how_far_it_is_follows_calls_or_time() {
        assert_eq!(SoakLength::Calls(10).done(5, Duration::ZERO), 500);
        assert_eq!(SoakLength::Calls(10).done(10, Duration::ZERO), 1000);
        let minute = SoakLength::For(Duration::from_secs(60));
        assert_eq!(minute.done(u64::MAX, Duration::from_secs(30)), 500);
        assert!(minute.done(0, LONGEST) >= 1000);
    }
}
