//! Counting: records and summaries add up to the hits under any rate, epoch, order and end.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Hits told by the log: by epoch, how many, how many failed, and their latency.
fn told(records: &[Value], action: &str) -> BTreeMap<u64, (u64, u64, u64)> {
    let mut sums = BTreeMap::new();
    for record in records.iter().filter(|r| r["action"] == action) {
        let sum: &mut (u64, u64, u64) =
            sums.entry(record["decision"]["epoch"].as_u64().unwrap()).or_default();
        let failed = u64::from(record["outcome"] == "failed");
        sum.0 += record["n"].as_u64().unwrap_or(1);
        sum.1 += record["errors"].as_u64().unwrap_or(failed);
        sum.2 += record["latency_ms"].as_u64().unwrap();
    }
    sums
}

fn with_rate(detail_rate: u32) -> AuditOptions {
    AuditOptions { detail_rate, ..options() }
}

#[test]
fn beyond_the_rate_one_summary_tells_the_exact_rest() {
    let (bed, clock) = Bed::standing();
    let me = actor();
    let log = bed.try_open(with_rate(3)).unwrap();
    let mut tally = log.tally(&me, "kv_get", "key");
    for i in 0..10 {
        tally.hit(7, i != 5, 2).unwrap();
        clock.advance(Duration::from_millis(10));
    }
    log.flush().unwrap();
    let records = bed.records();
    assert_eq!(records.len(), 4);
    let summary = &records[3];
    assert_eq!(
        (&summary["n"], &summary["errors"], &summary["latency_ms"]),
        (&7.into(), &1.into(), &14.into())
    );
    assert_eq!(summary["first"], "2026-11-21T00:00:00.030Z");
    assert_eq!(summary["last"], "2026-11-21T00:00:00.090Z");
    assert_eq!((&summary["resource"]["kind"], &summary["decision"]["epoch"]), (&"key".into(), &7.into()));
    clock.advance(Duration::from_secs(1));
    tally.hit(7, true, 0).unwrap();
    log.flush().unwrap();
    assert!(bed.records()[4].get("n").is_none());
    assert_eq!(told(&bed.records(), "kv_get"), BTreeMap::from([(7, (11, 1, 20))]));
}

#[test]
fn the_committer_reports_every_second_and_the_next_summary_begins_at_its_own_first_hit() {
    let (bed, clock) = Bed::standing();
    let log = bed.try_open(with_rate(0)).unwrap();
    let mut tally = log.tally(&actor(), "ping", "none");
    for second in 0..3 {
        clock.advance(Duration::from_millis(500));
        (0..=second).for_each(|_| tally.hit(1, true, 0).unwrap());
        clock.advance(Duration::from_millis(500));
        eventually("a summary", || bed.records().len() as u64 == second + 1);
    }
    let firsts: Vec<_> = bed.records().iter().map(|r| (r["n"].clone(), r["first"].clone())).collect();
    let at = |n: u64, second: u64| (Value::from(n), Value::from(format!("2026-11-21T00:00:0{second}.500Z")));
    assert_eq!(firsts, [at(1, 0), at(2, 1), at(3, 2)]);
    assert_eq!(log.metrics().summaries, 3);
}

#[test]
fn instances_of_one_plugin_share_its_rate_and_keep_their_own_counts() {
    let (bed, _) = Bed::standing();
    let name = |text: &str| crate::identity::Name::new(text).unwrap();
    let instance = |instance| {
        Actor::new(&IdentityContext::plugin(crate::identity::PluginIdentity {
            id: crate::identity::PluginId::new(&name("acme"), &name("p")),
            name: name("p"),
            publisher: name("acme"),
            version: "1.0.0".into(),
            digest: crate::identity::Digest::of(b""),
            instance,
        }))
    };
    let log = bed.try_open(with_rate(5)).unwrap();
    for i in 0..4 {
        let mut tally = log.tally(&instance(i), "kv_get", "key");
        (0..3).for_each(|_| tally.hit(0, true, 0).unwrap());
    }
    log.flush().unwrap();
    let records = bed.records();
    assert_eq!(records.iter().filter(|r| r.get("n").is_none()).count(), 5);
    assert_eq!(told(&records, "kv_get")[&0].0, 12);
    let last: u64 =
        records.iter().filter(|r| r["actor"]["instance"] == 3).map(|r| r["n"].as_u64().unwrap()).sum();
    assert_eq!(last, 3);
}

