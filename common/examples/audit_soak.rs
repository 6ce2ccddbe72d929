//! Prints time and memory of writing, verifying, opening and proving a long log:
//! `cargo run --release -p common --example audit_soak DIR [RECORDS]`.

#![allow(clippy::print_stdout, reason = "a measuring program prints")]

use common::audit::{
    Actor, AuditLog, AuditOptions, Outcome, Record, prove, prove_consistency, records_from, verify,
};
use common::clock::SystemClock;
use common::crypto::{Algorithm, SigningKey};
use common::identity::IdentityContext;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs `job`, prints how long it took and how much memory the process had at most meanwhile.
fn measured<T>(what: &str, job: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<T, Box<dyn Error>> {
    // Where the kernel does not forget the earlier peak, the printed one is of the whole process so far.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let begun = Instant::now();
    let done = job()?;
    let took = begun.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or(" unknown");
    println!("{what:52} {took:>10.3} s   at most {}", peak.trim());
    Ok(done)
}

fn write(dir: &Path, key: SigningKey, records: u64) -> Result<(), Box<dyn Error>> {
    let log = AuditLog::open(dir, key, AuditOptions::new("soak"), SystemClock::start()?)?;
    let me = Actor::new(&IdentityContext::new("soak"));
    for number in 0..records {
        let name = number.to_string();
        log.append(&Record {
            event: "host_call",
            outcome: Outcome::Ok,
            code: None,
            actor: &me,
            action: "kv_set",
            resource: ("key", &name),
            decision: None,
            details: &[],
        })?;
    }
    drop(log);
    Ok(())
}

fn size_of(dir: &Path, pick: fn(&str) -> bool) -> Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if pick(&entry.file_name().to_string_lossy()) {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

fn soak(dir: &Path, records: u64) -> Result<(), Box<dyn Error>> {
    let (key, pkcs8) = SigningKey::generate(Algorithm::Ed25519)?;
    let public = key.public();
    measured(&format!("{records} records written and durable"), || write(dir, key, records))?;
    let segments = size_of(dir, |name| name.ends_with(".jsonl"))?;
    let hashes = size_of(&dir.join("tiles"), |_| true)?;
    println!("segments {} MiB, stored hashes {} MiB", segments >> 20, hashes >> 20);
    let report = measured("verified from the files alone", || Ok(verify(dir, &public)?))?;
    println!("{} records in {} segments, root {}", report.records, report.segments, report.root);
    let seq = records / 3;
    let proof = measured(&format!("record {seq} proved"), || Ok(prove(dir, seq)?))?;
    let proven = measured("the proof checked", || Ok(proof.verify(&public)?))?;
    println!("{} hashes lead from record {seq} to the root of {}", proof.path.len(), proven.size);
    let consistency = measured("consistency with a third proved", || Ok(prove_consistency(dir, seq)?))?;
    println!("{} hashes", consistency.path.len());
    let found = measured("the last record found by its number", || {
        Ok(records_from(dir, records - 1)?.next().transpose()?.map(|(seq, _)| seq))
    })?;
    println!("record {found:?}");
    measured("opened again and closed", || {
        let key = SigningKey::from_pkcs8(&pkcs8)?;
        drop(AuditLog::open(dir, key, AuditOptions::new("soak"), SystemClock::start()?)?);
        Ok(())
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let dir = PathBuf::from(args.next().ok_or("name a directory")?).join("log");
    let records = args.next().map_or(Ok(10_000_000), |text| text.to_string_lossy().parse())?;
    if dir.exists() {
        return Err(format!("{} is there: name a directory of its own", dir.display()).into());
    }
    std::fs::create_dir_all(&dir)?;
    let done = soak(&dir, records);
    std::fs::remove_dir_all(&dir)?;
    done
}
