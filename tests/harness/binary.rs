//! Runs `forgeone` and keeps everything it said.

use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest any command of a story may take before it is killed and the story fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// The binary under test: `FORGEONE_BIN`, or the one beside this test's own executable.
pub fn forgeone() -> PathBuf {
    if let Some(named) = std::env::var_os("FORGEONE_BIN") {
        return named.into();
    }
    let me = std::env::current_exe().expect("own path");
    let beside = me.ancestors().skip(1).take(2).map(|dir| dir.join("forgeone")).find(|p| p.is_file());
    beside.unwrap_or_else(|| panic!("no forgeone beside {}: run `cargo xtask test`", me.display()))
}

/// The root of the workspace these tests were built in.
pub fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent")
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// The line that was run.
    pub line: String,
    /// The exit code, or -1 when a signal ended it.
    pub code: i32,
    /// All of stdout.
    pub stdout: Vec<u8>,
    /// All of stderr, lossily as text.
    pub stderr: String,
    /// From start to exit.
    pub took: Duration,
}

impl Ran {
    /// Runs a command to its end with this on stdin.
    pub fn of(command: &mut Command, input: &[u8]) -> Self {
        let line = format!("{command:?}");
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run {line}: {e}"));
        let (out, err) = (drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap()));
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads no input closes the pipe; that is not the story's business.
        let _ = stdin.write_all(input);
        drop(stdin);
        let code = wait(&mut child, began, &line);
        let stderr = String::from_utf8_lossy(&err.join().unwrap()).into_owned();
        Self { line, code, stdout: out.join().unwrap(), stderr, took: began.elapsed() }
    }

    /// Fails unless the command exited with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }
    /// Fails unless it exited with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }
    /// Fails unless it exited with this code and printed this error.
    #[track_caller]
    pub fn fails(self, code: i32, error: &str) -> Self {
        assert!(self.stderr.starts_with(&format!("error[{error}]: ")), "wanted {error}: {self}");
        assert!(self.stderr.lines().any(|l| l.starts_with("help: ")), "{self}");
        self.exits(code)
    }
    /// Fails unless stderr has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "wanted {text:?} on stderr: {self}");
        self
    }
    /// stdout as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self}"))
    }
    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stdout = String::from_utf8_lossy(&self.stdout);
        let (line, code, took) = (&self.line, self.code, self.took);
        write!(f, "\n$ {line}\nexit {code} after {took:?}\nstdout:\n{stdout}\nstderr:\n{}", self.stderr)
    }
}

fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        from.read_to_end(&mut all).expect("a pipe can be read");
        all
    })
}

/// Polls, for std has no wait with a timeout. The interval bounds only how late an exit is seen.
fn wait(child: &mut Child, began: Instant, line: &str) -> i32 {
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status.code().unwrap_or(-1);
        }
        if began.elapsed() > PATIENCE {
            child.kill().expect("a child can be killed");
            panic!("{line} did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}
