//! One story's world: a directory that goes away with it, a home in it, and the binary pointed at that home.

use crate::binary::{Ran, forgeone};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// A temporary directory with a home in it.
#[derive(Debug)]
pub struct World {
    dir: tempfile::TempDir,
    settings: Value,
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
        let world = Self { dir, settings };
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
        command.env("FORGEONE_HOME", self.home()).env("NO_COLOR", "1").current_dir(self.dir.path());
        command
    }
    /// Runs `forgeone` with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, b"")
    }
    /// Runs `forgeone` with these arguments and this on stdin.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        Ran::of(self.command().args(arguments), input)
    }
    /// `forgeone call NAME OPERATION --input -`.
    pub fn call(&self, name: &str, operation: &str, input: &[u8]) -> Ran {
        self.run_with(&["call", name, operation, "--input", "-"], input)
    }
    /// Writes a package and installs it.
    pub fn install(&self, name: &str, package: &[u8]) -> Ran {
        let file = self.write(&format!("{name}.forgepkg"), package);
        self.run(&["install", file.to_str().expect("UTF-8 path")])
    }
    /// Bytes of every file below a directory of the home, by path.
    pub fn files_below(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        collect(&self.home().join(name), &mut found);
        found.sort();
        found
    }
}

fn collect(dir: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.is_file() {
            found.push((path.clone(), std::fs::read(&path).expect("file")));
        }
    }
}
