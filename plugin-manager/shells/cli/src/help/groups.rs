//! The verbs of `forgeone --help`, by what a newcomer wants to do.

use clap::Command;
use std::fmt::Write;

/// Headings and their verbs, in the order in which they are needed.
const GROUPS: &[(&str, &[&str])] = &[
    ("Make a package", &["new", "pack", "sign", "keys"]),
    ("Look at a package", &["inspect", "verify", "stage"]),
    (
        "Install and remove",
        &[
            "install", "upgrade", "promote", "abandon", "approve", "rollback", "remove", "list", "status",
            "deps",
        ],
    ),
    ("Run", &["start", "stop", "pause", "resume", "release", "call", "config", "secrets", "logs", "serve"]),
    ("Permit and prove", &["policy", "review", "audit", "evidence"]),
    ("Help", &["doctor", "explain", "schema", "completions", "man"]),
];

const EXIT_CODES: &str = "Exit codes: 0 done, 1 internal or I/O, 2 usage or configuration, 3 refused, 4 denied, \
                          5 the plugin failed, 6 a limit, 7 not found or conflict, 8 audit log.";

/// The command with its verbs listed by group.
pub fn grouped(command: Command) -> Command {
    let verbs = listing(&command);
    command
        .help_template("{about}\n\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}")
        .before_help(verbs)
        .after_help(EXIT_CODES)
        .after_long_help(format!(
            "`forgeone COMMAND --help`, or `forgeone help COMMAND`, shows the options of a command and examples.\n{EXIT_CODES}"
        ))
}

/// The groups; verbs that stand in none come last, so that each is shown.
fn listing(command: &Command) -> String {
    let known = |name: &str| GROUPS.iter().any(|(_, verbs)| verbs.contains(&name));
    let others = command.get_subcommands().map(Command::get_name).filter(|name| !known(name)).collect();
    let groups = GROUPS.iter().map(|(heading, verbs)| (*heading, verbs.to_vec())).chain([("Other", others)]);
    let mut text = String::new();
    for (heading, verbs) in groups {
        let lines: Vec<(&str, String)> = verbs
            .iter()
            .filter_map(|verb| command.find_subcommand(verb))
            .map(|c| (c.get_name(), c.get_about().map(ToString::to_string).unwrap_or_default()))
            .collect();
        if lines.is_empty() {
            continue;
        }
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{heading}:");
        for (name, about) in lines {
            let _ = writeln!(text, "  {name:<12} {about}");
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;

    #[test]
    fn every_verb_stands_in_one_group() {
        for verb in Cli::command().get_subcommands().map(Command::get_name) {
            let groups = GROUPS.iter().filter(|(_, verbs)| verbs.contains(&verb)).count();
            assert_eq!(groups, 1, "{verb}");
        }
    }

    #[test]
    fn a_verb_without_a_group_is_shown_all_the_same() {
        let text = listing(&Command::new("x").subcommand(Command::new("juggle").about("Juggle")));
        assert_eq!(text, "Other:\n  juggle       Juggle");
    }
}
