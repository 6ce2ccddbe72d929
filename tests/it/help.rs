//! What a person who types is told: help of every command, completions that shells accept, manual pages that are
//! the grammar's.

use forgeone_tests::{World, workspace_root};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Commands below one, as its help lists them.
fn below(help: &str) -> Vec<String> {
    let lists = help.split("\n\n").filter(|part| part.starts_with("Commands:"));
    let lines = lists.flat_map(str::lines).filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn help(world: &World, words: &[String]) -> String {
    let mut line: Vec<&str> = words.iter().map(String::as_str).collect();
    line.push("--help");
    world.run(&line).ok().text().to_owned()
}

#[test]
fn help_of_every_command() {
    let world = World::development();
    let top = help(&world, &[]);
    let verbs = top.lines().skip_while(|l| !l.ends_with(':')).take_while(|l| *l != "Options:");
    let verbs: Vec<String> = verbs
        .filter(|l| l.starts_with("  "))
        .filter_map(|l| l.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert!(verbs.len() > 20 && verbs.contains(&"install".to_owned()), "{verbs:?}");
    let mut open: Vec<Vec<String>> = verbs.into_iter().map(|verb| vec![verb]).collect();
    insta::with_settings!({ prepend_module_to_snapshot => false }, { insta::assert_snapshot!("help", top); });
    while let Some(words) = open.pop() {
        let text = help(&world, &words);
        open.extend(below(&text).into_iter().map(|verb| words.iter().cloned().chain([verb]).collect()));
        let name = format!("help-{}", words.join("-"));
        insta::with_settings!({ prepend_module_to_snapshot => false }, { insta::assert_snapshot!(name, text); });
    }
}

#[test]
fn committed_manual_pages_are_those_of_the_grammar() {
    let world = World::development();
    world.run(&["man", "--dir", "man"]).ok();
    let made = pages(&world.path("man"));
    let committed = pages(&workspace_root().join("plugin-manager/docs/man"));
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    let mend = "run `forgeone man --dir plugin-manager/docs/man` and remove pages of commands that are gone";
    assert_eq!(names(&made), names(&committed), "{mend}");
    for (name, text) in made {
        assert_eq!(text, committed[&name], "{name} is not current: {mend}");
    }
    let first = world.run(&["man"]).ok();
    assert_eq!(first.text(), committed["forgeone.1"]);
}

fn pages(dir: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let page = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap())
    };
    entries.map(page).collect()
}

fn script(world: &World, shell: &str) -> String {
    let script = world.run(&["completions", shell]).ok().text().to_owned();
    let json = world.run(&["completions", shell, "--json"]).ok().json();
    assert_eq!((json["shell"].as_str(), json["script"].as_str()), (Some(shell), Some(script.as_str())));
    script
}

/// Fails unless a program takes this on its stdin and ends well, without a word on stderr.
fn accepted(program: &str, arguments: &[&str], input: &str) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.is_empty(), "{program} {arguments:?}: {}\n{said}", ended.status);
}

#[test]
fn completions_name_every_verb_and_bash_accepts_and_uses_them() {
    let world = World::development();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = script(&world, shell);
        for word in ["install", "deps", "graph", "--json"] {
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(script.contains(word), "{shell} knows no {word}");
        }
    }
    let script = script(&world, "bash");
    accepted("bash", &["-n"], &script);
    let typed = format!(
        "{script}\nCOMP_WORDS=(forgeone deps gr) COMP_CWORD=2\n_forgeone forgeone gr deps\n[ \"${{COMPREPLY[*]}}\" = graph ]\n"
    );
    accepted("bash", &["--norc"], &typed);
}

#[test]
fn a_shell_nobody_knows_is_bad_usage() {
    World::development().run(&["completions", "tcsh"]).fails(2, "E0101").says("possible values");
}

#[test]
#[ignore = "run by cargo xtask interop: needs zsh and fish"]
fn interop_zsh_and_fish_accept_completions() {
    let world = World::development();
    accepted("zsh", &["-n"], &script(&world, "zsh"));
    accepted("fish", &["--no-execute"], &script(&world, "fish"));
    let typed =
        format!("{}\ncomplete -C 'forgeone deps gr' | string match -q 'graph*'\n", script(&world, "fish"));
    accepted("fish", &["--no-config"], &typed);
}

#[test]
#[ignore = "run by cargo xtask interop: needs mandoc"]
fn interop_manual_pages_have_no_warnings() {
    let dir = workspace_root().join("plugin-manager/docs/man");
    for (name, text) in pages(&dir) {
        let lint = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(dir.join(&name))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&lint.stdout);
        assert!(lint.status.success() && said.is_empty(), "{name}: {said}\n{text}");
    }
}
