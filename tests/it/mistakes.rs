//! Mistakes of a first user: each is told where it is made, with the next thing to try.

use forgeone_tests::{Engine, Environment, Wat, World, lifecycle};

const TOML: &str = "[plugin]\nname = \"good\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n\
    [[operations]]\nname = \"hello\"\n[[operations]]\nname = \"echo\"\n";

/// A world with the source of the plugin `good` in `source`.
fn source() -> World {
    let world = World::development();
    world.write("source/plugin.toml", TOML);
    world.write("source/plugin.wasm", Wat::good().module());
    world
}

/// The one line of a table or listing that holds this text.
fn line<'a>(text: &'a str, with: &str) -> &'a str {
    text.lines().find(|line| line.contains(with)).unwrap_or_else(|| panic!("no {with} in {text}"))
}

#[test]
fn a_package_of_one_publisher_is_not_signed_by_another() {
    let world = source();
    world.run(&["keys", "init", "--name", "house"]).ok();
    world.run(&["keys", "issue", "ada"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    world.run(&["pack", "source", "-o", "p.forgepkg"]).ok();
    let packed = std::fs::read(world.path("p.forgepkg")).unwrap();
    let refused = world.run(&["sign", "p.forgepkg", "--publisher", "ada"]).fails(3, "E1402");
    refused.says("the publisher acme").says("the certificate is of ada").says("forgeone://house/ada");
    let files = ["--key", "home/keys/publishers/ada.key.pem", "--cert", "home/keys/publishers/ada.cert.pem"];
    world.run(&[&["sign", "p.forgepkg"], &files[..]].concat()).fails(3, "E1402");
    assert_eq!(std::fs::read(world.path("p.forgepkg")).unwrap(), packed);

    let signed = world.run(&["sign", "p.forgepkg", "--publisher", "acme"]).ok();
    assert!(line(signed.text(), "signer").contains("forgeone://house/acme"), "{signed}");
    // What the publisher is called is for trust.toml to say, not for the name of its key.
    let trust = std::fs::read_to_string(world.path("home/trust/trust.toml")).unwrap();
    let trust =
        trust.replace("name = \"acme\"", "name = \"other\"").replace("name = \"ada\"", "name = \"acme\"");
    world.write("home/trust/trust.toml", trust);
    world.run(&["sign", "p.forgepkg", "--publisher", "ada"]).ok();
}

#[test]
fn a_signature_that_is_not_judged_is_not_called_missing() {
    let signer = World::development();
    let package = forgeone_tests::signed_package(&signer, TOML, Wat::good().module());
    let package = package.to_str().unwrap();
    let world = World::development();
    let verified = world.run(&["verify", package]).ok();
    assert!(line(verified.text(), "signer").contains("signed; the signature is not judged"), "{verified}");
    assert!(verified.text().contains("its signature is not judged"), "{verified}");
    assert!(!verified.text().contains("unsigned"), "{verified}");
    let json = world.run(&["verify", package, "--json"]).ok().json();
    assert!(json["signer"].is_null() && json["unjudged_signature"] == true, "{json}");
    world.run(&["install", package]).ok();
    let status = world.run(&["status", "good"]).ok();
    assert!(line(status.text(), "signer").contains("signed; the signature is not judged"), "{status}");
    let json = world.run(&["status", "good", "--json"]).ok().json();
    assert_eq!(json["unjudged_signature"], true);
    let unsigned = World::development();
    unsigned.install("good", &Wat::good().package()).ok();
    let status = unsigned.run(&["status", "good"]).ok();
    assert!(line(status.text(), "signer").contains("not signed"), "{status}");
}

#[test]
fn pack_refuses_a_module_that_install_would_refuse() {
    let world = source();
    let pack = |wasm: &str| world.run(&["pack", "source", "--wasm", wasm, "-o", "p.forgepkg"]);
    pack("source/plugin.toml").fails(3, "E1010").says("the module is source/plugin.toml");
    let command = Wat::new("good", &[], r#"(func (export "_start"))"#);
    pack(world.write("command.wasm", command.module()).to_str().unwrap()).fails(3, "E1013");
    world.write("source/plugin.toml", TOML.replace("\"hello\"", "\"helo\""));
    let refused = pack("source/plugin.wasm").fails(3, "E1012").says("does not export helo");
    let refused = refused.says("it exports echo, hello, init, start, stop");
    refused.says("correct `[[operations]]` in plugin.toml");
    assert!(!world.path("p.forgepkg").exists());
}

#[test]
fn pack_says_where_the_files_it_lacks_come_from() {
    let world = source();
    std::fs::remove_file(world.path("source/plugin.wasm")).unwrap();
    world.run(&["pack", "source"]).fails(7, "E5008").says("cargo wasm").says("--wasm");
    world.run(&["pack", "source", "--wasm", "nothing"]).fails(7, "E5008").says("build the module first");
    world.run(&["pack", "."]).fails(7, "E5008").says("`forgeone new` makes one");
}

#[test]
fn remove_tells_what_it_erased_and_what_it_kept() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    world.run(&["install", "good.forgepkg"]).fails(7, "E5004").says("forgeone remove good --keep-data");
    let kept = world.run(&["remove", "good", "--keep-data"]).ok();
    assert_eq!(line(kept.text(), "erased"), "erased   settings, log");
    assert_eq!(line(kept.text(), "kept"), "kept     stored values, files, saved state");
    world.install("good", &Wat::good().package()).ok();
    let gone = world.run(&["remove", "good"]).ok();
    assert_eq!(line(gone.text(), "erased"), "erased   stored values, files, saved state, settings, log");
    assert_eq!(line(gone.text(), "kept"), "kept     nothing");
}

#[test]
fn a_denied_host_call_leads_to_the_missing_permission() {
    let world = World::development();
    let put = forgeone_tests::syscall_operation("put", "kv_set", 0);
    // Hands the host's status on as it is.
    let put = put.replace("(i32.sub (i32.const 0) (local.get $n))", "(local.get $n)");
    let body = format!("{}{put}", lifecycle());
    world.install("asks", &Wat::new("asks", &["put"], &body).package()).ok();
    let denied = world.call("asks", "put", &forgeone_tests::pack_args(&[b"k", b"v"])).fails(5, "E4002");
    let tail = world.run(&["audit", "tail"]).ok();
    assert!(line(tail.text(), "kv_set").contains("missing permission storage = [\"set\"]"), "{tail}");
    assert!(line(tail.text(), " init ").ends_with("plugin asks"), "{tail}");
    denied.says("status -1").says("forgeone audit tail");
    assert!(world.run(&["explain", "E4002"]).ok().text().contains("status -1"));
}

#[test]
fn input_that_was_not_read_is_told() {
    let world = World::development();
    let body = r#"(func (export "need") (param $len i32) (result i32) (i32.eqz (local.get $len)))"#;
    world.install("needy", &Wat::new("needy", &["need"], &format!("{}{body}", lifecycle())).package()).ok();
    let told = "stdin was not read; give --input -";
    world.run_with(&["call", "needy", "need"], b"{}").fails(5, "E4002").says(told);
    world.run_with(&["call", "needy", "need", "--input", "-"], b"{}").ok();
    let ran = world.run_with(&["call", "needy", "need", "--input", "-"], b"").fails(5, "E4002");
    assert!(!ran.stderr.contains(told), "{ran}");
    let mut quiet = world.command();
    let quiet = quiet.args(["call", "needy", "need"]).stdin(std::process::Stdio::null()).output().unwrap();
    assert!(!String::from_utf8_lossy(&quiet.stderr).contains(told));
    world.run(&["call", "needy", "need", "--input", "{}"]).fails(7, "E5008").says("FILE").says("--input -");
}

#[test]
fn what_start_and_resume_print_is_what_status_says() {
    let world = World::new(Environment::Development, Engine::Wasmtime);
    world.install("good", &Wat::good().package()).ok();
    let waits = "Stopped, desired running: a call brings it up";
    assert!(line(world.run(&["status", "good"]).ok().text(), "state").ends_with(waits));
    let started = world.run(&["start", "good"]).ok();
    let state = line(started.text(), "state");
    assert!(state.ends_with("started and stopped again, desired running: a call brings it up"), "{state}");
    world.run(&["pause", "good"]).ok();
    assert!(line(world.run(&["resume", "good"]).ok().text(), "state").ends_with(waits));
    world
        .run(&["resume", "good"])
        .fails(7, "E5002")
        .says("good is not paused: it cannot move from Stopped to Running");
}
