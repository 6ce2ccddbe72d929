//! Whether a version on trial goes on, takes the installed one's place or is let go of: from terms and figures alone.

use super::figures::TrialFigures;
use super::terms::{Percent, Trial, TrialKind};
use std::time::Duration;

/// Calls before failures are judged, unless the trial is over.
const CALLS_FOR_ERRORS: u64 = 20;
/// Calls of each version before durations are judged, unless the trial is over.
const CALLS_FOR_LATENCY: u64 = 100;
/// What calls may take longer whatever the ratio.
const UNJUDGED: Duration = Duration::from_millis(1);

/// What is to become of a version on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It goes on.
    GoOn,
    /// It takes the installed one's place.
    Promote,
    /// It is let go of, for this reason.
    Abandon(String),
}

/// Judges by these figures.
pub(super) fn judge(terms: &Trial, seen: &TrialFigures) -> Judgement {
    let timed_out = terms.time.is_some_and(|time| seen.elapsed >= time);
    let over = timed_out || seen.candidate.calls >= terms.calls;
    let faults = [
        denials(terms, seen),
        errors(terms, seen, over),
        latency(terms, seen, over),
        different(terms, seen, over),
    ];
    if let Some(fault) = faults.into_iter().flatten().next() {
        return Judgement::Abandon(fault);
    }
    match (over, seen.candidate.calls) {
        (false, _) => Judgement::GoOn,
        (true, 0) => Judgement::Abandon("it was not called once".to_owned()),
        (true, _) if terms.kind == TrialKind::Shadow && seen.equal + seen.different == 0 => {
            Judgement::Abandon("no call of it could be compared".to_owned())
        }
        (true, _) => Judgement::Promote,
    }
}

fn denials(terms: &Trial, seen: &TrialFigures) -> Option<String> {
    let (own, installed) = (seen.candidate.denials, seen.installed.denials);
    let allowed = installed.saturating_add(terms.max_denials);
    (own > allowed)
        .then(|| format!("{own} of its host calls were denied, {installed} of the installed version's"))
}

fn errors(terms: &Trial, seen: &TrialFigures, over: bool) -> Option<String> {
    if !over && seen.candidate.calls < CALLS_FOR_ERRORS {
        return None;
    }
    let own = Percent::of(seen.candidate.errors, seen.candidate.calls);
    let installed = Percent::of(seen.installed.errors, seen.installed.calls);
    let beside = own > installed.plus(terms.max_errors);
    let absolute = terms.max_errors_absolute.is_some_and(|most| own > most);
    (beside || absolute).then(|| format!("{own} of its calls failed, {installed} of the installed version's"))
}

fn latency(terms: &Trial, seen: &TrialFigures, over: bool) -> Option<String> {
    let ratio = terms.max_latency_percent?;
    let calls = seen.candidate.calls.min(seen.installed.calls);
    if calls == 0 || (!over && calls < CALLS_FOR_LATENCY) {
        return None;
    }
    let (own, installed) = (seen.candidate.p95, seen.installed.p95);
    let allowed = installed.saturating_mul(ratio) / 100;
    let slow = own > allowed && own.saturating_sub(installed) >= UNJUDGED;
    slow.then(|| {
        format!("95 of 100 of its calls took up to {own:.1?}, {installed:.1?} those of the installed version")
    })
}

fn different(terms: &Trial, seen: &TrialFigures, over: bool) -> Option<String> {
    let most = terms.max_different?;
    let compared = seen.equal + seen.different;
    if !over && compared < CALLS_FOR_ERRORS {
        return None;
    }
    let share = Percent::of(seen.different, compared);
    (share > most).then(|| format!("{share} of its answers differ"))
}

#[cfg(test)]
mod tests {
    use super::super::figures::TrialSide;
    use super::super::terms::TrialKind;
    use super::*;

    fn terms() -> Trial {
        Trial { calls: 200, ..Trial::new(TrialKind::Share(Percent::new(10).unwrap())) }
    }

    fn side(calls: u64, errors: u64, p95_ms: u64) -> TrialSide {
        TrialSide { calls, errors, denials: 0, p95: Duration::from_millis(p95_ms) }
    }

    fn seen(installed: TrialSide, candidate: TrialSide) -> TrialFigures {
        TrialFigures { installed, candidate, ..TrialFigures::default() }
    }

