//! Keys as a team has them: under passphrases, revoked, rotated, and one signature beside another.

use forgeone_tests::{Daemon, Engine, Environment, Ran, Wat, World, read_entries, signed_package};
use std::path::{Path, PathBuf};
use std::process::Command;

const TOML: &str = "[plugin]\nname = \"good\"\nversion = \"1.0.0\"\npublisher = \"acme\"\n\
    [[operations]]\nname = \"hello\"\n[[operations]]\nname = \"echo\"\n";

fn staging() -> World {
    World::new(Environment::Staging, Engine::Wasmtime)
}

/// A packed plugin of acme that nobody signed.
fn unsigned(world: &World) -> PathBuf {
    world.write("source/plugin.toml", TOML);
    world.write("source/plugin.wasm", Wat::good().module());
    world.run(&["pack", "source", "-o", "good.forgepkg"]).ok();
    world.path("good.forgepkg")
}

/// The command with a passphrase in its environment.
fn with_passphrase(world: &World, passphrase: &str, arguments: &[&str]) -> Ran {
    Ran::of(world.command().args(arguments).env("FORGEONE_PASSPHRASE", passphrase), b"")
}

fn protected(world: &World, file: &str) -> bool {
    std::fs::read_to_string(world.home().join(file)).unwrap().contains("ENCRYPTED PRIVATE KEY")
}

#[test]
fn keys_under_passphrases_are_made_used_and_refused_without() {
    let world = staging();
    let ca = world.write("ca.pass", "of the authority\nsecond line\n");
    let acme = world.write("acme.pass", "of acme");
    let (ca, acme) = (ca.to_str().unwrap(), acme.to_str().unwrap());
    let made = world.run(&["keys", "init", "--name", "house", "--passphrase-file", ca]).ok();
    assert!(made.text().contains("with a passphrase"), "{made}");
    world.run(&["keys", "issue", "acme"]).fails(2, "E0141");
    world.run(&["keys", "issue", "acme", "--passphrase-file", acme]).fails(2, "E0142");
    with_passphrase(&world, "guess", &["keys", "issue", "acme"]).fails(2, "E0142");
    let issue = ["keys", "issue", "acme", "--passphrase-file", ca, "--new-passphrase-file", acme];
    world.run(&issue).ok();
    assert!(protected(&world, "keys/authority.key.pem") && protected(&world, "keys/publishers/acme.key.pem"));
    let listed = world.run(&["keys", "list", "--json"]).ok().json();
    let has: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|k| k["protected"].clone()).collect();
    assert_eq!(has, [true, true]);

    unsigned(&world);
    let sign = ["sign", "good.forgepkg", "--publisher", "acme"];
    world.run(&sign).fails(2, "E0141");
    with_passphrase(&world, "of the authority", &sign).fails(2, "E0142");
    with_passphrase(&world, "of acme", &sign).ok();
    world.run(&["verify", "good.forgepkg"]).ok();
    let key = world.home().join("keys/publishers/acme.key.pem");
    let cert = world.home().join("keys/publishers/acme.cert.pem");
    let by_file = ["sign", "good.forgepkg", "--key", key.to_str().unwrap(), "--cert", cert.to_str().unwrap()];
    world.run(&by_file).fails(2, "E0141");
    world.run(&[&by_file[..], &["--passphrase-file", acme]].concat()).ok();

    world.run(&["keys", "rotate", "acme", "--passphrase-file", ca, "--no-passphrase"]).ok();
    assert!(!protected(&world, "keys/publishers/acme.key.pem"));
    world.run(&["keys", "revoke", "acme"]).fails(2, "E0141");
    with_passphrase(&world, "of the authority", &["keys", "notary"]).ok();
    world.run(&["sign", "good.forgepkg", "--publisher", "acme", "--timestamp", "local"]).fails(2, "E0141");
    let log = ["sign", "good.forgepkg", "--publisher", "acme", "--timestamp", "local", "--log"];
    with_passphrase(&world, "of the authority", &log).ok();
    world.run(&["keys", "protect", "--notary", "--passphrase-file", ca, "--no-passphrase"]).ok();
    world.run(&log).ok();
    world.run(&["keys", "protect", "acme", "--new-passphrase-file", acme]).ok();
    world.run(&log).fails(2, "E0141");
}

