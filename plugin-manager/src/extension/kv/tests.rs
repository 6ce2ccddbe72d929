//! The storage family as a plugin meets it, its quotas, its failures, and its life beyond a kill.

use super::super::testing::{Host, args, n};
use super::engine::{Change, Core};
use super::*;
use crate::store::{Home, KvRow};
use common::clock::{Clock, Deadline, ManualClock, SystemClock};
use common::identity::PluginIdentity;
use microkernel::syscall_bridge::{Status, take};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// Rows in memory: appends can be made to fail or to wait, syncs and settlings to fail.
#[derive(Default)]
pub(in crate::extension) struct Rows {
    rows: Mutex<BTreeMap<(String, String), Vec<u8>>>,
    appends: Mutex<Vec<usize>>,
    failing: AtomicBool,
    sync_failing: AtomicBool,
    settle_failing: AtomicBool,
    room: Mutex<Option<KvRoom>>,
    syncs: AtomicUsize,
    settled: AtomicUsize,
    held: Mutex<bool>,
    settle_held: Mutex<bool>,
    released: Condvar,
    loads: Mutex<Vec<String>>,
}

impl KvPersist for Rows {
    fn load(&self, namespace: &str, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), PersistError> {
        self.loads.lock().push(namespace.into());
        unless(&self.failing)?;
        let rows = self.rows.lock();
        rows.iter().filter(|((ns, _), _)| ns == namespace).for_each(|((_, key), value)| each(key, value));
        Ok(())
    }
    fn append(&self, writes: &[KvWrite]) -> Result<(), PersistError> {
        let mut held = self.held.lock();
        while *held {
            self.released.wait(&mut held);
        }
        drop(held);
        unless(&self.failing)?;
        let mut rows = self.rows.lock();
        for write in writes {
            let at = (write.namespace.to_string(), write.key.to_string());
            match &write.value {
                Some(value) => drop(rows.insert(at, value.to_vec())),
                None => drop(rows.remove(&at)),
            }
        }
        self.appends.lock().push(writes.len());
        Ok(())
    }
    fn sync(&self) -> Result<(), PersistError> {
        self.syncs.fetch_add(1, SeqCst);
        unless(&self.sync_failing)
    }
    fn room(&self) -> KvRoom {
        self.room.lock().unwrap_or(KvRoom::Enough)
    }
    fn settle(&self) -> Result<(), PersistError> {
        let mut held = self.settle_held.lock();
        while *held {
            self.released.wait(&mut held);
        }
        self.settled.fetch_add(1, SeqCst);
        *self.room.lock() = None;
        unless(&self.settle_failing)
    }
}

fn unless(failing: &AtomicBool) -> Result<(), PersistError> {
    let no_disk = || PersistError::new(std::io::Error::other("no disk"));
    if failing.load(SeqCst) { Err(no_disk()) } else { Ok(()) }
}

impl Rows {
    fn hold(&self, held: bool) {
        *self.held.lock() = held;
        self.released.notify_all();
    }
    fn value(&self, namespace: &str, key: &str) -> Option<Vec<u8>> {
        self.rows.lock().get(&(namespace.into(), key.into())).cloned()
    }
}

fn host(limits: KvLimits) -> (Host, Arc<Rows>) {
    let rows = Arc::new(Rows::default());
    (Host::with_kv(Kv::start(rows.clone(), limits).unwrap()), rows)
}

fn set(host: &Host, key: &str, value: impl AsRef<[u8]>) -> Result<(), Status> {
    host.call("kv_set", args().arg(key).arg(value)).map(drop)
}

fn get(host: &Host, key: &str) -> Result<Vec<u8>, Status> {
    host.call("kv_get", args().arg(key))
}

fn keys(mut encoded: &[u8]) -> Vec<String> {
    std::iter::from_fn(|| take(&mut encoded).unwrap())
        .map(|key| String::from_utf8(key.to_vec()).unwrap())
        .collect()
}

fn named(name: &str) -> PluginIdentity {
    let mut plugin = Host::new().plugin().clone();
    plugin.name = common::identity::Name::new(name).unwrap();
    plugin.id = common::identity::PluginId::new(&plugin.publisher, &plugin.name);
    plugin
}

