//! Measures a home with many installed plugins: what it takes to open, list, install and remove there, and its memory.
//!
//! `cargo xtask soak crowd` builds and runs it. `crowd COUNT RUNNING [FORGEONE]`: so many plugins, each with its own
//! name, manifest and signature, which share one module; so many of them are desired running and brought up. Each needs
//! up to two others. With the path of the binary the same home is listed through it too.

#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use common::crypto::Algorithm;
use common::identity::Name;
use plugin_manager::{IssueRequest, KeyRing, PackageLimits, PluginManager, Source, pack, sign};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

const CONFIG: &str = "plugin_manager:\n  environment: staging\n  max_plugins: 100000\n  \
                      security: { verify_signatures: true, enforce_permissions: true, audit_logging: true, \
                      namespace_isolation: false }\n";

const MODULE: &str = r#"(module
  (import "env" "output" (func $output (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "init") (result i32) i32.const 0)
  (func (export "start") (result i32) i32.const 0)
  (func (export "stop") (result i32) i32.const 0)
  (func (export "greet") (param i32) (result i32) (call $output (i32.const 0) (i32.const 8))))"#;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (count, running, binary) = match arguments.as_slice() {
        [count, running] => (count, running, None),
        [count, running, binary] => (count, running, Some(binary)),
        _ => return Err("usage: crowd COUNT RUNNING [FORGEONE]".into()),
    };
    let crowd = Crowd::new(count.parse()?, running.parse()?)?;
    crowd.fill()?;
    crowd.measure()?;
    binary.map_or(Ok(()), |binary| crowd.through(Path::new(binary)))
}

struct Crowd {
    count: usize,
    running: usize,
    dir: tempfile::TempDir,
    module: Vec<u8>,
    signer: plugin_manager::SignWith,
}

impl Crowd {
    fn new(count: usize, running: usize) -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join("plugin-manager.yaml"), CONFIG)?;
        let keys = KeyRing::new(dir.path());
        keys.init(&Name::new("crowd")?, false)?;
        let publisher = Name::new("acme")?;
        keys.issue(&IssueRequest {
            publisher: publisher.clone(),
            algorithm: Algorithm::Ed25519,
            days: 30,
            development: false,
            packages: vec!["*".to_owned()],
        })?;
        let signer = keys.signer(&publisher)?;
        Ok(Self { count, running, module: wat::parse_str(MODULE)?, signer, dir })
    }

    fn open(&self) -> Outcome<PluginManager> {
        Ok(PluginManager::builder().home(self.dir.path()).open()?)
    }

    /// The signed package of one plugin, which needs up to two that came before it.
    fn package(&self, number: usize) -> Outcome<Vec<u8>> {
        let mut needs: Vec<usize> = [number / 2, number / 3].into_iter().filter(|n| *n < number).collect();
        needs.dedup();
        let needs: String = needs.iter().map(|n| format!("crowd-{n:05}-x = \"^1\"\n")).collect();
        let toml = format!(
            "[plugin]\nname = \"crowd-{number:05}-x\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n\
             [[operations]]\nname = \"greet\"\n[dependencies]\ncommon = \"^1\"\n{needs}"
        );
        let source = Source { plugin_toml: &toml, publisher: None, module: &self.module, assets: &[] };
        Ok(sign(&pack(&source, &PackageLimits::default())?, &self.signer)?)
    }

    /// Installs them all, and says how long the first and the last thousandth took.
    fn fill(&self) -> Outcome<()> {
        let host = self.open()?;
        let part = (self.count / 10).max(1);
        let mut begun = Instant::now();
        let all = Instant::now();
        for number in 0..self.count {
            let package = self.package(number)?;
            host.install(&package, false)?;
            if (number + 1) % part == 0 {
                let each = begun.elapsed() / u32::try_from(part)?;
                println!("{:<44}{each:?}", format!("install, up to number {}", number + 1));
                begun = Instant::now();
            }
        }
        println!("{:<44}{:?}", "install all", all.elapsed());
        timed("shut down, none running", || host.shutdown())
    }

    fn measure(&self) -> Outcome<()> {
        let before = resident()?;
        let begun = Instant::now();
        let host = self.open()?;
        println!("{:<44}{:?}", "open", begun.elapsed());
        println!("{:<44}{} KiB, {before} KiB before", "resident memory after opening", resident()?);
        for turn in ["list", "list again", "list again"] {
            let list = timed(turn, || host.list())?;
            assert_eq!(list.len(), self.count);
        }
        timed("dependencies", || host.dependencies(&[]))?;
        timed("start levels", || host.start_levels())?;
        let begun = Instant::now();
        for number in 0..self.running {
            host.start(&format!("crowd-{number:05}-x"))?;
        }
        println!("{:<44}{:?}", format!("start {} of them", self.running), begun.elapsed());
        println!("{:<44}{} KiB", "resident memory with them running", resident()?);
        let package = self.package(self.count)?;
        timed("install one more", || host.install(&package, false))?;
        timed("remove it", || host.remove(&format!("crowd-{:05}-x", self.count), false))?;
        timed("call one that runs", || host.call("crowd-00000-x", "greet", vec![]))?;
        timed("list", || host.list())?;
        timed("shut down", || host.shutdown())
    }

    /// The same home through the command line.
    fn through(&self, binary: &Path) -> Outcome<()> {
        let lines: [&[&str]; 4] =
            [&["list"], &["list", "--json"], &["deps", "check"], &["deps", "graph", "--format", "dot"]];
        for line in lines {
            let words = line.join(" ");
            timed(&format!("forgeone {words}"), || -> Outcome<()> {
                let ran = std::process::Command::new(binary)
                    .arg("--home")
                    .arg(self.dir.path())
                    .args(line)
                    .output()?;
                if ran.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&ran.stderr).into()) }
            })?;
        }
        Ok(())
    }
}

fn timed<T, E: Into<Box<dyn Error>>>(what: &str, job: impl FnOnce() -> Result<T, E>) -> Outcome<T> {
    let begun = Instant::now();
    let done = job().map_err(Into::into)?;
    println!("{what:<44}{:?}", begun.elapsed());
    Ok(done)
}

/// Resident memory of this process, in KiB.
fn resident() -> Outcome<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?.parse()?)
}