    fn abandons(terms: &Trial, seen: &TrialFigures, why: &str) {
        let Judgement::Abandon(told) = judge(terms, seen) else { panic!("{seen:?}") };
        assert!(told.contains(why), "{told}");
    }

    #[test]
    fn it_is_promoted_after_its_calls_or_its_time_and_not_before() {
        let good = |calls| seen(side(1000, 0, 1), side(calls, 0, 1));
        assert_eq!(judge(&terms(), &good(0)), Judgement::GoOn);
        assert_eq!(judge(&terms(), &good(199)), Judgement::GoOn);
        assert_eq!(judge(&terms(), &good(200)), Judgement::Promote);
        let timed = Trial { time: Some(Duration::from_secs(60)), ..terms() };
        let at = |secs, calls| TrialFigures { elapsed: Duration::from_secs(secs), ..good(calls) };
        assert_eq!(judge(&timed, &at(59, 5)), Judgement::GoOn);
        assert_eq!(judge(&timed, &at(60, 5)), Judgement::Promote);
        abandons(&timed, &at(60, 0), "not called");
    }

    #[test]
    fn failures_are_judged_beside_the_installed_version_and_on_their_own() {
        let both = |installed, candidate| seen(side(1000, installed, 1), side(100, candidate, 1));
        assert_eq!(judge(&terms(), &both(0, 1)), Judgement::GoOn);
        abandons(&terms(), &both(0, 2), "2% of its calls failed, 0% of");
        assert_eq!(judge(&terms(), &both(500, 51)), Judgement::GoOn, "the installed one is no better");
        abandons(&terms(), &both(500, 52), "52%");
        let absolute = Trial { max_errors_absolute: Some(Percent::new(10).unwrap()), ..terms() };
        abandons(&absolute, &both(500, 11), "11%");
        assert_eq!(
            judge(&terms(), &seen(side(0, 0, 0), side(19, 19, 1))),
            Judgement::GoOn,
            "too few to tell"
        );
        abandons(&terms(), &seen(side(0, 0, 0), side(20, 20, 1)), "100%");
        abandons(&Trial { calls: 1, ..terms() }, &seen(side(0, 0, 0), side(1, 1, 1)), "100%");
    }

    #[test]
    fn time_is_judged_by_ratio_where_it_is_long_enough_to_matter() {
        let both = |installed, candidate| seen(side(1000, 0, installed), side(100, 0, candidate));
        assert_eq!(judge(&terms(), &both(10, 20)), Judgement::GoOn);
        abandons(&terms(), &both(10, 21), "took up to 21");
        assert_eq!(judge(&Trial { max_latency_percent: None, ..terms() }, &both(1, 5000)), Judgement::GoOn);
        let mut small = both(0, 0);
        (small.installed.p95, small.candidate.p95) = (Duration::from_micros(3), Duration::from_micros(900));
        assert_eq!(judge(&terms(), &small), Judgement::GoOn);
        assert_eq!(judge(&terms(), &seen(side(1000, 0, 1), side(99, 0, 500))), Judgement::GoOn);
        assert_eq!(
            judge(&Trial { calls: 1, ..terms() }, &seen(side(0, 0, 0), side(1, 0, 500))),
            Judgement::Promote
        );
    }

    #[test]
    fn a_denial_or_another_answer_too_many_ends_it() {
        let mut denied = seen(side(1000, 0, 1), side(1, 0, 1));
        denied.candidate.denials = 1;
        abandons(&terms(), &denied, "1 of its host calls were denied");
        denied.installed.denials = 1;
        assert_eq!(judge(&terms(), &denied), Judgement::GoOn);
        let shadow = Trial { max_different: Some(Percent::new(5).unwrap()), ..Trial::new(TrialKind::Shadow) };
        let compared = |different| TrialFigures {
            equal: 100 - different,
            different,
            ..seen(side(100, 0, 1), side(100, 0, 1))
        };
        assert_eq!(judge(&shadow, &compared(5)), Judgement::GoOn);
        assert_eq!(judge(&Trial { calls: 100, ..shadow }, &compared(5)), Judgement::Promote);
        let blind = seen(side(100, 0, 1), side(100, 0, 1));
        abandons(&Trial { calls: 100, ..shadow }, &blind, "no call of it could be compared");
        abandons(&shadow, &compared(6), "6% of its answers differ");
    }
}