#[test]
fn a_value_is_visible_at_once_replaced_and_deleted() {
    let (host, rows) = host(KvLimits::default());
    rows.hold(true);
    assert_eq!(get(&host, "k"), Err(Status::NotFound));
    set(&host, "k", "one").unwrap();
    assert_eq!(get(&host, "k"), Ok(b"one".to_vec()));
    set(&host, "k", "").unwrap();
    assert_eq!(get(&host, "k"), Ok(Vec::new()));
    let large = vec![7; 100_000];
    set(&host, "k", &large).unwrap();
    assert_eq!(get(&host, "k"), Ok(large));
    assert_eq!(host.call("kv_delete", args().arg("k")), Ok(Vec::new()));
    assert_eq!(host.call("kv_delete", args().arg("k")), Err(Status::NotFound));
    assert_eq!(get(&host, "k"), Err(Status::NotFound));
    rows.hold(false);
    host.kv.flush().unwrap();
    assert!(rows.rows.lock().is_empty());
}

#[test]
fn cas_sets_only_what_is_as_expected() {
    let (host, _rows) = host(KvLimits::default());
    let cas = |expected: &[&str], value: &str| {
        let expected = expected.iter().fold(args(), |all, e| all.arg(e));
        host.call("kv_cas", args().arg("k").arg(expected.as_bytes()).arg(value)).map(drop)
    };
    assert_eq!(cas(&["x"], "1"), Err(Status::Conflict));
    assert_eq!(cas(&[], "1"), Ok(()));
    assert_eq!(cas(&[], "2"), Err(Status::Conflict));
    assert_eq!(cas(&["1"], "2"), Ok(()));
    assert_eq!(cas(&["1"], "3"), Err(Status::Conflict));
    assert_eq!(get(&host, "k"), Ok(b"2".to_vec()));
    assert_eq!(cas(&["1", "2"], "3"), Err(Status::Invalid));
    assert_eq!(host.call("kv_cas", args().arg("k").arg([1, 2]).arg("3")), Err(Status::Invalid));
}

#[test]
fn lists_are_sorted_bounded_and_continued() {
    let (host, _rows) = host(KvLimits::default());
    for key in ["b/2", "a", "b/1", "b/10", "c"] {
        set(&host, key, "v").unwrap();
    }
    let listed = |call| keys(&host.call("kv_list", call).unwrap());
    assert_eq!(listed(args().arg("")), ["a", "b/1", "b/10", "b/2", "c"]);
    assert_eq!(listed(args().arg("b/")), ["b/1", "b/10", "b/2"]);
    assert_eq!(listed(args().arg("b/").arg("b/1")), ["b/10", "b/2"]);
    assert_eq!(listed(args().arg("b/").arg("a")), ["b/1", "b/10", "b/2"]);
    assert_eq!(listed(args().arg("").arg("").arg(n(2))), ["a", "b/1"]);
    assert_eq!(listed(args().arg("").arg("c").arg(n(9))), [""; 0]);
    assert_eq!(listed(args().arg("").arg("").arg(n(u64::MAX))).len(), 5);
    for i in 0..1100 {
        set(&host, &format!("n{i:04}"), "").unwrap();
    }
    assert_eq!(listed(args().arg("n")).len(), 1000);
    assert_eq!(listed(args().arg("n").arg("n0999")).len(), 100);
}

