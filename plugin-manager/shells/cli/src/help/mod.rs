//! What a person who types is told: verbs in groups, examples for every command, and manual pages of both.

mod examples;
mod groups;
mod pages;

pub use pages::{ManPage, man_pages};

use crate::args::Cli;
use clap::{Command, CommandFactory, FromArgMatches};
use std::ffi::OsString;

/// The grammar with its groups and examples.
pub fn grammar() -> Command {
    groups::grouped(with_examples(Cli::command(), "forgeone"))
}

/// Reads a command line.
///
/// # Errors
/// When it does not fit the grammar, or asks for help or the version.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = grammar().try_get_matches_from(as_option(arguments))?;
    Cli::from_arg_matches(&matches)
}

/// `forgeone help VERB` as `forgeone VERB --help`.
fn as_option(arguments: &[OsString]) -> Vec<OsString> {
    match arguments {
        [program, help, verb @ ..] if help == "help" => {
            let help = OsString::from("--help");
            std::iter::once(program).chain(verb).chain([&help]).cloned().collect()
        }
        _ => arguments.to_vec(),
    }
}

/// Every command below `path` with its examples at the end of its long help, and a word on where they are at the
/// end of its short one.
fn with_examples(command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let command = names.into_iter().fold(command, |command, name| {
        let below = format!("{path} {name}");
        command.mut_subcommand(name, |c| with_examples(c, &below))
    });
    match examples::of(path) {
        Some(lines) => {
            let lines: String = lines.iter().map(|line| format!("\n  {line}")).collect();
            command.after_long_help(format!("Examples:{lines}"))
        }
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command with the words that lead to it.
    fn all(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        found.push((path.to_owned(), command.clone()));
        for below in command.get_subcommands() {
            all(below, &format!("{path} {}", below.get_name()), found);
        }
    }

    fn commands() -> Vec<(String, Command)> {
        let mut found = Vec::new();
        all(&grammar(), "forgeone", &mut found);
        found
    }

    #[test]
    fn help_as_a_verb_is_the_option() {
        let said = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            parse(&words).unwrap_err().render().to_string()
        };
        assert_eq!(said(&["forgeone", "help"]), said(&["forgeone", "--help"]));
        assert_eq!(
            said(&["forgeone", "help", "keys", "issue"]),
            said(&["forgeone", "keys", "issue", "--help"])
        );
        assert!(said(&["forgeone", "help", "juggle"]).contains("juggle"));
    }

    #[test]
    fn every_command_that_does_something_has_an_example() {
        for (path, command) in commands() {
            let does = command.get_subcommands().next().is_none();
            assert!(!does || examples::of(&path).is_some(), "{path} has no example in help/examples.rs");
        }
    }

    #[test]
    fn every_example_is_of_a_command_that_is_there_and_can_be_typed() {
        let known: Vec<String> = commands().into_iter().map(|(path, _)| path).collect();
        for (path, lines) in examples::ALL {
            assert!(known.iter().any(|k| k == path), "there is no {path}");
            for line in *lines {
                let typed = line.split(" | ").last().unwrap().split(" > ").next().unwrap();
                let words: Vec<OsString> = typed.split_whitespace().map(OsString::from).collect();
                let of_it = path.split(' ').all(|word| typed.split_whitespace().any(|w| w == word));
                assert!(of_it, "{line} is no example of {path}");
                assert!(parse(&words).is_ok(), "{line} cannot be typed: {}", parse(&words).unwrap_err());
            }
        }
    }

    #[test]
    fn every_command_and_argument_says_what_it_is() {
        for (path, command) in commands() {
            assert!(command.get_about().is_some(), "{path} says nothing of itself");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{path}: {} says nothing", argument.get_id());
            }
        }
    }
}
