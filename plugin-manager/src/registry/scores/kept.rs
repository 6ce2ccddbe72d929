//! A score as the home keeps it: JSON of one version. What does not read whole is not read.

use microkernel::trust::TrustClass;
use microkernel::trust::habits::{Habit, Habits};
use microkernel::trust::score::{Finding, Kept, MOST_FINDINGS, Signal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the form.
const FORM: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    form: u32,
    version: String,
    attested: bool,
    milli: u32,
    class: String,
    at_ms: u64,
    since_ms: u64,
    findings: Vec<Found>,
    habits_since_ms: u64,
    habits: BTreeMap<String, (u64, u64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    at_ms: u64,
    signal: String,
    action: String,
    count: u64,
    cost: u32,
}

/// The bytes of a score; `None` when they cannot be written, which a score's own words never cause.
pub(super) fn encoded(version: &str, attested: bool, kept: &Kept) -> Option<Vec<u8>> {
    let found = |f: &Finding| Found {
        at_ms: f.at_ms,
        signal: f.signal.name().to_owned(),
        action: f.action.clone(),
        count: f.count,
        cost: f.cost,
    };
    let habits = kept.habits.known.iter().map(|(name, h)| (name.clone(), (h.usual, h.spread))).collect();
    serde_json::to_vec(&File {
        form: FORM,
        version: version.to_owned(),
        attested,
        milli: kept.milli,
        class: kept.class.name().to_owned(),
        at_ms: kept.at_ms,
        since_ms: kept.since_ms,
        findings: kept.findings.iter().map(found).collect(),
        habits_since_ms: kept.habits.since_ms,
        habits,
    })
    .ok()
}

/// The version, whether it was attested, and the score; `None` when the bytes are no score.
pub(super) fn decoded(bytes: &[u8]) -> Option<(String, bool, Kept)> {
    let file: File = serde_json::from_slice(bytes).ok()?;
    if file.form != FORM {
        return None;
    }
    let found = |f: Found| {
        let signal = Signal::from_name(&f.signal)?;
        Some(Finding { at_ms: f.at_ms, signal, action: f.action, count: f.count, cost: f.cost })
    };
    let findings: Option<Vec<Finding>> = file.findings.into_iter().take(MOST_FINDINGS).map(found).collect();
    let habits =
        file.habits.into_iter().map(|(name, (usual, spread))| (name, Habit { usual, spread })).collect();
    let kept = Kept {
        milli: file.milli,
        class: TrustClass::from_name(&file.class)?,
        at_ms: file.at_ms,
        since_ms: file.since_ms,
        findings: findings?,
        habits: Habits::kept(file.habits_since_ms, habits),
    };
    Some((file.version, file.attested, kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Home;
    use microkernel::trust::score::{Observation, ScoreRules, TrustScore};

    #[test]
    fn a_score_is_read_as_it_was_written_and_what_is_none_is_not() {
        let rules = ScoreRules::default();
        let mut score = TrustScore::new(&rules, true, 1000);
        let seen = Observation { denials: 3, traps: 1, limits: 0, calls: vec![("kv_get", 7)] };
        score.observe(120_000, &seen, &rules);
        let bytes = encoded("1.0.0", true, score.kept()).unwrap();
        let (version, attested, kept) = decoded(&bytes).unwrap();
        assert_eq!((version.as_str(), attested), ("1.0.0", true));
        assert_eq!(kept.findings, score.kept().findings);
        assert_eq!(
            (kept.milli, kept.habits.known, kept.habits.since_ms),
            (score.kept().milli, score.kept().habits.known.clone(), 120_000)
        );
        for bad in [&b""[..], b"{}", b"null", &bytes[..bytes.len() - 1]] {
            assert!(decoded(bad).is_none());
        }
        let other = String::from_utf8(bytes).unwrap().replace("\"form\":1", "\"form\":2");
        assert!(decoded(other.as_bytes()).is_none());
    }

    #[test]
    fn the_largest_score_fits_where_it_is_kept() {
        let rules = ScoreRules::default();
        let mut score = TrustScore::new(&rules, true, 1);
        let names: Vec<&'static str> =
            (0..200).map(|i| &*Box::leak(format!("{i:064}").into_boxed_str())).collect();
        for round in 0..20 {
            let calls = names.iter().map(|name| (*name, u64::MAX / 400)).collect();
            let seen = Observation { denials: u64::MAX, calls, ..Observation::default() };
            score.observe(round * 3_600_000 * 1000, &seen, &rules);
        }
        let dir = tempfile::tempdir().unwrap();
        let clock = common::clock::ManualClock::at(1);
        let home = Home::open(dir.path(), std::time::Duration::from_secs(10), clock).unwrap();
        home.keep_score("acme/a", &encoded("1.0.0", true, score.kept()).unwrap()).unwrap();
    }
}
