//! Stored values through kills, torn ends, damage, full journals and failing disks.

use super::super::crash_tests::{dying, image};
use super::super::home::tests::open;
use super::super::{Home, KvRow, StoreError};
use super::frame::{HEAD, HEADER};
use super::replay::{Found, in_order, replay};
use common::error::{Code, Coded, codes};
use std::fs::OpenOptions;
use std::path::Path;

const FIRST: &str = "kv.0.journal";
const SECOND: &str = "kv.1.journal";

fn set<'a>(key: &'a str, value: &'a [u8]) -> KvRow<'a> {
    KvRow { namespace: "acme/a", key, value: Some(value) }
}

fn removed(key: &str) -> KvRow<'_> {
    KvRow { namespace: "acme/a", key, value: None }
}

fn found(home: &Home) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    home.kv_load("acme/a", &mut |key, value| found.push((key.to_owned(), value.to_vec()))).unwrap();
    found
}

fn keys(home: &Home) -> Vec<String> {
    found(home).into_iter().map(|(key, _)| key).collect()
}

fn length(home: &Path, journal: &str) -> usize {
    usize::try_from(home.join(journal).metadata().unwrap().len()).unwrap()
}

/// A home with the batches `a`, `b` and `c` in its first journal, as a kill leaves it, and where each ends.
fn three_batches(commit: impl Fn(&Home, KvRow<'_>)) -> (tempfile::TempDir, Vec<usize>) {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).unwrap();
    let ends = ["a", "b", "c"].map(|key| {
        commit(&home, set(key, key.repeat(40).as_bytes()));
        length(dir.path(), FIRST)
    });
    (image(dir.path()), ends.to_vec())
}

fn synced(home: &Home, row: KvRow<'_>) {
    home.kv_commit([row]).unwrap();
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// The code with which the home cannot be opened, or its keys.
fn opened(path: &Path) -> Result<Vec<String>, &'static Code> {
    open(path).map(|home| keys(&home)).map_err(|e| e.code())
}

#[test]
fn changes_are_seen_over_rows_and_removals_take_them_away() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).unwrap();
    home.kv_commit([set("b", b"1"), set("d", b"1"), set("f", b"1")]).unwrap();
    drop(home);
    // Rows by now; the journals are empty.
    let home = open(dir.path()).unwrap();
    assert_eq!([FIRST, SECOND].map(|journal| length(dir.path(), journal)), [HEADER, HEADER]);
    let changes =
        [set("a", b"2"), set("d", b"2"), removed("b"), set("e", b"2"), set("g", b"2"), removed("none")];
    home.kv_append(changes).unwrap();
    let expected = [("a", b"2"), ("d", b"2"), ("e", b"2"), ("f", b"1"), ("g", b"2")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_vec()));
    assert_eq!(found(&home), expected);
    // Killed now, or closed, the same is found.
    assert_eq!(found(&open(image(dir.path()).path()).unwrap()), expected);
    drop(home);
    assert_eq!(found(&open(dir.path()).unwrap()), expected);
}

/// The code with which these journals are refused, or the keys in them.
fn replayed(journals: [&[u8]; 2]) -> Result<Vec<String>, &'static Code> {
    let found = |bytes: &[u8]| Found::new("journal".into(), Some(bytes.to_vec())).map_err(|e| e.code());
    let [earlier, later] = in_order([found(journals[0])?, found(journals[1])?]);
    let rows = replay(&earlier, &later).map_err(|e| e.code())?;
    Ok(rows.iter().map(|(_, key, _)| key.to_owned()).collect())
}

fn journals(home: &Path) -> [Vec<u8>; 2] {
    [FIRST, SECOND].map(|journal| std::fs::read(home.join(journal)).unwrap())
}

#[test]
fn a_torn_end_is_cut_at_every_byte() {
    let (home, ends) = three_batches(synced);
    let [first, second] = journals(home.path());
    let kept =
        |at| ["a", "b", "c"].map(String::from)[..ends.iter().filter(|end| **end <= at).count()].to_vec();
    for at in 0..=ends[2] {
        assert_eq!(replayed([&first[..at], &second]), Ok(kept(at)), "cut at {at}");
    }
    for at in [0, HEADER - 1, HEADER + 1, ends[1] - 1, ends[1], ends[2] - 1] {
        let torn = image(home.path());
        change(&torn.path().join(FIRST), |bytes| bytes.truncate(at));
        // And it goes on from there.
        let again = open(torn.path()).unwrap();
        again.kv_commit([set("z", b"z")]).unwrap();
        assert_eq!(
            opened(image(torn.path()).path()),
            Ok([kept(at), vec!["z".into()]].concat()),
            "cut at {at}"
        );
    }
}

