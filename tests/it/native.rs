//! A program with linked plugins: they are there before `main` without a word of it, and made when first called.

use forgeone_tests::{Engine, Environment, World};
use std::process::Command;

#[test]
fn a_linked_plugin_is_there_without_being_registered_and_made_once() {
    let world = World::new(Environment::Production, Engine::Wasmtime);
    let ran = Command::new(env!("CARGO_BIN_EXE_linked_plugin")).arg(world.home()).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    assert_eq!(
        text(&ran.stdout),
        "greeter native Stopped, made 0\n\
         hello world, made 1\n\
         native plugin stranger: problem: native plugin stranger names the publisher somebody-else; \
         those of this program are of host\n"
    );
    let logged = std::fs::read_dir(world.home().join("audit"))
        .expect("a log")
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .collect::<String>();
    let lines = |parts: &[&str]| logged.lines().filter(|l| parts.iter().all(|part| l.contains(part))).count();
    assert_eq!(lines(&[r#""action":"install""#, r#""kind":"native""#, "greeter"]), 1);
    assert_eq!(lines(&[r#""action":"install""#, "E1104", "stranger"]), 1);
    assert_eq!(lines(&[r#""to":"Running""#, "greeter"]), 1);
}
