//! One story's world: a directory that goes away with it, a home in it, and the binary pointed at that home.

use crate::binary::{Ran, forgeone};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The engines every story about running plugins is told on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// wasmtime.
    Wasmtime,
    /// wasmer.
    Wasmer,
}

impl Engine {
    /// The word in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wasmtime => "wasmtime",
            Self::Wasmer => "wasmer",
        }
    }
}

/// The environment of a home, with what it takes to run plugins there without the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Every default holds.
    Production,
    /// Signatures on, no isolation.
    Staging,
    /// Signatures off, no isolation.
    Development,
}

/// In the environment of every command: what surrounds a process is nobody's to keep.
const SURROUNDING: &str = "canary-of-the-environment-7f3a91";
/// Shortest input of a call that is looked for: shorter ones are words that records may say for other reasons.
const PAYLOAD: usize = 16;

/// A temporary directory with a home in it. When the story is over and nothing of it failed, every file of the home is
/// searched for what must not be there: secrets that were set, the surrounding environment and whatever was
/// [planted](World::plant); and the audit log for what calls were handed.
#[derive(Debug)]
pub struct World {
    dir: tempfile::TempDir,
    settings: Value,
    canaries: Mutex<Vec<Canary>>,
}

/// Text that must not be in files below a directory of the home.
#[derive(Debug)]
struct Canary {
    below: &'static str,
    bytes: Vec<u8>,
}

impl World {
    /// A fresh home on this engine, with `default_timeout: 1s`.
    pub fn new(environment: Environment, engine: Engine) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::create_dir(dir.path().join("home")).expect("home");
        let (name, security) = match environment {
            Environment::Production => ("production", json!({})),
            Environment::Staging => ("staging", json!({"namespace_isolation": false})),
            Environment::Development => {
                ("development", json!({"verify_signatures": false, "namespace_isolation": false}))
            }
        };
        let settings = json!({
            "environment": name, "engine": engine.name(), "default_timeout": "1s", "security": security,
        });
        let canaries = vec![Canary { below: "", bytes: SURROUNDING.into() }];
        let world = Self { dir, settings, canaries: Mutex::new(canaries) };
        world.write_config();
        world
    }
    /// A development home on wasmtime: for stories that are not about engines.
    pub fn development() -> Self {
        Self::new(Environment::Development, Engine::Wasmtime)
    }

    /// Sets one key below `plugin_manager` and writes the configuration again.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.settings[key] = value;
        self.write_config();
        self
    }
    fn write_config(&self) {
        let text = json!({ "plugin_manager": self.settings }).to_string();
        std::fs::write(self.home().join("plugin-manager.yaml"), text).expect("configuration");
    }

    /// The home.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }
    /// A path beside the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    /// Writes a file beside the home, with its directories.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("directories");
        std::fs::write(&path, bytes).expect("file");
        path
    }

    /// The binary with this home and nothing of the surrounding environment that it listens to.
    pub fn command(&self) -> Command {
        let mut command = Command::new(forgeone());
        for name in ["FORGEONE_HOME", "FORGEONE_LOG", "XDG_DATA_HOME", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command
            .env("FORGEONE_HOME", self.home())
            .env("NO_COLOR", "1")
            .env("FORGEONE_CANARY", SURROUNDING)
            .current_dir(self.dir.path());
        command
    }
    /// Runs `forgeone` with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, b"")
    }
    /// Runs `forgeone` with these arguments and this on stdin. A secret that is set so is in no file of the home.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        if arguments.starts_with(&["secrets", "set"]) {
            self.plant(input.trim_ascii());
        }
        Ran::of(self.command().args(arguments), input)
    }
    /// `forgeone call NAME OPERATION --input -`. The input is in no record.
    pub fn call(&self, name: &str, operation: &str, input: &[u8]) -> Ran {
        if input.len() >= PAYLOAD {
            self.keep_from("audit", input);
        }
        self.run_with(&["call", name, operation, "--input", "-"], input)
    }
    /// Writes a package and installs it.
    pub fn install(&self, name: &str, package: &[u8]) -> Ran {
        let file = self.write(&format!("{name}.forgepkg"), package);
        self.run(&["install", file.to_str().expect("UTF-8 path")])
    }
    /// Looks for this in every file of the home when the story is over; it must not be there. Text of less than 8 bytes
    /// is too common to look for.
    pub fn plant(&self, text: &[u8]) {
        if text.len() >= 8 {
            self.keep_from("", text);
        }
    }
    fn keep_from(&self, below: &'static str, text: &[u8]) {
        self.canaries.lock().expect("no story failed").push(Canary { below, bytes: text.to_vec() });
    }
    /// Bytes of every file below a directory of the home, by path.
    pub fn files_below(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        collect(&self.home().join(name), &mut found);
        found.sort();
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let Ok(canaries) = self.canaries.get_mut().map(std::mem::take) else { return };
        let files = self.files_below("");
        for Canary { below, bytes } in canaries {
            let dir = self.home().join(below);
            for (path, held) in files.iter().filter(|(path, _)| path.starts_with(&dir)) {
                let found = held.windows(bytes.len()).any(|part| part == bytes);
                assert!(!found, "{} holds {:?}", path.display(), String::from_utf8_lossy(&bytes));
            }
        }
    }
}

fn collect(dir: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.is_file() {
            match std::fs::read(&path) {
                Ok(bytes) => found.push((path, bytes)),
                // A daemon of the story took it away meanwhile.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", path.display()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_that_leaves_a_canary_in_its_home_fails() {
        type Leave = fn(&World);
        let ways: [(bool, Leave); 4] = [
            (false, |world| drop(world.write("home/keys/x", b"nothing"))),
            (true, |world| drop(world.write("home/keys/x", SURROUNDING))),
            (true, |world| {
                world.plant(b"correct horse");
                world.write("home/state", b"...correct horse...");
            }),
            (false, |world| {
                world.keep_from("audit", b"what a call was handed");
                world.write("home/data/x", b"what a call was handed");
            }),
        ];
        for (fails, leave) in ways {
            let told = std::panic::catch_unwind(|| {
                let world = World::development();
                leave(&world);
            });
            assert_eq!(told.is_err(), fails);
        }
    }
}