#[test]
fn every_hit_is_a_record_when_every_detail_is_asked_for() {
    let bed = Bed::new();
    let log =
        bed.try_open(AuditOptions { detail_every: true, detail_rate: 1, journal_slots: 16, ..options() });
    let log = log.unwrap();
    let mut tally = log.tally(&actor(), "kv_get", "key");
    (0..500).for_each(|i| tally.hit(0, i % 2 == 0, 0).unwrap());
    drop(tally);
    log.flush().unwrap();
    assert_eq!(bed.records().len(), 500);
    assert_eq!(log.metrics().summaries, 0);
    assert_eq!(told(&bed.records(), "kv_get")[&0], (500, 250, 0));
}

#[test]
fn denials_beyond_the_rate_are_summarised_by_what_was_denied() {
    let (bed, _) = Bed::standing();
    let me = actor();
    let log = bed.try_open(with_rate(4)).unwrap();
    let denied = |action: &'static str| Record {
        event: "denial",
        outcome: Outcome::Denied,
        code: Some("E2002"),
        action,
        decision: Some(Decision { policies: "", epoch: 9, cached: false }),
        ..record(&me, "/etc/passwd")
    };
    let recorded = (0..100).filter(|_| log.append_limited(&denied("file_read")).is_some()).count();
    assert_eq!(recorded, 4);
    log.append_limited(&denied("file_write")).unwrap().durable().unwrap();
    log.flush().unwrap();
    let records = bed.records();
    assert_eq!(records.len(), 6);
    let summary = records.iter().find(|r| r.get("n").is_some()).unwrap();
    assert_eq!(
        (&summary["n"], &summary["errors"], &summary["code"]),
        (&96.into(), &96.into(), &"E2002".into())
    );
    assert_eq!((&summary["type"], &summary["outcome"]), (&"denial".into(), &"denied".into()));
    assert_eq!(summary["decision"]["effect"], "deny");
}

#[test]
fn threads_hitting_while_the_committer_reports_lose_and_add_nothing() {
    let bed = Bed::new();
    let log = bed.try_open(with_rate(10)).unwrap();
    const HITS: u64 = 300_000;
    std::thread::scope(|scope| {
        for t in 0..4_u64 {
            let log = &log;
            scope.spawn(move || {
                let mut tally = log.tally(&actor(), "ping", "none");
                for i in 0..HITS {
                    tally.hit(i / 70_000, i % 10 != 0, t).unwrap();
                }
            });
        }
        for _ in 0..20 {
            log.flush().unwrap();
        }
    });
    log.flush().unwrap();
    let sums = told(&bed.records(), "ping");
    let total = sums.values().fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2));
    assert_eq!(total, (4 * HITS, 4 * HITS / 10, HITS * 6));
    assert_eq!(sums[&0].0, 4 * 70_000);
    for record in bed.records().iter().filter(|r| r.get("n").is_some()) {
        assert!(record["errors"].as_u64() <= record["n"].as_u64(), "{record}");
        assert!(record["first"].as_str() <= record["last"].as_str(), "{record}");
    }
}

#[test]
fn a_tally_dropped_after_every_other_handle_still_tells() {
    let (bed, _) = Bed::standing();
    let log = bed.try_open(with_rate(0)).unwrap();
    let mut tally = log.tally(&actor(), "ping", "none");
    drop(log);
    (0..5).for_each(|_| tally.hit(2, true, 0).unwrap());
    drop(tally);
    assert_eq!(told(&bed.records(), "ping")[&2].0, 5);
    assert_eq!(bed.verify().unwrap().uncovered, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_sequence_of_hits_epochs_pauses_and_drops_adds_up(
        steps in proptest::collection::vec((0_u8..6, 0_u64..3, any::<bool>(), 0_u64..9), 1..120),
        rate in 0_u32..6,
    ) {
        let (bed, clock) = Bed::standing();
        let log = bed.try_open(with_rate(rate)).unwrap();
        let me = actor();
        let mut tally = log.tally(&me, "ping", "none");
        let mut want: BTreeMap<u64, (u64, u64, u64)> = BTreeMap::new();
        for (step, epoch, ok, latency) in steps {
            match step {
                0 => clock.advance(Duration::from_millis(400)),
                1 if ok => tally = log.tally(&me, "ping", "none"),
                2 if ok => log.flush().unwrap(),
                _ => {
                    tally.hit(epoch, ok, latency).unwrap();
                    let sum = want.entry(epoch).or_default();
                    *sum = (sum.0 + 1, sum.1 + u64::from(!ok), sum.2 + latency);
                }
            }
        }
        drop(tally);
        drop(log);
        prop_assert_eq!(told(&bed.records(), "ping"), want);
    }
}
