//! `serve`: the home kept open in the foreground, its plugins running, other commands answered, until a signal.
//!
//! Readiness and what happens since are lines on stderr. With `--json` readiness is also one line of JSON on stdout:
//! [`Serving`].

use crate::args::Serve;
use crate::context::Context;
use crate::failure::{self, Failure, one_line};
use common::clock::{Clock, SystemClock};
use common::error::{ForgeError, codes};
use forgeone_api::rfc3339;
use forgeone_api::server::{self, Event, Options, Ready};
use plugin_manager::NoProgress;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// A daemon that answers.
#[derive(Debug, Serialize)]
struct Serving<'a> {
    serving: PathBuf,
    socket: PathBuf,
    pid: u32,
    since: String,
    running: Vec<&'a str>,
    failed: Vec<NotUp<'a>>,
}

/// A plugin that is desired running and is not up.
#[derive(Debug, Serialize)]
struct NotUp<'a> {
    plugin: &'a str,
    code: &'static str,
    message: &'a str,
}

/// Runs `serve`.
///
/// # Errors
/// E5006 naming the holder when the home stays in use for `--wait`; E0126 when it was cut short; what else serving runs
/// into.
pub fn serve(context: &Context, args: &Serve) -> Result<(), Failure> {
    let manager = context.open(context.wait(), Arc::new(NoProgress))?;
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

fn told(context: &Context, options: &Options, event: Event<'_>) -> io::Result<()> {
    let mut err = io::stderr().lock();
    match event {
        Event::Ready(ready) => {
            for plugin in &ready.plugins {
                if let Err(error) = &plugin.outcome {
                    err.write_all(failure::warning(&plugin.name, error, context.output()).as_bytes())?;
                }
            }
            writeln!(err, "{}", line(ready))?;
            if context.output().json() {
                let mut out = io::stdout().lock();
                serde_json::to_writer(&mut out, &serving(ready, options))?;
                writeln!(out)?;
                out.flush()?;
            }
            Ok(())
        }
        Event::Stopping(0) => writeln!(err, "stopping"),
        Event::Stopping(left) => writeln!(err, "stopping; requests under way: {left}"),
        Event::Reloaded(Ok(files)) => writeln!(err, "policies read again: {files} files"),
        Event::Reloaded(Err(error)) => {
            write!(err, "the policies stay as they were: {}", failure::human(&error, context.output()))
        }
    }
}

fn line(ready: &Ready) -> String {
    let running = ready.plugins.iter().filter(|p| p.outcome.is_ok()).count();
    let failed = ready.plugins.len() - running;
    let socket = one_line(&ready.socket.display().to_string());
    let failed = if failed == 0 { String::new() } else { format!(", {failed} not") };
    format!("serving on {socket}: process {}, {running} plugins running{failed}", std::process::id())
}

fn serving<'a>(ready: &'a Ready, options: &Options) -> Serving<'a> {
    let not_up = |p: &'a plugin_manager::BroughtUp| {
        let error = p.outcome.as_ref().err()?;
        Some(NotUp { plugin: &p.name, code: error.code().id, message: error.message() })
    };
    Serving {
        serving: options.home.clone(),
        socket: ready.socket.clone(),
        pid: std::process::id(),
        since: rfc3339(options.since_ns),
        running: ready.plugins.iter().filter(|p| p.outcome.is_ok()).map(|p| p.name.as_str()).collect(),
        failed: ready.plugins.iter().filter_map(not_up).collect(),
    }
}
