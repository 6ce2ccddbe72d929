//! Points fall by what is seen, come back with time, and classes follow.

use super::*;
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000_000;

fn fresh() -> (TrustScore, ScoreRules) {
    let rules = ScoreRules::default();
    (TrustScore::new(&rules, true, NOW), rules)
}

fn traps(n: u64) -> Observation {
    Observation { traps: n, ..Observation::default() }
}
fn denials(n: u64) -> Observation {
    Observation { denials: n, ..Observation::default() }
}

#[test]
fn what_was_attested_is_where_a_score_starts_and_the_most_it_becomes() {
    let rules = ScoreRules::default();
    let mut plain = TrustScore::new(&rules, false, NOW);
    assert_eq!((plain.points(), plain.class()), (80, TrustClass::Full));
    assert_eq!(plain.observe(NOW + 1000 * HOUR_MS, &Observation::default(), &rules), None);
    assert_eq!((plain.points(), plain.why()), (80, vec![]));
    assert_eq!(TrustScore::new(&rules, true, NOW).points(), 100);
}

#[test]
fn a_burst_costs_what_a_minute_may_and_a_lasting_fault_leads_to_quarantine() {
    let (mut score, rules) = fresh();
    assert_eq!(score.observe(NOW, &denials(1_000_000), &rules), None);
    assert_eq!(score.points(), 95);
    let changes: Vec<_> =
        (1..40).filter_map(|m| score.observe(NOW + m * MINUTE_MS, &denials(500), &rules)).collect();
    let classes: Vec<_> = changes.iter().map(|c| (c.from, c.to)).collect();
    assert_eq!(
        classes,
        [(TrustClass::Full, TrustClass::Reduced), (TrustClass::Reduced, TrustClass::Quarantined)]
    );
    assert!(changes[1].why.starts_with("500 denied host calls (-5.0)"), "{}", changes[1].why);
    assert!(score.points() < 20);
}

#[test]
fn points_come_back_with_time_the_better_class_with_a_margin_and_quarantine_never_by_itself() {
    let (mut score, rules) = fresh();
    for minute in 0..5 {
        score.observe(NOW + minute * MINUTE_MS, &traps(100), &rules);
    }
    assert_eq!((score.points(), score.class()), (50, TrustClass::Reduced));
    let at = |hours_tenths: u64| NOW + 4 * MINUTE_MS + hours_tenths * HOUR_MS / 10;
    assert_eq!(score.observe(at(12), &Observation::default(), &rules), None);
    assert_eq!((score.points(), score.class()), (62, TrustClass::Reduced), "within the margin");
    let change = score.observe(at(16), &Observation::default(), &rules).unwrap();
    assert_eq!((change.from, change.to, change.points), (TrustClass::Reduced, TrustClass::Full, 66));
    score.quarantine(at(17), "policy").unwrap();
    assert_eq!(score.observe(at(1000), &Observation::default(), &rules), None);
    assert_eq!((score.points(), score.class()), (100, TrustClass::Quarantined));
}

#[test]
fn recovery_is_the_same_however_often_it_is_looked_at() {
    let (mut often, rules) = fresh();
    often.observe(NOW, &traps(100), &rules);
    let mut once = often.clone();
    for ms in (0..=HOUR_MS / 2).step_by(100) {
        often.observe(NOW + ms, &Observation::default(), &rules);
    }
    once.observe(NOW + HOUR_MS / 2, &Observation::default(), &rules);
    assert_eq!((often.kept.milli, once.kept.milli), (95_000, 95_000));
}

#[test]
fn a_release_leaves_it_on_probation_with_what_was_found_forgotten() {
    let (mut score, rules) = fresh();
    assert_eq!(score.release(NOW, &rules), None);
    for minute in 0..20 {
        score.observe(NOW + minute * MINUTE_MS, &traps(100), &rules);
    }
    assert_eq!(score.class(), TrustClass::Quarantined);
    let change = score.release(NOW + 30 * MINUTE_MS, &rules).unwrap();
    assert_eq!((change.to, change.points), (TrustClass::Reduced, 40));
    assert_eq!(score.why(), Vec::<String>::new());
    let again: Vec<_> =
        (31..34).filter_map(|m| score.observe(NOW + m * MINUTE_MS, &traps(100), &rules)).collect();
    assert_eq!(again.len(), 1, "it falls again sooner than one nothing was found of");
}

#[test]
fn a_rate_and_a_first_use_out_of_the_ordinary_cost_points_and_are_named() {
    let (mut score, rules) = fresh();
    let calls =
        |calls: &[(&'static str, u64)]| Observation { calls: calls.to_vec(), ..Observation::default() };
    for minute in 0..90 {
        score.observe(NOW + minute * MINUTE_MS, &calls(&[("kv_get", 40)]), &rules);
    }
    assert_eq!(score.points(), 100);
    score.observe(NOW + 90 * MINUTE_MS, &calls(&[("kv_get", 9000), ("http_request", 2)]), &rules);
    assert_eq!(score.points(), 85);
    let why = score.why();
    assert_eq!(
        why,
        ["first use of http_request (-5.0)", "9000 calls of kv_get, far more than usual (-10.0)"]
    );
}

#[test]
fn what_is_kept_goes_on_where_it_was() {
    let (mut score, rules) = fresh();
    score.observe(NOW, &traps(3), &rules);
    let again = TrustScore::of(score.kept().clone(), &rules, true);
    assert_eq!((again.points(), again.class(), again.why()), (score.points(), score.class(), score.why()));
    let lower = TrustScore::of(score.kept().clone(), &rules, false);
    assert_eq!(lower.points(), 80, "a version that is attested less is trusted no more than that");
}

#[test]
fn findings_are_bounded_and_the_oldest_go() {
    let (mut score, rules) = fresh();
    for minute in 0..100 {
        score.observe(NOW + minute * MINUTE_MS, &denials(1), &rules);
    }
    assert_eq!(score.kept().findings.len(), MOST_FINDINGS);
    assert_eq!(score.kept().findings.last().map(|f| f.at_ms), Some(NOW + 99 * MINUTE_MS));
}

proptest! {
    #[test]
    fn points_stay_in_their_range_and_the_class_fits_them(
        steps in proptest::collection::vec((0_u64..10_000_000, any::<u64>(), 0_u64..50, any::<u64>()), 0..60),
        attested: bool,
    ) {
        let rules = ScoreRules::default();
        let mut score = TrustScore::new(&rules, attested, NOW);
        let mut now = NOW;
        for (later, denials, traps, limits) in steps {
            now += later;
            let before = score.class();
            let seen = Observation { denials, traps, limits, calls: vec![("kv_get", denials)] };
            let change = score.observe(now, &seen, &rules);
            prop_assert!(score.points() <= rules.start(attested));
            prop_assert_eq!(change.is_some(), before != score.class());
            prop_assert!(before != TrustClass::Quarantined || score.class() == TrustClass::Quarantined);
            match score.class() {
                TrustClass::Full => prop_assert!(score.points() >= rules.reduced_below),
                TrustClass::Reduced => prop_assert!(score.points() >= rules.quarantined_below),
                TrustClass::Quarantined => {}
            }
        }
    }
}