#[test]
fn keys_and_values_have_limits_and_malformed_arguments_are_invalid() {
    let (host, _rows) = host(KvLimits { value_bytes: 10, ..KvLimits::default() });
    let longest = "k".repeat(1024);
    set(&host, &longest, "0123456789").unwrap();
    assert_eq!(set(&host, &format!("{longest}k"), ""), Err(Status::Limit));
    assert_eq!(set(&host, "k", "01234567890"), Err(Status::Limit));
    assert_eq!(get(&host, "k"), Err(Status::NotFound));
    assert_eq!(set(&host, "", "v"), Err(Status::Invalid));
    for service in ["kv_get", "kv_set", "kv_delete", "kv_list", "kv_cas"] {
        assert_eq!(host.call(service, args()), Err(Status::Invalid), "{service}");
        let many = args().arg("a").arg("").arg(n(1)).arg("d");
        assert_eq!(host.call(service, many), Err(Status::Invalid), "{service}");
        assert_eq!(host.raw(service, &[5, 0, 0, 0, b'x']), Err(Status::Invalid), "{service}");
    }
    assert_eq!(host.call("kv_get", args().arg([0xff])), Err(Status::Invalid));
    assert_eq!(host.call("kv_list", args().arg("").arg([0xff])), Err(Status::Invalid));
    assert_eq!(host.call("kv_list", args().arg("").arg("").arg("x")), Err(Status::Invalid));
    assert_eq!(host.target("kv_get", args().arg("k")), Ok(("k".into(), true)));
    assert_eq!(host.target("kv_list", args().arg("p/")), Ok(("p/".into(), true)));
}

#[test]
fn quotas_hold_at_the_limit_for_each_plugin_alone() {
    let (mut host, _rows) = host(KvLimits { bytes: 20, keys: 3, ..KvLimits::default() });
    set(&host, "a", "123456789").unwrap();
    set(&host, "b", "123456789").unwrap();
    assert_eq!(set(&host, "c", ""), Err(Status::Limit));
    assert_eq!(set(&host, "a", "1234567890"), Err(Status::Limit));
    set(&host, "a", "").unwrap();
    set(&host, "c", "").unwrap();
    assert_eq!(set(&host, "d", ""), Err(Status::Limit));
    assert_eq!(get(&host, "b"), Ok(b"123456789".to_vec()));
    host.become_plugin(named("other"));
    assert_eq!(get(&host, "b"), Err(Status::NotFound));
    set(&host, "b", "0123456789012345678").unwrap();
    assert_eq!(set(&host, "b", "01234567890123456789"), Err(Status::Limit));
}

#[test]
fn after_a_failed_append_reads_go_on_and_writes_are_refused() {
    let (mut host, rows) = host(KvLimits::default());
    set(&host, "k", "one").unwrap();
    host.kv.flush().unwrap();
    assert!(host.kv.failure().is_none());
    rows.failing.store(true, SeqCst);
    set(&host, "k", "two").unwrap();
    let failure = host.kv.flush().unwrap_err();
    assert!(matches!(failure, KvError::Persist(_)));
    rows.failing.store(false, SeqCst);
    assert_eq!(get(&host, "k"), Ok(b"two".to_vec()));
    assert_eq!(set(&host, "k", "three"), Err(Status::Unavailable));
    assert_eq!(host.call("kv_delete", args().arg("k")), Err(Status::Unavailable));
    assert!(host.kv.failure().is_some() && host.kv.flush().is_err());
    // What was never loaded can still be: reading did not fail.
    host.become_plugin(named("other"));
    assert_eq!(get(&host, "k"), Err(Status::NotFound));
    assert_eq!(rows.value("acme/log-redactor", "k"), Some(b"one".to_vec()));
}

