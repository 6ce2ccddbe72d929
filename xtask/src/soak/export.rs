//! Writes a long log and exports it with the binary in every format, then counts evidence of it: time, and the most memory
//! the process had. Fails when that is more than a bound that does not depend on the log.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use common::audit::{Actor, AuditLog, AuditOptions, Outcome, Record};
use common::clock::SystemClock;
use common::crypto::{Algorithm, SigningKey};
use common::identity::{Digest, IdentityContext, Name, PluginId, PluginIdentity, Publisher};

use crate::project::{binary, build_binary, human, target};

/// Records, unless told otherwise: a day of eleven a second.
const RECORDS: u64 = 1_000_000;
/// Most memory of one export, in KiB.
const BOUND: u64 = 96 << 10;
/// Between two looks at the memory of a process.
const LOOK: Duration = Duration::from_millis(5);

/// `cargo xtask soak export [RECORDS]`. The log is removed afterwards.
pub fn run(args: &[String]) -> Result<()> {
    let records = match args {
        [] => RECORDS,
        [records] => records.parse().context("RECORDS is a number")?,
        _ => bail!("usage: cargo xtask soak export [RECORDS]"),
    };
    build_binary()?;
    let home = target()?.join("export_soak");
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    write(&home, records)?;
    let mut most = 0;
    for format in ["jsonl", "ocsf", "rfc5424", "cef", "ecs"] {
        most = most.max(measured(&home, format, &["audit", "export", "--format", format])?);
    }
    let out = home.join("evidence");
    let evidence = ["evidence", "--framework", "soc2", "--out", out.to_str().context("the path is no text")?];
    most = most.max(measured(&home, "evidence", &evidence)?);
    fs::remove_dir_all(&home)?;
    ensure!(most <= BOUND, "{most} KiB are more than {BOUND}");
    Ok(())
}

/// A home with nothing in it but a log, of several plugins.
fn write(home: &Path, records: u64) -> Result<()> {
    let (audit, keys) = (home.join("audit"), home.join("keys"));
    fs::create_dir_all(&audit)?;
    fs::create_dir_all(&keys)?;
    let (key, pkcs8) = SigningKey::generate(Algorithm::Ed25519)?;
    fs::write(keys.join("audit.pkcs8"), pkcs8)?;
    let log = AuditLog::open(&audit, key, AuditOptions::new("soak"), SystemClock::start()?)?;
    let actors: Vec<Actor> = (0..8).map(actor).collect::<Result<_>>()?;
    for number in 0..records {
        let name = format!("total/{number}");
        let actor = usize::try_from(number).ok().and_then(|at| actors.get(at % actors.len()));
        log.append(&Record {
            event: "host_call",
            outcome: Outcome::Ok,
            code: None,
            actor: actor.context("an actor")?,
            action: "kv_set",
            resource: ("key", &name),
            decision: None,
            details: &[],
        })?;
    }
    log.flush()?;
    Ok(())
}

fn actor(number: u64) -> Result<Actor> {
    let (name, publisher) = (Name::new(&format!("plugin-{number}"))?, Publisher::new("acme")?);
    Ok(Actor::new(&IdentityContext::plugin(PluginIdentity {
        id: PluginId::new(&publisher, &name),
        digest: Digest::of(name.as_str().as_bytes()),
        name,
        publisher,
        version: "1.0.0".to_owned(),
        instance: number,
    })))
}

/// Runs the binary over this home and tells what it took; the most memory it had, in KiB.
fn measured(home: &Path, what: &str, args: &[&str]) -> Result<u64> {
    let begun = Instant::now();
    let mut child =
        Command::new(binary()?).args(args).env("FORGEONE_HOME", home).stdout(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let ended = loop {
        let now = fs::read_to_string(&status).unwrap_or_default();
        let peak = now.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(peak.unwrap_or(0));
        match child.try_wait()? {
            Some(ended) => break ended,
            None => std::thread::sleep(LOOK),
        }
    };
    ensure!(ended.success(), "{what}: {ended}");
    println!("{what:12} {:>10}   at most {most} KiB", human(begun.elapsed()));
    Ok(most)
}