#[test]
fn damage_of_what_was_durable_is_an_error_at_every_byte_and_a_torn_last_batch_is_cut() {
    let (home, ends) = three_batches(synced);
    let [first, second] = journals(home.path());
    for at in 0..ends[2] {
        let mut damaged = first.clone();
        damaged[at] ^= 0x10;
        let expected = if at < ends[1] { Err(&codes::E0003) } else { Ok(vec!["a".to_owned(), "b".into()]) };
        assert_eq!(replayed([&damaged, &second]), expected, "changed at {at}");
    }
    change(&home.path().join(FIRST), |bytes| bytes[ends[0] + 3] ^= 1);
    let before = journals(home.path());
    assert_eq!(opened(home.path()), Err(&codes::E0003));
    assert_eq!(journals(home.path()), before, "the evidence is kept");
}

#[test]
fn what_no_sync_reached_may_be_torn_anywhere() {
    let append = |home: &Home, row: KvRow<'_>| home.kv_append([row]).unwrap();
    let (home, ends) = three_batches(append);
    for (page, kept) in [(HEADER, 0), (ends[0], 1), (ends[1], 2)] {
        // A page that never reached the disk while one after it did.
        let torn = image(home.path());
        change(&torn.path().join(FIRST), |bytes| bytes[page..page + HEAD].fill(0));
        assert_eq!(opened(torn.path()).map(|keys| keys.len()), Ok(kept));
    }
}

#[test]
fn a_missing_or_foreign_journal_is_an_error_when_the_other_holds_something() {
    let (home, _) = three_batches(synced);
    let without = image(home.path());
    std::fs::remove_file(without.path().join(SECOND)).unwrap();
    assert_eq!(opened(without.path()), Err(&codes::E0003));
    let (other, _) = three_batches(synced);
    let swapped = image(home.path());
    std::fs::copy(other.path().join(FIRST), swapped.path().join(SECOND)).unwrap();
    assert_eq!(opened(swapped.path()), Err(&codes::E0003));
    let without_both = image(home.path());
    for journal in [FIRST, SECOND] {
        std::fs::remove_file(without_both.path().join(journal)).unwrap();
    }
    assert_eq!(opened(without_both.path()), Ok(Vec::new()));
}

#[test]
fn a_value_that_looks_like_a_batch_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).unwrap();
    synced(&home, set("a", b"1"));
    let batch = std::fs::read(dir.path().join(FIRST)).unwrap().split_off(HEADER);
    // Even one that a plugin could not know: at another place it is not the same.
    home.kv_append([set("b", &batch)]).unwrap();
    let torn = image(dir.path());
    change(&torn.path().join(FIRST), |bytes| bytes[HEADER + batch.len()] ^= 1);
    assert_eq!(opened(torn.path()), Ok(vec!["a".into()]));
}

#[test]
fn a_full_journal_gives_way_to_the_other_and_is_settled() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).unwrap();
    let big = vec![7; 3 << 20];
    let mut expected = Vec::new();
    for i in 0..16 {
        let key = format!("k{i:02}");
        home.kv_commit([set(&key, &big), set("last", key.as_bytes())]).unwrap();
        expected.push((key.clone(), big.clone()));
        let on_disk = [FIRST, SECOND].map(|journal| length(dir.path(), journal));
        assert!(on_disk.iter().all(|bytes| *bytes < (24 << 20) + 2 * big.len()), "{on_disk:?}");
        let [smaller, larger] = [on_disk[0].min(on_disk[1]), on_disk[0].max(on_disk[1])];
        assert_eq!(home.kv_settle_due(), smaller > HEADER);
        assert_eq!(home.kv_is_full(), smaller > (8 << 20), "{smaller} and {larger} bytes");
        // Once settled by whoever is asked to, else by who finds no room at all.
        if i == 5 {
            home.kv_settle().unwrap();
            assert!(!home.kv_settle_due() && !home.kv_is_full());
        }
        // Both journals, one of them, none settled: the same is found after a kill.
        if i % 3 == 0 {
            let mut now = expected.clone();
            now.push(("last".into(), key.into_bytes()));
            assert_eq!(found(&home), now);
            assert_eq!(found(&open(image(dir.path()).path()).unwrap()), now);
        }
    }
}