/// A daemon is asked as any home is; the passphrase goes with the question and is not kept.
#[test]
fn a_daemon_makes_keys_with_the_passphrase_of_the_question() {
    let world = staging();
    let daemon = Daemon::start(&world, &[]);
    with_passphrase(&world, "of the house", &["keys", "init", "--name", "house"]).ok();
    world.run(&["keys", "issue", "acme"]).fails(2, "E0141");
    with_passphrase(&world, "wrong", &["keys", "issue", "acme"]).fails(2, "E0142");
    with_passphrase(&world, "of the house", &["keys", "issue", "acme"]).ok();
    assert!(protected(&world, "keys/publishers/acme.key.pem"));
    world.run(&["keys", "issue", "other"]).fails(2, "E0141");
    daemon.stop();
    for (path, bytes) in world.files_below("") {
        let found = bytes.windows(12).any(|window| window == b"of the house");
        assert!(!found, "the passphrase is in {}", path.display());
    }
}

#[test]
fn what_a_revoked_or_rotated_key_signed_is_judged_by_the_list() {
    let world = staging();
    let first = signed_package(&world, TOML, Wat::good().module());
    let serial = world.run(&["keys", "list", "--json"]).ok().json()["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["name"] == "acme")
        .map(|key| key["serial"].as_str().unwrap().to_owned())
        .expect("acme has a key");
    let first =
        std::fs::copy(&first, world.path("first.forgepkg")).map(|_| world.path("first.forgepkg")).unwrap();
    let (first, second) = (first.to_str().unwrap(), world.path("second.forgepkg"));
    world.run(&["install", first]).ok();
    world.run(&["keys", "rotate", "acme", "--days", "40"]).ok();
    let sign = ["sign", first, "--publisher", "acme", "-o", second.to_str().unwrap()];
    world.run(&sign).ok();
    for package in [first, second.to_str().unwrap()] {
        world.run(&["verify", package]).ok();
    }
    let daemon = Daemon::start(&world, &[]);
    world.run(&["call", "good", "hello"]).ok();
    let revoked = world.run(&["keys", "revoke", "acme", "--serial", &serial, "--kill", "--json"]).ok().json();
    assert_eq!((&revoked["serial"], &revoked["killed"]), (&serial.as_str().into(), &true.into()));
    // The answer comes after what was revoked has stopped.
    let status = world.run(&["status", "good", "--json"]).ok().json();
    assert_eq!(status["state"], "Quarantined");
    world.run(&["call", "good", "hello"]).exits(7);
    daemon.stop();
    world.run(&["verify", first]).exits(3);
    world.run(&["verify", second.to_str().unwrap()]).ok();
    world.run(&["keys", "revoke", "nobody"]).fails(7, "E5008");
    world.run(&["keys", "revoke", "acme", "--serial", "00ff"]).fails(7, "E5008");
    world.run(&["keys", "rotate", "nobody"]).fails(7, "E5008");
}

#[test]
fn a_second_signature_counts_with_its_role_and_stays_when_the_first_is_made_anew() {
    let world = staging();
    world.run(&["keys", "init", "--name", "house"]).ok();
    world.run(&["keys", "issue", "acme"]).ok();
    world.run(&["keys", "issue", "ada", "--signer", "--role", "review"]).ok();
    world.run(&["keys", "issue", "eve", "--signer", "--role", "build"]).ok();
    let trust = world.home().join("trust/trust.toml");
    let text = std::fs::read_to_string(&trust).unwrap();
    let demands = "uri = \"forgeone://house/acme\"\nrequired_signers = 2\nrequired_roles = [\"review\"]";
    let text = text.replacen("uri = \"forgeone://house/acme\"", demands, 1);
    std::fs::write(&trust, text).unwrap();
    let package = unsigned(&world);
    let package = package.to_str().unwrap();
    // Either order.
    world.run(&["sign", package, "--cosigner", "eve"]).ok();
    world.run(&["verify", package]).fails(3, "E1201");
    world.run(&["sign", package, "--publisher", "acme"]).ok();
    world.run(&["verify", package]).fails(3, "E1405").says("review");
    world.run(&["sign", package, "--cosigner", "ada"]).ok();
    assert!(world.run(&["verify", package]).ok().text().contains("3 signers"));
    world.run(&["sign", package, "--publisher", "acme"]).ok();
    world.run(&["verify", package]).ok();
    let names: Vec<String> = read_entries(&std::fs::read(package).unwrap())
        .iter()
        .filter(|(name, _)| name.starts_with("attestations/"))
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(
        names,
        [
            "attestations/ada.sigstore.json",
            "attestations/eve.sigstore.json",
            "attestations/package.sigstore.json"
        ]
    );
    world.run(&["sign", package, "--cosigner", "nobody"]).fails(7, "E5008");
    // A timestamp is of the publisher's signature.
    world.run(&["sign", package, "--cosigner", "ada", "--timestamp", "local"]).exits(2);
    world.run(&["sign", package, "--cosigner", "ada", "--log"]).exits(2);
}

#[test]
fn what_ends_soon_is_told_where_keys_are_looked_at_and_used() {
    let world = staging();
    world.run(&["keys", "init", "--name", "house"]).ok();
    world.run(&["keys", "issue", "acme", "--days", "9"]).ok();
    world.run(&["keys", "issue", "lasting"]).ok();
    world.run(&["keys", "revoke", "--days", "400"]).ok();
    let listed = world.run(&["keys", "list", "--json"]).ok();
    assert!(listed.stderr.contains("acme") && !listed.stderr.contains("lasting"), "{listed}");
    let expiring = listed.json()["expiring"].clone();
    assert_eq!((&expiring[0]["what"], &expiring[0]["name"]), (&"publisher".into(), &"acme".into()));
    assert_eq!(expiring.as_array().unwrap().len(), 1);
    let probe = |world: &World| {
        let probes = world.run(&["doctor", "--json"]).json();
        let probes = probes["probes"].as_array().unwrap().clone();
        probes.into_iter().find(|p| p["name"] == "certificates").unwrap()
    };
    assert_eq!(probe(&world)["verdict"], "warning");
    assert!(world.run(&["status"]).ok().stderr.contains("acme"));
    unsigned(&world);
    assert!(world.run(&["sign", "good.forgepkg", "--publisher", "acme"]).ok().stderr.contains("ends soon"));
    // A list that runs out is told as a certificate is.
    world.run(&["keys", "revoke", "--days", "2"]).ok();
    assert!(probe(&world)["detail"].as_str().unwrap().contains("revocation list"));
    let world = world.with("keys", serde_json::json!({ "warn_before": "1d" }));
    assert_eq!(probe(&world)["verdict"], "ok");
    assert!(world.run(&["sign", "good.forgepkg", "--publisher", "acme"]).ok().stderr.is_empty());
}

fn openssl(dir: &Path, args: &[&str]) {
    let ran = Command::new("openssl").args(args).current_dir(dir).output().unwrap();
    assert!(ran.status.success(), "{args:?}: {ran:?}");
}

#[test]
#[ignore = "run by cargo xtask interop: needs openssl"]
fn interop_openssl_reads_our_protected_keys_and_we_read_its() {
    let world = staging();
    let dir = world.path("");
    with_passphrase(&world, "ours", &["keys", "init", "--name", "house"]).ok();
    with_passphrase(&world, "ours", &["keys", "issue", "acme"]).ok();
    with_passphrase(&world, "ours", &["keys", "issue", "edna", "--algorithm", "ed25519"]).ok();
    unsigned(&world);
    for (name, more) in
        [("acme", ["-v2", "aes-256-cbc"]), ("edna", ["-v2", "aes-128-cbc"]), ("acme", ["-scrypt", "-inform"])]
    {
        let key = world.home().join(format!("keys/publishers/{name}.key.pem"));
        let (key, cert) =
            (key.to_str().unwrap(), world.home().join(format!("keys/publishers/{name}.cert.pem")));
        openssl(&dir, &["pkey", "-in", key, "-passin", "pass:ours", "-out", "plain.pem"]);
        let mut protect =
            vec!["pkcs8", "-topk8", "-in", "plain.pem", "-passout", "pass:theirs", "-out", "theirs.pem"];
        protect.extend(more);
        if more[0] == "-scrypt" {
            protect.push("PEM");
        }
        openssl(&dir, &protect);
        let theirs = world.path("theirs.pem");
        let sign =
            ["sign", "good.forgepkg", "--key", theirs.to_str().unwrap(), "--cert", cert.to_str().unwrap()];
        with_passphrase(&world, "ours", &sign).fails(2, "E0142");
        let signed = with_passphrase(&world, "theirs", &sign);
        // edna may sign no package of acme: that is judged after the key was opened.
        if name == "acme" {
            signed.ok()
        } else {
            signed.fails(3, "E1402")
        };
    }
    openssl(
        &dir,
        &[
            "pkcs8",
            "-topk8",
            "-in",
            "plain.pem",
            "-passout",
            "pass:x",
            "-v2prf",
            "hmacWithSHA1",
            "-out",
            "old.pem",
        ],
    );
    let cert = world.home().join("keys/publishers/acme.cert.pem");
    let old = world.path("old.pem");
    let sign = ["sign", "good.forgepkg", "--key", old.to_str().unwrap(), "--cert", cert.to_str().unwrap()];
    with_passphrase(&world, "x", &sign).fails(2, "E0101").says("SHA-1");
}

/// What is typed at a terminal, which echoes nothing of it.
const TERMINAL: &str = r#"
import os, pty, sys, termios
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
for line in sys.argv[1].split(","):
    while not shown.rstrip(b" ").endswith(b":"):
        shown += os.read(terminal, 1)
    print(shown.decode(), end="")
    shown = b""
    # What is typed before the terminal stopped to echo would be shown.
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        pass
    os.write(terminal, line.encode() + b"\n")
try:
    while True:
        got = os.read(terminal, 1024)
        if not got: break
        shown += got
except OSError:
    pass
print(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
#[ignore = "run by cargo xtask interop: needs python3"]
fn interop_a_terminal_asks_for_passphrases_and_shows_none() {
    let world = staging();
    let script = world.write("terminal.py", TERMINAL);
    let typed = |lines: &str, arguments: &[&str]| {
        let mut command = world.command();
        let program = command.get_program().to_owned();
        let given: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let environment: Vec<_> =
            command.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))).collect();
        command = Command::new("python3");
        command.current_dir(world.path("")).arg(&script).arg(lines).arg(program).args(given).args(arguments);
        Ran::of(command.envs(environment), b"")
    };
    typed("of ours,of hers", &["keys", "init", "--name", "house", "--passphrase"]).fails_on_terminal("E0101");
    let made = typed("of ours,of ours", &["keys", "init", "--name", "house", "--passphrase"]);
    assert!(made.code == 0 && !made.text().contains("of ours"), "{made}");
    let issued = typed("of ours", &["keys", "issue", "acme"]);
    assert!(issued.code == 0 && issued.text().contains("passphrase of the authority"), "{issued}");
    assert!(protected(&world, "keys/publishers/acme.key.pem"));
    typed("of hers", &["keys", "issue", "other"]).fails_on_terminal("E0142");
}

trait OnTerminal {
    fn fails_on_terminal(self, code: &str);
}

impl OnTerminal for Ran {
    /// A terminal shows results and errors alike.
    fn fails_on_terminal(self, code: &str) {
        assert!(self.code != 0 && self.text().contains(code), "{self}");
    }
}