/// Until it holds; a test that waits for what never comes is ended by its runner.
fn wait_for(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn after_a_failed_sync_or_settling_reads_go_on_and_writes_are_refused() {
    for syncs in [true, false] {
        let (host, rows) = host(KvLimits::default());
        rows.sync_failing.store(syncs, SeqCst);
        rows.settle_failing.store(!syncs, SeqCst);
        *rows.room.lock() = Some(KvRoom::SettleDue);
        set(&host, "k", "one").unwrap();
        wait_for(|| host.kv.failure().is_some());
        wait_for(|| set(&host, "k", "two") == Err(Status::Unavailable));
        assert!(get(&host, "k").is_ok());
        assert!(matches!(host.kv.flush(), Err(KvError::Persist(_))));
    }
}

#[test]
fn what_is_appended_is_synced_unasked_and_settled_when_that_is_due() {
    let (host, rows) = host(KvLimits::default());
    set(&host, "k", "v").unwrap();
    wait_for(|| rows.syncs.load(SeqCst) > 0);
    assert_eq!(rows.value("acme/log-redactor", "k"), Some(b"v".to_vec()));
    assert_eq!(rows.settled.load(SeqCst), 0);
    *rows.room.lock() = Some(KvRoom::SettleDue);
    set(&host, "k", "w").unwrap();
    wait_for(|| rows.settled.load(SeqCst) > 0);
    // What waits at the end is synced at the end.
    rows.hold(true);
    set(&host, "k", "x").unwrap();
    let before = rows.syncs.load(SeqCst);
    rows.hold(false);
    drop(host);
    assert!(rows.syncs.load(SeqCst) > before);
    assert_eq!(rows.value("acme/log-redactor", "k"), Some(b"x".to_vec()));
}

#[test]
fn a_writer_that_waits_for_room_is_told_when_appends_fail() {
    let (host, rows) = host(KvLimits { queue_bytes: 300, ..KvLimits::default() });
    rows.hold(true);
    set(&host, "k", [0; 100]).unwrap();
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| (0..9).map(|_| set(&host, "k", [0; 100])).find(Result::is_err));
        rows.failing.store(true, SeqCst);
        rows.hold(false);
        assert_eq!(writer.join().unwrap(), Some(Err(Status::Unavailable)));
    });
}

#[test]
fn a_namespace_that_cannot_be_loaded_is_unavailable_and_not_taken_for_empty() {
    let (host, rows) = host(KvLimits::default());
    rows.failing.store(true, SeqCst);
    assert_eq!(get(&host, "k"), Err(Status::Unavailable));
    assert_eq!(set(&host, "k", "v"), Err(Status::Unavailable));
    rows.failing.store(false, SeqCst);
    set(&host, "k", "v").unwrap();
    host.kv.flush().unwrap();
}

#[test]
fn changes_of_one_key_are_appended_once_and_in_groups() {
    let (host, rows) = host(KvLimits::default());
    rows.hold(true);
    for i in 0..100 {
        set(&host, &format!("k{}", i % 10), i.to_string()).unwrap();
    }
    rows.hold(false);
    host.kv.flush().unwrap();
    let appends = rows.appends.lock().clone();
    assert!(appends.len() <= 3 && appends.iter().sum::<usize>() <= 30, "{appends:?}");
    assert_eq!(rows.value("acme/log-redactor", "k9"), Some(b"99".to_vec()));
}

#[test]
fn a_full_queue_holds_a_writer_up_to_its_deadline() {
    let (mut host, rows) = host(KvLimits { queue_bytes: 300, ..KvLimits::default() });
    rows.hold(true);
    host.deadline = Deadline::at_ms(0);
    let mut accepted = 0;
    let refused = loop {
        match set(&host, "k", [0; 100]) {
            Ok(()) => accepted += 1,
            Err(status) => break status,
        }
        assert!(accepted < 10, "the queue has no bound");
    };
    assert_eq!((refused, accepted), (Status::Timeout, 1));
    host.deadline = Deadline::NEVER;
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| set(&host, "late", "v"));
        rows.hold(false);
        writer.join().unwrap().unwrap();
    });
}

#[test]
fn a_writer_appends_the_queue_itself_when_the_thread_is_late() {
    let (rows, clock) = (Arc::new(Rows::default()), ManualClock::at(0));
    // No thread at all is as late as one can be.
    let core = Core::new(rows.clone(), KvLimits::default());
    let write_after = |ms, key| {
        clock.advance(Duration::from_millis(ms));
        core.write(&named("p"), &Change::Set(key, b"v"), Deadline::NEVER, &*clock).unwrap();
        rows.appends.lock().clone()
    };
    assert_eq!(write_after(1, "a"), [0; 0]);
    assert_eq!(write_after(1, "b"), [0; 0]);
    assert_eq!(write_after(1, "c"), [3]);
    assert_eq!(write_after(9, "d"), [3]);
    assert_eq!(write_after(2, "e"), [3, 2]);
}

