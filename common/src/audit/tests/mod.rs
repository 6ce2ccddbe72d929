//! Whole logs on real files: what is promised is written, what is damaged is found, what is killed comes back.

mod crashing;
mod damage;
mod failing;
mod jumping;
mod kill;
mod load;
mod proving;
mod retaining;
mod sending;
mod tallies;
mod writing;

use super::*;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::crypto::{Algorithm, PublicKey, SigningKey};
use crate::identity::IdentityContext;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A directory, a key that can be had again, and a clock.
struct Bed {
    dir: TempDir,
    pkcs8: Vec<u8>,
    clock: Arc<dyn Clock>,
}

impl Bed {
    fn new() -> Self {
        Self::on(SystemClock::start().unwrap())
    }
    fn on(clock: Arc<dyn Clock>) -> Self {
        let (_, pkcs8) = SigningKey::generate(Algorithm::Ed25519).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), pkcs8, clock }
    }
    fn standing() -> (Self, Arc<ManualClock>) {
        let clock = ManualClock::at(1_795_219_200_000_000_000);
        (Self::on(clock.clone()), clock)
    }
    fn dir(&self) -> &Path {
        self.dir.path()
    }
    fn key(&self) -> SigningKey {
        SigningKey::from_pkcs8(&self.pkcs8).unwrap()
    }
    fn public(&self) -> PublicKey {
        self.key().public()
    }
    fn try_open(&self, options: AuditOptions) -> Result<AuditLog, AuditError> {
        AuditLog::open(self.dir(), self.key(), options, self.clock.clone())
    }
    fn open(&self) -> AuditLog {
        self.try_open(options()).unwrap()
    }
    fn verify(&self) -> Result<VerifyReport, Finding> {
        verify(self.dir(), &self.public())
    }
    fn records(&self) -> Vec<Value> {
        records_in(self.dir())
    }
}

fn records_in(dir: &Path) -> Vec<Value> {
    tail(dir, u64::MAX).unwrap().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn options() -> AuditOptions {
    AuditOptions { journal_slots: 256, ..AuditOptions::new("node1") }
}

fn actor() -> Actor {
    Actor::new(&IdentityContext::new("test"))
}

fn record<'a>(actor: &'a Actor, name: &'a str) -> Record<'a> {
    Record {
        event: "host_call",
        outcome: Outcome::Ok,
        code: None,
        actor,
        action: "kv_set",
        resource: ("key", name),
        decision: None,
        details: &[],
    }
}

fn names(records: &[Value]) -> Vec<&str> {
    records
        .iter()
        .filter(|r| r["action"] == "kv_set")
        .map(|r| r["resource"]["name"].as_str().unwrap())
        .collect()
}

/// Copies the files of a log.
fn copy_log(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_log(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Waits for something another thread does, with an end.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..20_000 {
        if done() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_micros(500));
    }
    panic!("never: {what}");
}
