//! A disk that is full or read-only, and too few file descriptors: what is refused is named, what protects happens, and
//! afterwards the home is whole.

use forgeone_tests::{Ran, Wat, World, forgeone, lifecycle};
use serde_json::json;
use std::process::Command;

fn plugin(version: &str) -> Vec<u8> {
    Wat::new("plain", &[], lifecycle()).says("version", json!(version)).package()
}

fn installed() -> World {
    let world = World::development();
    world.install("plain", &plugin("1.0.0")).ok();
    world.write("next.forgepkg", plugin("1.1.0"));
    world
}

/// Runs a shell script beside the home; `$F` is the binary.
fn shell(world: &World, program: &[&str], script: &str) -> Ran {
    let plain = world.command();
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(["sh", "-c", script]).env("F", forgeone()).env("NO_COLOR", "1");
    command.env("FORGEONE_HOME", world.home());
    command.current_dir(plain.get_current_dir().expect("a directory"));
    Ran::of(&mut command, b"")
}

#[test]
fn fault_093_too_few_descriptors_refuse_an_upgrade_or_let_it_be_done() {
    let world = installed();
    let (mut refused, mut done) = (0, 0);
    for limit in [5, 8, 11, 13, 16, 20, 64] {
        let script = format!("ulimit -n {limit}; exec \"$F\" upgrade next.forgepkg");
        let ran = shell(&world, &["env"], &script);
        let version = world.run(&["status", "plain", "--json"]).ok().json()["version"].clone();
        assert_eq!(version == "1.1.0", ran.code == 0, "{limit}: {ran}");
        assert_eq!(std::fs::read_dir(world.path("home/tmp/staging")).expect("staging").count(), 0);
        if ran.code == 0 {
            done += 1;
            world.run(&["rollback", "plain"]).ok();
        } else {
            refused += 1;
            assert!(ran.stderr.lines().any(|line| line.starts_with("error[E")), "{limit}: {ran}");
        }
    }
    assert!(refused > 1 && done > 0, "{refused} refused, {done} done");
    world.run(&["audit", "verify"]).ok();
}

/// A home of its own on a small file system in memory, in a mount namespace that ends with the script.
const MOUNTED: &str = "set -e; cp -a home packed; mount -t tmpfs -o size=12m,mode=0700 tmpfs home; \
    cp -a packed/. home/; ";
const NAMESPACE: [&str; 2] = ["unshare", "-rm"];

#[test]
#[ignore = "run by cargo xtask interop: needs a mount namespace"]
fn fault_102_interop_on_a_full_disk_a_plugin_can_be_stopped() {
    let world = installed();
    let script = format!(
        "{MOUNTED} fill() {{ dd if=/dev/zero of=home/filler$1 bs=4k 2>/dev/null || true; }}; set +e
        fill 1; \"$F\" list >/dev/null; echo list $?
        fill 2; \"$F\" upgrade next.forgepkg >/dev/null; echo upgrade $?
        fill 3; \"$F\" stop plain; echo stop $?
        rm home/filler*; \"$F\" audit verify; echo verify $?
        \"$F\" status plain --json; \"$F\" audit tail -n 100 --json"
    );
    let ran = shell(&world, &NAMESPACE, &script).ok();
    let text = ran.text();
    for line in ["list 0", "stop 0", "verify 0", r#""desired": "stopped""#, r#""action": "stop""#] {
        assert!(text.contains(line), "no {line}: {ran}");
    }
    assert_eq!(text.contains("upgrade 0"), text.contains(r#""version": "1.1.0""#), "{ran}");
}

#[test]
#[ignore = "run by cargo xtask interop: needs a mount namespace"]
fn fault_092_interop_a_read_only_home_is_refused_by_name_and_its_log_can_be_verified() {
    let world = installed();
    let script = format!(
        "{MOUNTED} mount -o remount,ro home; set +e
        \"$F\" list; echo list $?; \"$F\" stop plain; echo stop $?
        \"$F\" audit verify; echo verify $?; \"$F\" audit tail -n 5 >/dev/null; echo tail $?
        mount -o remount,rw home; \"$F\" list; echo again $?"
    );
    let ran = shell(&world, &NAMESPACE, &script).ok();
    let text = ran.text();
    for line in ["list 1", "stop 1", "verify 0", "tail 0", "again 0"] {
        assert!(text.contains(line), "no {line}: {ran}");
    }
    assert!(ran.stderr.contains("error[E0002]") && ran.stderr.contains("Read-only file system"), "{ran}");
    assert!(ran.stderr.contains("home/"), "{ran}");
}