#[test]
fn writers_are_held_while_room_is_short_and_go_on_after_the_settling() {
    let (mut host, rows) = host(KvLimits::default());
    *rows.settle_held.lock() = true;
    *rows.room.lock() = Some(KvRoom::Short);
    host.deadline = Deadline::at_ms(0);
    set(&host, "first", "v").unwrap();
    wait_for(|| set(&host, "k", "v") == Err(Status::Timeout));
    // What was accepted is out, though nothing was settled.
    wait_for(|| host.kv.core.backlog.is_empty());
    assert_eq!(rows.settled.load(SeqCst), 0);
    host.deadline = Deadline::NEVER;
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| set(&host, "late", "v"));
        *rows.settle_held.lock() = false;
        rows.released.notify_all();
        writer.join().unwrap().unwrap();
    });
    host.kv.flush().unwrap();
    assert_eq!(rows.value("acme/log-redactor", "late"), Some(b"v".to_vec()));
}

#[test]
fn idle_namespaces_are_let_go_and_come_back_unchanged() {
    let (mut host, rows) = host(KvLimits { memory_bytes: 1000, ..KvLimits::default() });
    let plugins: Vec<PluginIdentity> = (0..10).map(|i| named(&format!("p{i}"))).collect();
    for plugin in &plugins {
        host.become_plugin(plugin.clone());
        set(&host, "k", plugin.name.as_str().repeat(100)).unwrap();
        host.kv.flush().unwrap();
        host.clock.advance(Duration::from_millis(5));
    }
    let resident: usize = host.kv.core.shards.all().map(|s| s.read().areas.len()).sum();
    assert!((1..=3).contains(&resident), "{resident}");
    for plugin in &plugins {
        host.become_plugin(plugin.clone());
        assert_eq!(get(&host, "k"), Ok(plugin.name.as_str().repeat(100).into_bytes()));
    }
    assert!(rows.loads.lock().len() > 10);
    // What is not durable is never let go, however short memory is.
    rows.hold(true);
    for plugin in &plugins {
        host.become_plugin(plugin.clone());
        set(&host, "k", plugin.name.as_str().repeat(200)).unwrap();
    }
    for plugin in &plugins {
        host.become_plugin(plugin.clone());
        assert_eq!(get(&host, "k"), Ok(plugin.name.as_str().repeat(200).into_bytes()));
    }
    rows.hold(false);
}

#[test]
fn forgetting_appends_first_and_reads_the_rows_again_afterwards() {
    let (host, rows) = host(KvLimits::default());
    set(&host, "k", "v").unwrap();
    host.kv.forget(host.plugin().id).unwrap();
    assert_eq!(rows.value("acme/log-redactor", "k"), Some(b"v".to_vec()));
    rows.rows.lock().clear();
    assert_eq!(get(&host, "k"), Err(Status::NotFound));
}

#[test]
fn many_writers_lose_nothing() {
    let (host, rows) = host(KvLimits { queue_bytes: 20_000, ..KvLimits::default() });
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let host = &host;
            threads.spawn(move || {
                for i in 0..500 {
                    set(host, &format!("{thread}/{i}"), i.to_string()).unwrap();
                }
            });
        }
    });
    host.kv.flush().unwrap();
    assert_eq!(rows.rows.lock().len(), 2000);
    assert!(host.kv.core.backlog.is_empty());
}

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
/// What RECORDING.md and CONTRACT.md give a value.
const GRACE: Duration = Duration::from_millis(5);

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

/// Runs the child with values of this size, kills it after `lines` acknowledgements, and checks what it left.
fn kill_after(test: &str, lines: usize, value: usize) {
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

    let grace = u64::try_from(GRACE.as_nanos()).unwrap();
    let promised = acknowledged.iter().filter(|(_, at)| at + grace <= killed_at).map(|(i, _)| *i).max();
    let host = on_home(dir.path());
    let latest = keys(&host.call("kv_list", args().arg("k").arg("").arg(n(10_000))).unwrap())
        .iter()
        .map(|key| u64::from_le_bytes(*get(&host, key).unwrap().first_chunk().unwrap()))
        .max();
    assert!(latest >= promised, "killed after {lines}: {latest:?} is the last, {promised:?} was promised");
    // All or nothing, in order: each key holds the last of its values up to the latest.
    let Some(latest) = latest else { return };
    for i in latest.saturating_sub(4_999)..=latest {
        let found = get(&host, &format!("k{:06}", i % 5_000)).unwrap();
        assert_eq!(
            (found.first_chunk(), found.len()),
            (Some(&i.to_le_bytes()), 8 + value),
            "killed after {lines}"
        );
    }
}

