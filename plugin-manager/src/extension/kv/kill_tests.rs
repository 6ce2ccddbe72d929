//! Stored values on a real home: what an orderly end and a kill leave of them.

use super::super::testing::{Host, args, n};
use super::tests::{get, keys, set};
use super::*;
use crate::store::{Home, KvRow};
use common::clock::{Clock, SystemClock};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The hall's adapter, as small as it can be.
struct HomeRows(Home);

impl KvPersist for HomeRows {
    fn load(&self, namespace: &str, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), PersistError> {
        self.0.kv_load(namespace, each).map_err(PersistError::new)
    }
    fn append(&self, writes: &[KvWrite]) -> Result<(), PersistError> {
        let rows =
            writes.iter().map(|w| KvRow { namespace: &w.namespace, key: &w.key, value: w.value.as_deref() });
        self.0.kv_append(rows).map_err(PersistError::new)
    }
    fn sync(&self) -> Result<(), PersistError> {
        self.0.kv_sync().map_err(PersistError::new)
    }
    fn room(&self) -> KvRoom {
        if self.0.kv_is_full() {
            return KvRoom::Short;
        }
        if self.0.kv_settle_due() { KvRoom::SettleDue } else { KvRoom::Enough }
    }
    fn settle(&self) -> Result<(), PersistError> {
        self.0.kv_settle().map_err(PersistError::new)
    }
}

fn on_home(path: &Path) -> Host {
    let home = Home::open(path, Duration::from_secs(10), SystemClock::start().unwrap()).unwrap();
    Host::with_kv(Kv::start(Arc::new(HomeRows(home)), KvLimits::default()).unwrap())
}

#[test]
fn values_survive_an_orderly_end() {
    let dir = tempfile::tempdir().unwrap();
    let host = on_home(dir.path());
    set(&host, "k", "v").unwrap();
    drop(host);
    assert_eq!(get(&on_home(dir.path()), "k"), Ok(b"v".to_vec()));
}

const CHILD_HOME: &str = "FORGEONE_TEST_KV_HOME";
const CHILD_VALUE: &str = "FORGEONE_TEST_KV_VALUE";
/// What CONTRACT.md gives a value; the threads need a core for it, which other tests may have just then. So it
/// must hold in one of [`ATTEMPTS`] kills, and nothing older than [`STALL`] may be lost in any.
const GRACE: Duration = Duration::from_millis(5);
const ATTEMPTS: usize = 4;
const STALL: Duration = Duration::from_secs(2);

/// What the tests below do in a process of its own, which they kill. Never flushed: the service's own threads
/// alone bring the values out.
fn write_until_killed(home: &Path) -> ! {
    let host = on_home(home);
    let clock = SystemClock::start().unwrap();
    let value = vec![b'v'; std::env::var(CHILD_VALUE).unwrap().parse().unwrap()];
    let mut out = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned().unwrap());
    for i in 0_u64.. {
        set(&host, &format!("k{:06}", i % 5_000), [&i.to_le_bytes(), value.as_slice()].concat()).unwrap();
        out.write_all(format!("ack {i} {}\n", clock.wall_ns()).as_bytes()).unwrap();
    }
    unreachable!()
}

/// Runs the child with values of this size, kills it after `lines` acknowledgements, and checks what it left. The
/// age of the oldest value lost.
fn kill_after(test: &str, lines: usize, value: usize) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD_HOME, dir.path())
        .env(CHILD_VALUE, value.to_string())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let parsed = |line: String| -> Option<(u64, u64)> {
        let (i, at) = line.strip_prefix("ack ")?.split_once(' ')?;
        Some((i.parse().ok()?, at.parse().ok()?))
    };
    let mut acknowledged: Vec<(u64, u64)> =
        out.by_ref().filter_map(|line| parsed(line.unwrap())).take(lines).collect();
    let killed_at = SystemClock::start().unwrap().wall_ns();
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(out.map_while(Result::ok).filter_map(parsed));
    assert!(acknowledged.len() >= lines, "the child ended by itself");

    let host = on_home(dir.path());
    let latest = keys(&host.call("kv_list", args().arg("k").arg("").arg(n(10_000))).unwrap())
        .iter()
        .map(|key| u64::from_le_bytes(*get(&host, key).unwrap().first_chunk().unwrap()))
        .max();
    let lost = acknowledged.iter().filter(|(i, _)| Some(*i) > latest).map(|(_, at)| *at).min();
    let age = Duration::from_nanos(lost.map_or(0, |at| killed_at.saturating_sub(at)));
    assert!(age < STALL, "killed after {lines}: a value of {age:?} is lost");
    // All or nothing, in order: each key holds the last of its values up to the latest.
    let Some(latest) = latest else { return age };
    for i in latest.saturating_sub(4_999)..=latest {
        let found = get(&host, &format!("k{:06}", i % 5_000)).unwrap();
        assert_eq!(
            (found.first_chunk(), found.len()),
            (Some(&i.to_le_bytes()), 8 + value),
            "killed after {lines}"
        );
    }
    age
}

#[test]
fn fault_089_values_older_than_5_ms_survive_kill_9_without_a_flush() {
    if let Ok(home) = std::env::var(CHILD_HOME) {
        write_until_killed(Path::new(&home));
    }
    let test = "extension::kv::kill_tests::fault_089_values_older_than_5_ms_survive_kill_9_without_a_flush";
    for lines in [1, 2, 53, 700, 2_111, 9_000] {
        let mut ages = Vec::new();
        while ages.last().is_none_or(|age| *age >= GRACE) {
            assert!(ages.len() < ATTEMPTS, "killed after {lines}: values were lost at these ages: {ages:?}");
            ages.push(kill_after(test, lines, 40));
        }
    }
    // More than a disk takes at once: journals fill, are settled, and writers are held.
    for lines in [400, 2_500] {
        kill_after(test, lines, 16_000);
    }
}
