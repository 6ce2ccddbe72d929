//! Runs the `forgeone` binary on one home and keeps what it answered.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::project::binary;

/// A home and the engine its configuration chooses.
pub struct Host {
    pub home: PathBuf,
    pub engine: String,
}

/// What one command answered.
#[derive(Debug)]
pub struct Answer {
    command: String,
    code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub time: Duration,
}

impl Host {
    /// Makes the home with a configuration for staging in it.
    pub fn new(home: PathBuf, engine: &str) -> Result<Self> {
        fs::create_dir_all(&home)?;
        private(&home)?;
        let config = format!(
            "plugin_manager:\n  environment: staging\n  engine: {engine}\n  security: {{ verify_signatures: true, \
             enforce_permissions: true, audit_logging: true, namespace_isolation: false }}\n"
        );
        fs::write(home.join("plugin-manager.yaml"), config)?;
        Ok(Self { home, engine: engine.to_owned() })
    }

    /// The same host on another home.
    pub fn at(&self, home: PathBuf) -> Self {
        Self { home, engine: self.engine.clone() }
    }

    /// Runs one command on the home.
    pub fn forgeone(&self, args: &[&str]) -> Result<Answer> {
        let binary = binary()?;
        let begun = Instant::now();
        let output = Command::new(&binary)
            .arg("--home")
            .arg(&self.home)
            .args(args)
            .env("NO_COLOR", "1")
            .env_remove("FORGEONE_HOME")
            .stdin(std::process::Stdio::null())
            .output()
            .with_context(|| format!("{} does not start", binary.display()))?;
        Ok(Answer {
            command: format!("forgeone {}", args.join(" ")),
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            time: begun.elapsed(),
        })
    }
}

/// Homes are the owner's alone.
fn private(home: &std::path::Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

impl Answer {
    /// Checks the exit code.
    pub fn ended(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == Some(code),
            "`{}` ended with {:?}, not {code}\nstdout: {}\nstderr: {}",
            self.command,
            self.code,
            String::from_utf8_lossy(self.stdout.get(..self.stdout.len().min(2000)).unwrap_or_default()),
            self.stderr
        );
        Ok(self)
    }

    /// Checks that it did what it was asked.
    pub fn succeeded(self) -> Result<Self> {
        self.ended(0)
    }

    /// What it wrote to stdout, as text.
    pub fn stdout_text(&self) -> Result<String> {
        String::from_utf8(self.stdout.clone())
            .with_context(|| format!("`{}` did not answer text", self.command))
    }

    /// What it wrote to stdout, as one JSON value.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.stdout)
            .with_context(|| format!("`{}` did not answer JSON", self.command))
    }

    /// The line `error[E…]: …` every refusal has.
    pub fn error_line(&self) -> Result<String> {
        let line = self.stderr.lines().find(|line| line.starts_with("error[E"));
        let line = line.with_context(|| format!("`{}` gave no error line: {}", self.command, self.stderr))?;
        Ok(format!("exit {}, {line}", self.code.unwrap_or_default()))
    }
}
