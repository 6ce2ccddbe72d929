//! `call`: the operation's result bytes on stdout and nothing else; with `--json` one object that holds them.
//!
//! `{"plugin","operation","length","output"}` when the result is UTF-8 text, with `"output_base64"` in place of
//! `"output"` when it is not. A plugin that answers and then fails to stop: the answer is written, and the command
//! fails with the plugin's error.

use crate::args::Call;
use crate::context::Context;
use crate::failure::{self, Failure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::error::{ForgeError, codes};
use forgeone_api::{Parcel, asks};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// One byte more than a call can take, so that the library sees that there was too much.
const MAX_INPUT: u64 = (16 << 20) + 1;

#[derive(Debug, Serialize)]
struct Answer<'a> {
    plugin: &'a str,
    operation: &'a str,
    length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_base64: Option<String>,
}

/// Runs `call`.
///
/// # Errors
/// When the input cannot be read, or whatever the call runs into.
pub fn call(context: &Context, args: &Call) -> Result<(), Failure> {
    // Read before the home is opened: a slow writer on stdin does not keep others out.
    let input = args.input.as_deref().map_or(Ok(Vec::new()), input)?;
    let timeout = args.timeout.map(|time| time.0);
    let head = asks::Call { name: args.name.clone(), operation: args.operation.clone(), timeout };
    let answered = context.ask_to_the_end(Parcel { head, body: input });
    let answer = answered.map_err(|failure| match failure {
        Failure::Error(error) => Failure::Error(late(error, args)),
        other => other,
    });
    let answer = answer.map_err(|failure| match failure {
        Failure::Error(error) if !context.output().json() => Failure::Error(unread(error, args)),
        other => other,
    })?;
    let output = &answer.parcel.body;
    if context.output().json() {
        // One value on stdout: the error of a plugin that could not stop takes the place of the answer.
        answer.ended?;
        return context.output().value(&shown(args, output));
    }
    context.output().bytes(output)?;
    Ok(answer.ended?)
}

fn input(path: &Path) -> Result<Vec<u8>, ForgeError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MAX_INPUT).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|f| f.take(MAX_INPUT).read_to_end(&mut bytes))
    };
    read.map(|_| bytes).map_err(|e| no_input(failure::file("read", path, &e), path))
}

/// What was meant, where a value was given in place of a file.
fn no_input(error: ForgeError, path: &Path) -> ForgeError {
    let value = path.to_str().is_some_and(|text| text.trim_start().starts_with(['{', '[', '"']));
    if error.code() == &codes::E5008 && value {
        return error
            .with_help("--input takes a FILE, or `-` for stdin: pipe the value in and give `--input -`");
    }
    error
}

/// Names the call's own time, where it is what may have ended it.
fn late(error: ForgeError, args: &Call) -> ForgeError {
    match &args.timeout {
        Some(time) if error.code() == &codes::E4010 => error
            .reason(format!(
                "the call had {time}, from --timeout, or less where the plugin's own time is shorter"
            ))
            .with_help(
                "give it longer with --timeout; `forgeone status` shows the plugin's own time under `limits`",
            ),
        _ => error,
    }
}

/// Says that stdin was not read, where something is there and the plugin did not like what it got.
fn unread(error: ForgeError, args: &Call) -> ForgeError {
    // The kernel's name for what stdin is: a device is a terminal or /dev/null, and has nothing for us.
    let given = fs::metadata("/proc/self/fd/0").is_ok_and(|stdin| {
        let kind = stdin.file_type();
        kind.is_fifo() || kind.is_file()
    });
    if error.code() == &codes::E4002 && args.input.is_none() && given {
        return error.reason("stdin was not read; give --input - if it is the input");
    }
    error
}

fn shown<'a>(args: &'a Call, output: &'a [u8]) -> Answer<'a> {
    let text = std::str::from_utf8(output).ok();
    Answer {
        plugin: &args.name,
        operation: &args.operation,
        length: output.len(),
        output: text,
        output_base64: text.is_none().then(|| STANDARD.encode(output)),
    }
}
