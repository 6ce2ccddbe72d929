//! How a command fails: the error in words or as JSON, and the exit code of its class.

use crate::output::Output;
use common::error::{ForgeError, codes};
use serde::Serialize;
use std::any::Any;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// Something went wrong.
    Error(ForgeError),
    /// Whoever reads stdout has read enough; nothing went wrong.
    Closed,
}

impl From<ForgeError> for Failure {
    fn from(error: ForgeError) -> Self {
        Self::Error(error)
    }
}

/// A failed write to stdout.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Error(
                ForgeError::new(&codes::E0002, "cannot write to stdout").reason(error.to_string()),
            ),
        }
    }
}

/// A file that could not be read or written: not found is a matter of state, the rest of input and output.
pub fn file(doing: &str, path: &Path, error: &io::Error) -> ForgeError {
    let code = if error.kind() == io::ErrorKind::NotFound { &codes::E5008 } else { &codes::E0002 };
    ForgeError::new(code, format!("cannot {doing} {}", path.display())).reason(error.to_string())
}

impl Failure {
    /// Prints the error and gives the process's exit code.
    pub fn report(&self, output: Output) -> ExitCode {
        let Self::Error(error) = self else { return ExitCode::SUCCESS };
        let printed = if output.json() {
            output.value(&Report::of(error))
        } else {
            let text = human(error, output);
            io::stderr().lock().write_all(text.as_bytes()).map_err(Failure::from)
        };
        // There is nowhere left to say that saying it failed; the exit code still does.
        drop(printed);
        ExitCode::from(error.class().exit_code())
    }
}

/// A fault of the program, met while a command ran, as an internal error. Where it was is on stderr already.
pub fn bug(fault: &(dyn Any + Send)) -> Failure {
    Failure::Error(forgeone_api::fault(fault))
}

/// `error[E1204]: …`, the reasons and the help, a line each.
pub fn human(error: &ForgeError, output: Output) -> String {
    let head = output.alarm(&format!("error[{}]:", error.code()));
    let mut text = format!("{head} {}\n", one_line(error.message()));
    for reason in error.reasons() {
        text.push_str(&format!("reason: {}\n", one_line(reason)));
    }
    let more = format!("forgeone explain {}", error.code());
    text.push_str(&format!("help: {}; more: `{more}`\n", one_line(error.help())));
    text
}

/// What a plugin or package says, so that it cannot write further lines or colours, nor turn the text beside it
/// around.
pub fn one_line(text: &str) -> String {
    plugin_manager::escaped(text.as_bytes(), usize::MAX)
}

/// `{"error":{…}}`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    error: ErrorBody<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    class: &'a str,
    message: &'a str,
    reasons: &'a [String],
    help: &'a str,
}

impl<'a> Report<'a> {
    fn of(error: &'a ForgeError) -> Self {
        Self {
            error: ErrorBody {
                code: error.code().id,
                class: error.class().name(),
                message: error.message(),
                reasons: error.reasons(),
                help: error.help(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_prints_code_reasons_and_help_a_line_each() {
        let error =
            ForgeError::new(&codes::E1201, "x 1.0.0 is not signed").reason("two\nlines\u{1b}[31m\u{202e}");
        let text = human(&error, Output::plain(false));
        assert_eq!(
            text,
            "error[E1201]: x 1.0.0 is not signed\nreason: two\\nlines\\u{1b}[31m\\u{202e}\nhelp: sign it with `forgeone sign`; more: `forgeone explain E1201`\n"
        );
    }

    #[test]
    fn every_class_has_its_own_exit_code() {
        let mut seen: Vec<u8> = common::error::ALL.iter().map(|c| c.class.exit_code()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        assert!(matches!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)), Failure::Closed));
        assert!(matches!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)), Failure::Error(_)));
    }
}
