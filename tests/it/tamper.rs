//! One changed byte is found: in a signed package before it is installed, in the audit log by `audit verify`.
//!
//! Every byte of a small package is tried in the unit tests of `attestation`, and every byte of a small log in
//! those of `common::audit`; here some are tried through the binary.

use forgeone_tests::{
    Engine, Entries, Environment, Ran, Wat, World, gzip, read_entries, signed_package, tar_of,
};
use std::path::{Path, PathBuf};

const TOML: &str = "[plugin]\nname = \"good\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n\
    [[operations]]\nname = \"hello\"\n[[operations]]\nname = \"echo\"\n";

/// A staging home, and the entries of a package that is trusted there.
fn signed() -> (World, Entries) {
    let world = World::new(Environment::Staging, Engine::Wasmtime);
    let package = signed_package(&world, TOML, Wat::good().module());
    let entries = read_entries(&std::fs::read(package).unwrap());
    assert!(verify(&world, &entries).ok().stderr.is_empty());
    (world, entries)
}

fn verify(world: &World, entries: &Entries) -> Ran {
    let file = world.write("changed.forgepkg", gzip(&tar_of(entries)));
    world.run(&["verify", file.to_str().unwrap()])
}

/// First, last and some in between.
fn sample(length: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |i| i * (length - 1) / (count - 1))
}

#[test]
fn one_changed_byte_in_any_signed_entry_is_refused() {
    let (world, entries) = signed();
    let names: Vec<&str> =
        entries.iter().map(|e| e.0.as_str()).filter(|n| !n.starts_with("attestations/")).collect();
    assert_eq!(names, ["manifest.json", "assets/notes.txt", "plugin.toml", "plugin.wasm"]);
    for (i, (name, bytes)) in entries.iter().enumerate().filter(|(_, e)| !e.0.starts_with("attestations/")) {
        for at in sample(bytes.len(), 5) {
            let mut changed = entries.clone();
            changed[i].1[at] ^= 1;
            let refused = verify(&world, &changed);
            assert_eq!(refused.code, 3, "{name} byte {at}: {refused}");
        }
    }
}

#[test]
fn one_changed_byte_in_the_signature_or_the_signed_statement_is_refused() {
    let (world, entries) = signed();
    let bundle = entries.iter().position(|e| e.0 == "attestations/package.sigstore.json").expect("a bundle");
    let text = String::from_utf8(entries[bundle].1.clone()).unwrap();
    for field in ["\"payload\":", "\"sig\":", "\"rawBytes\":"] {
        // Into the middle of the field's base64 text, and to another letter of its alphabet.
        let at = text.find(field).unwrap_or_else(|| panic!("no {field} in {text}")) + field.len() + 40;
        let mut changed = entries.clone();
        let byte = &mut changed[bundle].1[at];
        *byte = if *byte == b'A' { b'B' } else { b'A' };
        let refused = verify(&world, &changed);
        assert_eq!(refused.code, 3, "{field}: {refused}");
        assert!(
            ["error[E12", "error[E13"].iter().any(|e| refused.stderr.starts_with(e)),
            "{field}: {refused}"
        );
    }
}

#[test]
fn a_changed_package_is_not_installed_and_a_changed_store_is_not_run() {
    let (world, mut entries) = signed();
    let good = gzip(&tar_of(&entries));
    let module = entries.iter().position(|e| e.0 == "plugin.wasm").unwrap();
    let middle = entries[module].1.len() / 2;
    entries[module].1[middle] ^= 1;
    world.install("changed", &gzip(&tar_of(&entries))).fails(3, "E1101");
    assert!(world.run(&["list", "--json"]).ok().json()["plugins"].as_array().unwrap().is_empty());

    world.install("good", &good).ok();
    world.run(&["call", "good", "hello"]).ok();
    let (stored, bytes) = world.files_below("store").into_iter().next().expect("a stored package");
    flip(&stored, &bytes, bytes.len() / 2);
    world.run(&["call", "good", "hello"]).exits(3);
    std::fs::write(&stored, &bytes).unwrap();
    world.run(&["call", "good", "hello"]).ok();
}

/// Compiled code that was changed is not run: a new one is made when an operator starts the plugin, and not before.
#[test]
fn changed_compiled_code_is_refused_until_the_plugin_is_started() {
    let (world, entries) = signed();
    world.install("good", &gzip(&tar_of(&entries))).ok();
    let cached = world.files_below("cache");
    assert!(!cached.is_empty(), "compiled code is kept");
    for (path, bytes) in &cached {
        for at in sample(bytes.len(), 3) {
            flip(path, bytes, at);
            for _ in 0..2 {
                world.run(&["call", "good", "hello"]).fails(3, "E1505");
            }
            world.run(&["start", "good"]).ok();
            assert_eq!(world.run(&["call", "good", "hello"]).ok().stdout, b"hello", "byte {at}");
        }
    }
}

