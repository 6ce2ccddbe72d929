//! What is typed wrong is answered in the shape of every other error; help and version are results.

use crate::failure::Failure;
use crate::help;
use crate::output::Output;
use clap::error::ErrorKind;
use common::error::{ErrorClass, ForgeError, codes};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// Answers a command line that clap did not turn into a command.
pub fn answer(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let output = Output::new(asks_for_json(arguments));
    let failure = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match print_help(error, output) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(failure) => failure,
        },
        // Which of the two it is depends on whether the environment names a home.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            if !output.json() {
                return incomplete(arguments);
            }
            Failure::Error(ForgeError::new(&codes::E0101, "a command is missing"))
        }
        _ => Failure::Error(bad_usage(&error.render().to_string())),
    };
    failure.report(output)
}

/// Shows what may follow, on stderr: somebody reads it there, and a script sees the exit code.
fn incomplete(arguments: &[OsString]) -> ExitCode {
    let asked: Vec<OsString> = arguments.iter().cloned().chain(["--help".into()]).collect();
    if let Err(help) = help::parse(&asked) {
        // Where stderr is closed the exit code is all there is to tell.
        let _ = write!(io::stderr(), "{}", help.render());
    }
    ExitCode::from(ErrorClass::Usage.exit_code())
}

fn print_help(error: &clap::Error, output: Output) -> Result<(), Failure> {
    let text = error.render();
    let text = if output.stdout_colours() { text.ansi().to_string() } else { text.to_string() };
    output.bytes(text.as_bytes())
}

/// Whether `--json` stands before any `--`: the line did not parse, so nobody else can say.
fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).take_while(|a| *a != "--").any(|a| a == "--json")
}

/// clap's text: what is wrong in the first paragraph, hints and usage in the others.
fn bad_usage(text: &str) -> ForgeError {
    let mut lines =
        text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("For more information"));
    let first = lines.next().unwrap_or("the command line is not valid");
    let message = first.strip_prefix("error: ").unwrap_or(first);
    // clap shows every option that has a value as one to write, also --home where FORGEONE_HOME gave it.
    let shown = |line: &str| match line.starts_with("Usage:") {
        true => line.replacen(" --home <DIR>", "", 1),
        false => line.to_owned(),
    };
    lines.map(shown).fold(ForgeError::new(&codes::E0101, message), ForgeError::reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_option_becomes_a_message_and_reasons() {
        let error = Cli::try_parse_from(["forgeone", "list", "--jsno"]).unwrap_err();
        let error = bad_usage(&error.render().to_string());
        assert_eq!(error.code().id, "E0101");
        assert_eq!(error.message(), "unexpected argument '--jsno' found");
        assert!(error.reasons().iter().any(|r| r.contains("--json")), "{:?}", error.reasons());
    }

    #[test]
    fn the_usage_shows_no_home_as_if_it_had_to_be_written() {
        let error = Cli::try_parse_from(["forgeone", "install", "--home", "h"]).unwrap_err();
        let text = error.render().to_string();
        assert!(text.contains("--home <DIR>"), "{text}");
        let error = bad_usage(&text);
        let usage = error.reasons().iter().find(|r| r.starts_with("Usage:")).unwrap();
        assert_eq!(usage, "Usage: forgeone install <PACKAGE>...");
    }

    #[test]
    fn json_is_asked_for_only_before_the_dashes() {
        let line = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert!(asks_for_json(&line(&["forgeone", "nonsense", "--json"])));
        assert!(!asks_for_json(&line(&["forgeone", "call", "--", "--json"])));
    }
}