#[test]
fn fault_089_values_older_than_5_ms_survive_kill_9_without_a_flush() {
    if let Ok(home) = std::env::var(CHILD_HOME) {
        write_until_killed(Path::new(&home));
    }
    let test = "extension::kv::tests::fault_089_values_older_than_5_ms_survive_kill_9_without_a_flush";
    for lines in [1, 2, 53, 700, 2_111, 9_000] {
        kill_after(test, lines, 40);
    }
    // Journals fill and are settled in between.
    for lines in [400, 2_500] {
        kill_after(test, lines, 16_000);
    }
}

/// The home's rows, and how old each change was when its append began and ended, and when its sync ended.
struct Timed {
    rows: HomeRows,
    clock: Arc<SystemClock>,
    unsynced: Mutex<Vec<u64>>,
    ages: Mutex<[Vec<u64>; 3]>,
}

impl Timed {
    fn note(&self, which: usize, stamps: &[u64]) {
        let now = self.clock.mono_ns();
        self.ages.lock()[which].extend(stamps.iter().map(|stamp| now - stamp));
    }
}

impl KvPersist for Timed {
    fn load(&self, namespace: &str, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), PersistError> {
        self.rows.load(namespace, each)
    }
    fn append(&self, writes: &[KvWrite]) -> Result<(), PersistError> {
        let stamp = |w: &KvWrite| u64::from_le_bytes(*w.value.as_ref()?.first_chunk()?).into();
        let stamps: Vec<u64> = writes.iter().filter_map(stamp).collect();
        self.note(0, &stamps);
        self.rows.append(writes)?;
        self.note(1, &stamps);
        self.unsynced.lock().extend(stamps);
        Ok(())
    }
    fn sync(&self) -> Result<(), PersistError> {
        let stamps = std::mem::take(&mut *self.unsynced.lock());
        self.rows.sync()?;
        self.note(2, &stamps);
        Ok(())
    }
    fn room(&self) -> KvRoom {
        self.rows.room()
    }
    fn settle(&self) -> Result<(), PersistError> {
        self.rows.settle()
    }
}

#[test]
#[ignore = "a measurement, for the eye"]
fn ages_of_values_when_they_are_written_and_durable() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SystemClock::start().unwrap();
    let home = Home::open(dir.path(), Duration::ZERO, clock.clone()).unwrap();
    let timed = Timed { rows: HomeRows(home), clock, unsynced: Mutex::default(), ages: Mutex::default() };
    let timed = Arc::new(timed);
    let host = Host::with_kv(Kv::start(timed.clone(), KvLimits::default()).unwrap());
    for (pace, count, value) in [(20_000, 200, 64), (1_000, 3_000, 64), (0, 200_000, 64), (0, 5_000, 16_000)]
    {
        let value = vec![7; value];
        for i in 0..count {
            let stamped = [&timed.clock.mono_ns().to_le_bytes(), value.as_slice()].concat();
            set(&host, &format!("k{}", i % 2_000), stamped).unwrap();
            if pace > 0 {
                std::thread::park_timeout(Duration::from_micros(pace));
            }
        }
        host.kv.flush().unwrap();
        for (what, mut ages) in
            ["begun", "written", "durable"].iter().zip(std::mem::take(&mut *timed.ages.lock()))
        {
            ages.sort_unstable();
            let at = |share: usize| ages[(ages.len() - 1) * share / 1000] as f64 / 1e6;
            let [median, p95, p999, max] = [500, 950, 999, 1000].map(at);
            println!(
                "{pace:>6} us, {:>5} B, {what:>8}: {median:.2} {p95:.2} {p999:.2} {max:.2} ms",
                value.len()
            );
        }
    }
}
