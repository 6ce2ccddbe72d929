//! Prints what recording costs on this machine: `cargo run --release -p common --example audit_rate [DIR]`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measuring program prints and may stop"
)]

use common::audit::{Actor, AuditLog, AuditOptions, JournalKind, Outcome, Record, verify};
use common::clock::SystemClock;
use common::crypto::{Algorithm, SigningKey};
use common::identity::{Digest, IdentityContext, Name, PluginId, PluginIdentity};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Short turns, so that both sides of a ratio meet the same disk.
const RUN: Duration = Duration::from_millis(700);
const TURNS: usize = 7;

fn actor() -> Actor {
    let name = |text: &str| Name::new(text).unwrap();
    Actor::new(&IdentityContext::plugin(PluginIdentity {
        id: PluginId::new(&name("acme"), &name("log-redactor")),
        name: name("log-redactor"),
        publisher: name("acme"),
        version: "1.2.0".into(),
        digest: Digest::of(b"manifest"),
        instance: 3,
    }))
}

fn record(actor: &Actor) -> Record<'_> {
    Record {
        event: "host_call",
        outcome: Outcome::Ok,
        code: None,
        actor,
        action: "kv_set",
        resource: ("key", "counters/2026-11-21/emails"),
        decision: Some(common::audit::Decision { policies: "", epoch: 42, cached: false }),
        details: &[],
    }
}

/// Runs `work` on `threads` threads for [`RUN`]; returns how much they did in a second.
fn rate(threads: usize, work: impl Fn() -> u64 + Sync) -> f64 {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    done.fetch_add(work(), Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(RUN);
        stop.store(true, Ordering::Relaxed);
    });
    done.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64()
}

/// How long each piece of work takes to be acknowledged: median and 99th of a hundred.
fn latency(what: &str, threads: usize, work: impl Fn() + Sync) {
    let (stop, times) = (AtomicBool::new(false), std::sync::Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    work();
                    mine.push(begin.elapsed().as_nanos() as f64 / 1e3);
                }
                times.lock().unwrap().append(&mut mine);
            });
        }
        std::thread::sleep(RUN * 2);
        stop.store(true, Ordering::Relaxed);
    });
    let mut times = times.into_inner().unwrap();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("  {what:34} acknowledged after {:>8.0} us, 99 in 100 by {:>8.0} us", at(0.5), at(0.99));
}

/// The least that durable group commit can cost: lines of the same size, each hashed with the hash of the one
/// before, one write and one sync a group.
fn bare_file(dir: &Path, threads: usize, in_flight: u64) -> f64 {
    use std::sync::{Condvar, Mutex};
    let mut file = std::fs::File::create(dir.join("bare")).unwrap();
    let mut line = vec![b'x'; 560];
    let (queued, durable) = (Mutex::new(0_u64), Mutex::new(0_u64));
    let (bell, done) = (Condvar::new(), Condvar::new());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                let mut guard = queued.lock().unwrap();
                while *guard == written && !stop.load(Ordering::Relaxed) {
                    guard = bell.wait_timeout(guard, Duration::from_millis(20)).unwrap().0;
                }
                let target = *guard;
                drop(guard);
                let mut group = Vec::with_capacity(line.len() * (target - written) as usize);
                for _ in written..target {
                    let hash = Digest::of(&line);
                    line[..32].copy_from_slice(hash.as_bytes());
                    group.extend_from_slice(&line);
                }
                file.write_all(&group).unwrap();
                file.sync_data().unwrap();
                written = target;
                *durable.lock().unwrap() = written;
                done.notify_all();
            }
        });
        let result = rate(threads, || {
            let mut mine = 0;
            for _ in 0..in_flight {
                let mut guard = queued.lock().unwrap();
                *guard += 1;
                mine = *guard;
                drop(guard);
                bell.notify_one();
            }
            let mut guard = durable.lock().unwrap();
            while *guard < mine {
                guard = done.wait_timeout(guard, Duration::from_millis(100)).unwrap().0;
            }
            in_flight
        });
        stop.store(true, Ordering::Relaxed);
        result
    })
}

fn nanoseconds(name: &str, times: u64, mut work: impl FnMut(u64)) {
    let begin = Instant::now();
    (0..times).for_each(&mut work);
    println!("{name:44} {:>9.1} ns", begin.elapsed().as_nanos() as f64 / times as f64);
}

/// Medians of alternating turns of the bare file and the log, and their ratio.
fn compare(what: &str, mut bare: impl FnMut() -> f64, mut log: impl FnMut() -> f64) {
    let turns: Vec<(f64, f64)> = (0..TURNS).map(|_| (bare(), log())).collect();
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[TURNS / 2]
    };
    let of = |pick: fn(&(f64, f64)) -> f64| median(turns.iter().map(pick).collect());
    let (bare, log, ratio) = (of(|t| t.0), of(|t| t.1), of(|t| t.1 / t.0));
    println!("  {what:30} bare file {bare:>8.0}/s   log {log:>8.0}/s   ratio {ratio:.2}");
}

fn measure(root: &Path, journal: JournalKind) {
    let dir = root.join(format!("{journal:?}"));
    let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let public = key.public();
    let clock = SystemClock::start().unwrap();
    let options = AuditOptions { journal, journal_slots: 8_192, ..AuditOptions::new("bench") };
    let log = AuditLog::open(&dir, key, options, clock).unwrap();
    let me = actor();
    println!("journal {journal:?}, durable records");
    let commit = || log.commit(&record(&me)).map_or(0, |_| 1);
    compare("1 waiter", || bare_file(root, 1, 1), || rate(1, commit));
    compare("16 waiters", || bare_file(root, 16, 1), || rate(16, commit));
    compare("64 waiters", || bare_file(root, 64, 1), || rate(64, commit));
    let in_flight = || {
        let last = (0..512).fold(None, |_, _| log.append(&record(&me)).ok());
        last.map_or(0, |ticket| ticket.durable().map_or(0, |_| 512))
    };
    compare("4 x 512 in flight", || bare_file(root, 4, 512), || rate(4, in_flight));
    [1, 16, 64]
        .iter()
        .for_each(|threads| latency(&format!("{threads} waiters"), *threads, || assert_eq!(commit(), 1)));
    latency("4 x 512 in flight, the whole 512", 4, || assert_eq!(in_flight(), 512));
    log.flush().unwrap();
    nanoseconds("  append, ring not full", 4_000, |_| {
        log.append(&record(&me)).unwrap();
    });
    log.flush().unwrap();
    let mut tally = log.tally(&me, "ping", "none");
    nanoseconds("  hit, sustained at the default rate", 200_000_000, |_| tally.hit(1, true, 0).unwrap());
    drop(tally);
    drop(log);
    let begin = Instant::now();
    let report = verify(&dir, &public).unwrap();
    let each = begin.elapsed().as_nanos() as f64 / report.records as f64;
    println!("  verify {} records in {} segments {each:>12.0} ns each", report.records, report.segments);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn main() {
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/audit_rate"), PathBuf::from);
    std::fs::create_dir_all(&root).unwrap();
    measure(&root, JournalKind::Mapped);
    measure(&root, JournalKind::Memory);
    std::fs::remove_dir_all(&root).unwrap();
}
