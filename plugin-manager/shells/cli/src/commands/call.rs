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
use common::error::ForgeError;
use plugin_manager::PluginManager;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Read};
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
    let job = |manager: &PluginManager| manager.call(&args.name, &args.operation, input);
    let (output, ended) = context.with_manager_to_the_end(job)?;
    if context.output().json() {
        // One value on stdout: the error of a plugin that could not stop takes the place of the answer.
        ended?;
        return context.output().value(&answer(args, &output));
    }
    context.output().bytes(&output)?;
    Ok(ended?)
}

fn input(path: &Path) -> Result<Vec<u8>, ForgeError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MAX_INPUT).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|f| f.take(MAX_INPUT).read_to_end(&mut bytes))
    };
    read.map(|_| bytes).map_err(|e| failure::file("read", path, &e))
}

fn answer<'a>(args: &'a Call, output: &'a [u8]) -> Answer<'a> {
    let text = std::str::from_utf8(output).ok();
    Answer {
        plugin: &args.name,
        operation: &args.operation,
        length: output.len(),
        output: text,
        output_base64: text.is_none().then(|| STANDARD.encode(output)),
    }
}