/// What the host signed about an installed package is believed as a whole, or the plugin does not run.
#[test]
fn a_changed_summary_is_not_believed() {
    let (world, entries) = signed();
    let good = gzip(&tar_of(&entries));
    world.install("good", &good).ok();
    let (path, bytes) = world.files_below("store/summaries").into_iter().next().expect("a summary");
    for at in sample(bytes.len() / 2, 4) {
        flip(&path, &bytes, at);
        world.run(&["call", "good", "hello"]).fails(3, "E1502");
    }
    std::fs::remove_file(&path).unwrap();
    world.run(&["start", "good"]).fails(3, "E1501");
    world.run(&["remove", "good", "--keep-data"]).ok();
    world.install("good", &good).ok();
    assert_eq!(world.run(&["call", "good", "hello"]).ok().stdout, b"hello");
}

fn flip(path: &Path, bytes: &[u8], at: usize) {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    std::fs::write(path, changed).unwrap();
}

/// A home with a log of a few sessions.
fn logged() -> (World, Vec<(PathBuf, Vec<u8>)>) {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    for _ in 0..3 {
        world.run(&["call", "good", "hello"]).ok();
    }
    world.run(&["call", "good", "nonsense"]).fails(7, "E5005");
    world.run(&["audit", "verify"]).ok();
    let segments: Vec<_> = world
        .files_below("audit")
        .into_iter()
        .filter(|(path, bytes)| path.extension().is_some_and(|e| e == "jsonl") && !bytes.is_empty())
        .collect();
    assert!(!segments.is_empty());
    (world, segments)
}

#[test]
fn one_changed_byte_anywhere_in_the_log_is_found_and_placed() {
    let (world, segments) = logged();
    for (path, bytes) in &segments {
        for at in sample(bytes.len(), 30) {
            flip(path, bytes, at);
            let found = world.run(&["audit", "verify"]);
            assert_eq!(found.code, 8, "byte {at} of {}: {found}", path.display());
            let segment = path.file_name().unwrap().to_str().unwrap();
            let line = bytes[..at].iter().filter(|b| **b == b'\n').count() + 1;
            assert!(found.stderr.contains(segment), "byte {at}: {found}");
            assert!(found.stderr.contains(&format!("line {line} (")), "byte {at}, in line {line}: {found}");
        }
        std::fs::write(path, bytes).unwrap();
    }
    world.run(&["audit", "verify"]).ok();
}

#[test]
fn a_line_taken_out_or_a_cut_end_is_found() {
    let (world, segments) = logged();
    let (path, bytes) = segments.last().expect("a segment");
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    lines.remove(lines.len() / 2);
    std::fs::write(path, lines.concat()).unwrap();
    world.run(&["audit", "verify"]).exits(8);
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    world.run(&["audit", "verify"]).exits(8);
    std::fs::remove_file(path).unwrap();
    world.run(&["audit", "verify"]).exits(8);
}

#[test]
fn a_log_or_a_database_that_was_deleted_is_missed_and_not_begun_again() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    for (gone, code, id) in [("audit", 8, "E3005"), ("state.redb", 1, "E0003")] {
        let (place, aside) = (world.home().join(gone), world.path("aside"));
        std::fs::rename(&place, &aside).unwrap();
        for _ in 0..2 {
            world.run(&["call", "good", "hello"]).fails(code, id);
        }
        if place.is_dir() {
            std::fs::remove_dir(&place).unwrap();
        }
        std::fs::rename(&aside, &place).unwrap();
        assert_eq!(world.run(&["call", "good", "hello"]).ok().stdout, b"hello");
    }
    world.run(&["audit", "verify"]).ok();
}

#[test]
fn a_flipped_byte_of_the_database_has_an_exit_code_and_an_error_whatever_its_engine_does() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    let state = world.home().join("state.redb");
    let good = std::fs::read(&state).unwrap();
    // The first pages, where the engine keeps its own tables, and some of the rest.
    for at in (0..12_288).step_by(96).chain(sample(good.len(), 40)) {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        std::fs::write(&state, bad).unwrap();
        let ran = world.run(&["list", "--json"]);
        match ran.code {
            0 => assert_eq!(ran.json()["plugins"][0]["name"], "good", "byte {at}: {ran}"),
            1 | 2 => assert!(ran.json()["error"]["code"].is_string(), "byte {at}: {ran}"),
            other => panic!("byte {at}: exit {other}: {ran}"),
        }
    }
}