#[test]
fn appending_syncing_settling_and_loading_go_on_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let home = open(dir.path()).unwrap();
    let filler = vec![1; 200_000];
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| {
            for i in 0_u64..200 {
                let i = i.to_be_bytes();
                home.kv_append([set("one", &i), set("two", &i), set("z", &filler)]).unwrap();
            }
        });
        threads.spawn(|| {
            while !writer_done(&home) {
                home.kv_sync().unwrap();
            }
        });
        threads.spawn(|| {
            while !writer_done(&home) {
                home.kv_settle().unwrap();
            }
        });
        let mut before = Vec::new();
        while !writer_done(&home) {
            let now = found(&home);
            let [one, two] =
                ["one", "two"].map(|k| now.iter().find(|(key, _)| key == k).map(|(_, v)| v.clone()));
            // A batch is seen whole, and what was seen once is not unseen.
            assert_eq!(one, two);
            assert!(one.clone().unwrap_or_default() >= before);
            before = one.unwrap_or_default();
        }
        writer.join().unwrap();
    });
    assert_eq!(found(&open(image(dir.path()).path()).unwrap()), found(&home));
}

fn writer_done(home: &Home) -> bool {
    found(home).first().is_some_and(|(_, value)| *value == 199_u64.to_be_bytes())
}

#[test]
fn a_full_disk_refuses_a_batch_whole_and_the_next_is_taken() {
    // The write fails, half done, and is undone.
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().kv_commit([set("a", b"1")]).unwrap();
    let home = dying(dir.path(), 0, true);
    let refused = home.kv_append([set("b", b"1")]).unwrap_err();
    assert!(matches!(refused, StoreError::Io { .. }) && refused.code() == &codes::E0002);
    assert_eq!(keys(&home), ["a"]);
    home.kv_commit([set("c", b"1")]).unwrap();
    assert_eq!(keys(&open(image(dir.path()).path()).unwrap()), ["a", "c"]);
}

#[test]
fn after_a_failed_sync_or_an_append_that_stays_torn_nothing_is_taken() {
    for steps in [0, 1] {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()).unwrap());
        // One step: the append is done and the sync fails. None: the append fails, and undoing it too.
        let home = dying(dir.path(), steps, false);
        assert!(home.kv_commit([set("a", b"1")]).is_err());
        assert!(matches!(home.kv_append([set("b", b"1")]), Err(StoreError::Refusing(_))));
        assert!(matches!(home.kv_sync(), Err(StoreError::Refusing(_))));
        assert_eq!(keys(&home).len(), steps);
        assert_eq!(keys(&open(image(dir.path()).path()).unwrap()).len(), steps);
    }
}

#[test]
fn fault_089_dying_at_every_step_of_turning_and_settling_loses_nothing_synced() {
    let big = vec![7; 9 << 20];
    for steps in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap().kv_commit([set("k", b"0")]).unwrap();
        let home = dying(dir.path(), steps, false);
        let mut acknowledged = 0_u8;
        // The first fills a journal, those up to the fourth overfill the other; the next settles to find room.
        let done = (1..=8).all(|i| {
            let written = home.kv_commit([set("k", &[b'0' + i]), set("big", &big)]).is_ok();
            acknowledged = if written { i } else { acknowledged };
            written
        });
        let home = open(image(dir.path()).path()).unwrap();
        let now = found(&home).into_iter().find(|(key, _)| key == "k").unwrap().1[0] - b'0';
        assert!(now >= acknowledged && now <= acknowledged + 1, "{now} after {acknowledged} ({steps} steps)");
        drop(home);
        if done {
            // A write and a sync for each, and at least one journal emptied.
            assert!(steps >= 16 + 3, "nothing was settled in {steps} steps");
            return;
        }
    }
    panic!("never done");
}

#[test]
fn dying_at_every_step_of_recovery_loses_nothing() {
    let (home, _) = three_batches(synced);
    let recover = |path: &Path, steps| {
        use super::super::crash_tests::DyingDisk;
        Home::open_on(
            DyingDisk::after(steps),
            path,
            std::time::Duration::ZERO,
            common::clock::ManualClock::at(0),
        )
    };
    for steps in 0..30 {
        let copy = image(home.path());
        let done = recover(copy.path(), steps).is_ok();
        assert_eq!(opened(image(copy.path()).path()).map(|keys| keys.len()), Ok(3), "after {steps} steps");
        if done {
            assert!(steps > 3, "the disk was not asked");
            return;
        }
    }
    panic!("never done");
}

#[test]
fn a_journal_longer_than_one_can_be_is_refused_unread() {
    let (home, _) = three_batches(synced);
    let file = OpenOptions::new().write(true).open(home.path().join(FIRST)).unwrap();
    file.set_len(1 << 40).unwrap();
    assert_eq!(opened(home.path()), Err(&codes::E0003));
}
