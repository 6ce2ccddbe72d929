//! `forgeone serve` beside a story: started, ready, signalled, and killed when the story is over.

use crate::world::World;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest a daemon may take to end once it was told to.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that answers.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Lines<BufReader<ChildStderr>>,
    ready: Value,
}

impl Daemon {
    /// `forgeone serve --json` on the world's home, with these arguments beside. Returns when it says it is ready.
    pub fn start(world: &World, arguments: &[&str]) -> Self {
        Self::of(world.command().args(["serve", "--json"]).args(arguments))
    }
    /// A daemon of this command, which prints its readiness as JSON.
    pub fn of(command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("forgeone serve runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            panic!("it is not ready: {line}{text}")
        });
        Self { child, stdout, stderr: stderr.lines(), ready }
    }

    /// What it said when it was ready.
    pub fn ready(&self) -> &Value {
        &self.ready
    }
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.ready["socket"].as_str().expect("a socket").into()
    }
    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it is there");
    }
    /// The next line on its stderr that has this text.
    #[track_caller]
    pub fn says(&mut self, text: &str) -> String {
        let line = self.stderr.by_ref().map_while(Result::ok).find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("it ended without saying {text:?}"))
    }
    /// Kills it as a power failure would, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it is gone");
    }
    /// Waits for its end: its exit code, and what else it wrote to stdout and stderr.
    #[track_caller]
    pub fn ends(mut self) -> (i32, String, String) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(2));
        };
        let rest: Vec<String> = self.stderr.by_ref().map_while(Result::ok).collect();
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).expect("UTF-8");
        (status.code().unwrap_or(-1), stdout, rest.join("\n"))
    }
    /// SIGTERM, and waits for its end, which must be in order.
    #[track_caller]
    pub fn stop(self) {
        self.signal(Signal::TERM);
        let (code, _, stderr) = self.ends();
        assert_eq!(code, 0, "{stderr}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
