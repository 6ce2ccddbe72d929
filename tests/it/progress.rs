//! Signs of life: on a terminal while long work goes on, and nowhere else.

use forgeone_tests::{Ran, Wat, World};
use std::process::Command;

/// Runs `forgeone` with a terminal for its stdout and stderr; what it wrote is on stdout.
fn on_a_terminal(world: &World, line: &str, environment: &[(&str, &str)]) -> Ran {
    let plain = world.command();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command"]);
    script.arg(format!("{} {line}", plain.get_program().to_str().unwrap())).arg("/dev/null");
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) if name != "NO_COLOR" => script.env(name, value),
            _ => script.env_remove(name),
        };
    }
    script.env("TERM", "xterm").envs(environment.iter().copied()).current_dir(world.path(""));
    Ran::of(&mut script, b"")
}

/// Whether a text sets a colour: `ESC [ … m`.
fn coloured(text: &str) -> bool {
    text.split("\u{1b}[").skip(1).any(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic());
        end.is_some_and(|at| rest[at..].starts_with('m') && rest[..at] != *"0")
    })
}

fn with_package() -> World {
    let world = World::development();
    world.write("good.forgepkg", Wat::good().package());
    world
}

#[test]
fn a_terminal_shows_each_phase_and_is_left_clean() {
    let world = with_package();
    let shown = on_a_terminal(&world, "install good.forgepkg", &[]).ok();
    let text = shown.text();
    for phase in [
        "reading good.forgepkg",
        "reading package",
        "verifying good",
        "scanning good",
        "compiling good",
        "bringing up good",
    ] {
        assert!(text.contains(phase), "no {phase:?}: {shown}");
    }
    assert!(coloured(text), "{shown}");
    let last = text.rsplit('\u{1b}').next().unwrap();
    assert!(last.contains("installed") && last.contains("will run"), "{last:?}");
}

#[test]
fn verify_and_pack_show_theirs() {
    let world = with_package();
    assert!(on_a_terminal(&world, "verify good.forgepkg", &[]).ok().text().contains("verifying good"));
    world.write("source/plugin.toml", "[plugin]\nname = \"x\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n");
    world.write("source/plugin.wasm", Wat::new("x", &[], forgeone_tests::lifecycle()).module());
    assert!(on_a_terminal(&world, "pack source", &[]).ok().text().contains("packing source"));
}

#[test]
fn no_color_takes_colours_and_leaves_signs_of_life() {
    let world = with_package();
    let shown = on_a_terminal(&world, "install good.forgepkg", &[("NO_COLOR", "1")]).ok();
    assert!(shown.text().contains("compiling good") && !coloured(shown.text()), "{shown}");
    let error = on_a_terminal(&world, "install good.forgepkg", &[("NO_COLOR", "1")]).exits(7);
    assert!(error.text().contains("error[E5004]") && !coloured(error.text()), "{error}");
}

#[test]
fn json_and_dumb_terminals_and_calls_get_none() {
    let world = with_package();
    let json = on_a_terminal(&world, "install good.forgepkg --json", &[]).ok();
    assert!(json.text().starts_with('{') && !json.text().contains('\u{1b}'), "{json}");
    let dumb = on_a_terminal(&world, "verify good.forgepkg", &[("TERM", "dumb")]).ok();
    assert!(!dumb.text().contains('\u{1b}') && !dumb.text().contains("verifying"), "{dumb}");
    assert_eq!(on_a_terminal(&world, "call good hello", &[]).ok().text(), "hello");
}

#[test]
fn a_pipe_in_place_of_stderr_stays_empty() {
    let world = with_package();
    for line in
        [["verify", "good.forgepkg"], ["install", "good.forgepkg"], ["stop", "good"], ["start", "good"]]
    {
        let ran = world.run(&line).ok();
        assert_eq!(ran.stderr, "", "{ran}");
    }
}
