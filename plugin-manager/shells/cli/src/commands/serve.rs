//! `serve`: the home kept open in the foreground, its plugins running, other commands answered, until a signal.
//!
//! Readiness and what happens since are lines on stderr. With `--json` readiness is also one line of JSON on stdout:
//! [`Serving`].

use super::status::not_ready_line;
use crate::args::Serve;
use crate::context::Context;
use crate::failure::{self, Failure, one_line};
use common::clock::{Clock, SystemClock};
use common::error::{ForgeError, codes};
use common::words::counted;
use forgeone_api::rfc3339;
use forgeone_api::server::{self, Event, Options, Ready};
use forgeone_api::shown::{NotReadyLine, Standing};
use forgeone_api::{DaemonInfo, Target, asks};
use plugin_manager::{NoProgress, PluginManager, Progress, TrustReload};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A daemon that answers.
#[derive(Debug, Serialize)]
struct Serving<'a> {
    serving: PathBuf,
    socket: PathBuf,
    pid: u32,
    since: String,
    running: &'a [String],
    ready: bool,
    not_ready: &'a [NotReadyLine],
}

/// Runs `serve`.
///
/// # Errors
/// E5006 naming the holder when a daemon serves the home, or it stays in use for `--wait`; E0126 when it was cut short; what else serving runs
/// into.
pub fn serve(context: &Context, args: &Serve) -> Result<(), Failure> {
    let manager = open(context)?;
    let clock = SystemClock::start()
        .map_err(|e| ForgeError::new(&codes::E0002, "cannot start the clock").reason(e.to_string()))?;
    let options = Options {
        home: context.home().to_owned(),
        config: context.config().map_or_else(|| context.home().join("plugin-manager.yaml"), PathBuf::from),
        drain: args.drain.0,
        since_ns: clock.wall_ns(),
    };
    let tell = |event: Event<'_>| {
        // Who runs the daemon may have stopped listening; the daemon goes on.
        let _ = told(context, &options, event);
    };
    Ok(server::serve(manager, &options, &tell)?)
}

/// How long the home may be in use before it is asked whether that is a daemon, for which there is no waiting.
const LOOK: Duration = Duration::from_millis(100);

/// The open home. One that a daemon serves is not waited for; what a daemon leaves that is stopping is.
fn open(context: &Context) -> Result<PluginManager, Failure> {
    match context.open(context.wait().min(LOOK), Arc::new(NoProgress)) {
        Err(error) if error.code() == &codes::E5006 => match daemon(context) {
            Some(daemon) => Err(error
                .reason(format!("a daemon, process {}, serves it since {}", daemon.pid, daemon.since))
                .with_help("commands ask the daemon there is; stop that one to start another")
                .into()),
            None => Ok(context.open(context.wait(), Arc::new(NoProgress))?),
        },
        opened => Ok(opened?),
    }
}

/// The daemon that answers for this home now, whatever its configuration.
fn daemon(context: &Context) -> Option<DaemonInfo> {
    let progress: Arc<dyn Progress> = Arc::new(NoProgress);
    let target = Target { home: context.home(), config: None, wait: Duration::ZERO, progress: &progress };
    target.ask(&asks::List {}, &[]).ok().map(|answered| answered.daemon)
}

fn told(context: &Context, options: &Options, event: Event<'_>) -> io::Result<()> {
    let mut err = io::stderr().lock();
    match event {
        Event::Ready(ready) => {
            let standing = Standing::from(ready.readiness.clone());
            for reason in &standing.not_ready {
                writeln!(err, "{}", not_ready_line(reason))?;
            }
            writeln!(err, "{}", line(ready))?;
            if context.output().json() {
                let mut out = io::stdout().lock();
                serde_json::to_writer(&mut out, &serving(ready, &standing, options))?;
                writeln!(out)?;
                out.flush()?;
            }
            Ok(())
        }
        Event::Stopping(0) => writeln!(err, "stopping"),
        Event::Stopping(left) => writeln!(err, "stopping; requests under way: {left}"),
        Event::Reloaded(Ok(files)) => writeln!(err, "policies read again: {}", counted(files, "file")),
        Event::Reloaded(Err(error)) => {
            write!(err, "the policies stay as they were: {}", failure::human(&error, context.output()))
        }
        Event::TrustRead(Ok(read)) => writeln!(err, "{}", trust_line(&read)),
        Event::TrustRead(Err(error)) => {
            write!(err, "trust was not read again: {}", failure::human(&error, context.output()))
        }
    }
}

fn trust_line(read: &TrustReload) -> String {
    let problem = read.problem.as_ref().map_or(String::new(), |problem| format!(": {}", one_line(problem)));
    let stopped = match read.withdrawn.as_slice() {
        [] => String::new(),
        withdrawn => format!("; quarantined: {}", one_line(&withdrawn.join(", "))),
    };
    format!("trust read again{problem}{stopped}")
}

fn line(ready: &Ready) -> String {
    let (running, socket) =
        (counted(ready.running.len(), "plugin"), one_line(&ready.socket.display().to_string()));
    let about = |reason: &&plugin_manager::NotReady| reason.plugin.is_some();
    let not = match ready.readiness.reasons.iter().filter(about).count() {
        0 => String::new(),
        not => format!(", {not} not"),
    };
    format!("serving on {socket}: process {}, {running} running{not}", std::process::id())
}

fn serving<'a>(ready: &'a Ready, standing: &'a Standing, options: &Options) -> Serving<'a> {
    Serving {
        serving: options.home.clone(),
        socket: ready.socket.clone(),
        pid: std::process::id(),
        since: rfc3339(options.since_ns),
        running: &ready.running,
        ready: standing.ready,
        not_ready: &standing.not_ready,
    }
}
