//! Prints how long it takes from a revocation to the end of the last call of the last instance it concerns.
//!
//! `cargo xtask soak revoke [ENGINE]... [INSTANCES]`. So many instances (200 where nothing is said) of 20 plugins are in a
//! call that does not end by itself. Then, in one home, the certificate that signed them is revoked, and in another the
//! digest of each package is put on the kill-list; both by writing the files a host watches, as `forgeone keys revoke` and
//! an editor do. A plugin of another publisher must still answer. More than a second ends the program with status 1.

#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use common::crypto::Algorithm;
use common::identity::{Digest, Name};
use plugin_manager::attestation::TrustConfig;
use plugin_manager::{
    CallOptions, IssueRequest, KeyRing, PackageLimits, PluginManager, RevokeRequest, Source, pack, sign,
};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PLUGINS: usize = 20;
const INSTANCES: usize = 200;
const LIMIT: Duration = Duration::from_secs(1);

const SPINNER: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "init") (result i32) i32.const 0)
    (func (export "start") (result i32) i32.const 0)
    (func (export "stop") (result i32) i32.const 0)
    (func (export "idle") (param i32) (result i32) i32.const 0)
    (func (export "spin") (param i32) (result i32)
      (loop $l (br $l)) i32.const 0))"#;

fn package(name: &str, publisher: &str, instances: usize) -> Outcome<Vec<u8>> {
    let module = wat::parse_str(SPINNER)?;
    let toml = format!(
        "[plugin]\nname = \"{name}\"\nversion = \"1.0.0\"\npublisher = \"{publisher}\"\n\
         [instances]\nmode = \"pooled\"\nmax = {instances}\n\
         [[operations]]\nname = \"idle\"\n[[operations]]\nname = \"spin\"\n"
    );
    let source = Source { plugin_toml: &toml, publisher: None, module: &module, assets: &[] };
    Ok(pack(&source, &PackageLimits::default())?)
}

fn name(text: &str) -> Outcome<Name> {
    Ok(Name::new(text)?)
}

/// A staging home that trusts `bad` and `good`.
fn home(dir: &Path, engine: &str) -> Outcome<()> {
    std::fs::write(
        dir.join("plugin-manager.yaml"),
        format!(
            "plugin_manager:\n  environment: staging\n  engine: {engine}\n  default_timeout: 60s\n  \
             security: {{ namespace_isolation: false }}\n"
        ),
    )?;
    let ring = KeyRing::new(dir);
    ring.init(&name("house")?, false)?;
    for publisher in ["bad", "good"] {
        ring.issue(&IssueRequest {
            publisher: name(publisher)?,
            algorithm: Algorithm::EcdsaP256Sha256,
            days: 10,
            development: false,
            packages: vec!["*".to_owned()],
        })?;
    }
    Ok(())
}

/// Whether every instance of a plugin is in its call: another call finds none that is free.
fn is_busy(host: &PluginManager, plugin: &str) -> bool {
    let shortly = CallOptions::new().timeout(Duration::from_millis(20));
    host.call_with(plugin, "idle", Vec::new(), &shortly).is_err()
}

type Revoke = fn(&Path, &[Vec<u8>]) -> Outcome<()>;

/// The time from the revocation to the end of the last call, and to the last plugin that is quarantined.
fn measure(
    engine: &str,
    instances: usize,
    (revoke, expected): (Revoke, &str),
) -> Outcome<(Duration, Duration)> {
    let dir = std::env::temp_dir().join(format!("forgeone-revocations-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir)?;
    home(&dir, engine)?;
    let host = PluginManager::builder().home(&dir).open()?;
    let each = instances.div_ceil(PLUGINS);
    let (mut names, mut packages) = (Vec::new(), Vec::new());
    for i in 0..instances.div_ceil(each) {
        let plugin = format!("spinner-{i}");
        let signer = KeyRing::new(&dir).signer(&name("bad")?)?;
        let signed = sign(&package(&plugin, "bad", each)?, &signer)?;
        host.install(&signed, true)?;
        names.push(plugin);
        packages.push(signed);
    }
    let signer = KeyRing::new(&dir).signer(&name("good")?)?;
    host.install(&sign(&package("other", "good", 1)?, &signer)?, true)?;
    let watch = host.watch_trust()?;
    let callers: Vec<_> = names
        .iter()
        .flat_map(|plugin| std::iter::repeat_n(plugin.clone(), each))
        .map(|plugin| {
            let host = host.clone();
            std::thread::spawn(move || host.call(&plugin, "spin", Vec::new()).err().map(|e| e.code().id))
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !names.iter().all(|plugin| is_busy(&host, plugin)) {
        if Instant::now() > deadline {
            return Err("the calls did not begin".into());
        }
    }
    let began = Instant::now();
    revoke(&dir, &packages)?;
    for caller in callers {
        let code = caller.join().map_err(|_| "a caller panicked")?;
        if code != Some(expected) {
            return Err(format!("a call ended with {code:?}").into());
        }
    }
    let ended = began.elapsed();
    for plugin in &names {
        while host.status(plugin)?.state != "Quarantined" {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let kept = began.elapsed();
    host.call("other", "idle", Vec::new())?;
    drop(watch);
    host.shutdown()?;
    std::fs::remove_dir_all(&dir)?;
    Ok((ended, kept))
}

/// What `forgeone keys revoke bad` does.
fn revoked(home: &Path, _: &[Vec<u8>]) -> Outcome<()> {
    let request = RevokeRequest { who: Some(name("bad")?), serial: None, kill: false, days: 30 };
    KeyRing::new(home).revoke(&request)?;
    Ok(())
}

/// What an administrator does who adds digests to the kill-list.
fn killed(home: &Path, packages: &[Vec<u8>]) -> Outcome<()> {
    let file = home.join("trust/trust.toml");
    let mut trust = TrustConfig::parse(&std::fs::read_to_string(&file)?)?;
    trust.kill.digests.extend(packages.iter().map(|package| Digest::of(package)));
    let fresh = home.join("trust/trust.new");
    std::fs::write(&fresh, trust.to_toml())?;
    std::fs::rename(fresh, file)?;
    Ok(())
}

fn main() -> Outcome<()> {
    let (numbers, engines): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|arg| arg.bytes().all(|b| b.is_ascii_digit()));
    let instances = numbers.first().map_or(Ok(INSTANCES), |n| n.parse())?;
    let engines = if engines.is_empty() { vec!["wasmtime".into(), "wasmer".into()] } else { engines };
    println!("{instances} instances in a call; last call ended, last plugin quarantined");
    let mut slow = false;
    for engine in engines {
        let (ended, kept) = measure(&engine, instances, (revoked, "E1304"))?;
        println!("{engine}, certificate revoked: {} ms, {} ms", ended.as_millis(), kept.as_millis());
        let (died, gone) = measure(&engine, instances, (killed, "E1404"))?;
        println!("{engine}, digests on the kill-list: {} ms, {} ms", died.as_millis(), gone.as_millis());
        slow |= [ended, kept, died, gone].into_iter().any(|took| took > LIMIT);
    }
    if slow { Err("a revocation took more than a second".into()) } else { Ok(()) }
}
