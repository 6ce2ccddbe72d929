//! The audit log from outside: checkpoints kept elsewhere, a state database that remembers, a disk that fills, and a
//! verifier in another language.

use forgeone_tests::{Wat, World, workspace_root};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = entry.map(|e| (e.path(), to.join(e.file_name()))).unwrap();
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

/// A home that sends its checkpoints into a file, after a few sessions.
fn sending() -> (World, PathBuf) {
    let world = World::development();
    let kept = world.path("kept");
    let world = world.with("audit", json!({ "checkpoints": { "file": kept } }));
    world.install("good", &Wat::good().package()).ok();
    world.run(&["call", "good", "hello"]).ok();
    (world, kept)
}

#[test]
fn fault_101_a_whole_audit_directory_put_back_is_found_by_the_home_itself() {
    let (world, _) = sending();
    let (audit, old, new) = (world.home().join("audit"), world.path("old"), world.path("new"));
    copy(&audit, &old);
    world.run(&["call", "good", "hello"]).ok();
    copy(&audit, &new);
    std::fs::remove_dir_all(&audit).unwrap();
    copy(&old, &audit);
    world.run(&["audit", "verify"]).fails(8, "E3009").says("rolled_back");
    world.run(&["list"]).fails(8, "E3009").says("restore audit/ from the newest copy");
    std::fs::remove_dir_all(&audit).unwrap();
    copy(&new, &audit);
    world.run(&["list"]).ok();
    assert!(world.run(&["audit", "verify"]).ok().text().contains("whole and unchanged"));
}

#[test]
fn a_log_is_compared_with_checkpoints_that_left_the_host() {
    let (world, kept) = sending();
    let verified = world.run(&["audit", "verify", "--from-checkpoint", text(&kept), "--json"]).ok().json();
    let lines: Vec<String> =
        std::fs::read_to_string(&kept).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(verified["kept"], lines.len() + 1, "and the one of the state database");
    let first = world.write("first", &lines[1]);
    let proof = world.run(&["audit", "prove", "--consistency", text(&first), "--json"]).ok().json();
    assert_eq!(proof["old"].to_string(), lines[1].lines().nth(1).unwrap());
    assert!(proof["proof"].as_str().unwrap().starts_with("old "));
    let (other, theirs) = sending();
    other.run(&["audit", "verify", "--from-checkpoint", text(&kept)]).fails(8, "E3002");
    world.run(&["audit", "prove", "--consistency", text(&theirs)]).fails(8, "E3002");
    world.run(&["audit", "verify", "--from-checkpoint", text(&world.path("none"))]).fails(1, "E0002");
    world.run(&["audit", "prove"]).exits(2);
}

#[test]
fn fault_102_a_host_whose_disk_is_nearly_full_refuses_to_change_and_goes_on_reading() {
    let (world, _) = sending();
    let world = world.with("audit", json!({ "warn_free": "4000000TB", "refuse_free": "4000000TB" }));
    world.run(&["remove", "good"]).exits(8).says("error[E3001]");
    let tail = world.run(&["audit", "tail", "--json"]).ok().json();
    let actions: Vec<&str> =
        tail["records"].as_array().unwrap().iter().map(|r| r["action"].as_str().unwrap()).collect();
    assert!(actions.contains(&"disk_exhausted"), "{actions:?}");
    let list = world.run(&["list", "--json"]).ok().json();
    assert_eq!(list["plugins"].as_array().unwrap().len(), 1);
    assert!(world.run(&["doctor"]).exits(1).text().contains("privileged actions are refused"));
    world.run(&["audit", "verify"]).ok();
    let world = world.with("audit", json!({}));
    world.run(&["call", "good", "hello"]).ok();
    world.run(&["audit", "verify"]).ok();
}

#[test]
fn a_checkpoint_without_a_configured_witness_is_not_accepted() {
    let (world, kept) = sending();
    let line = std::fs::read_to_string(&kept).unwrap();
    let note: String = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    let file = world.write("note", note);
    world.run(&["audit", "cosign", text(&file)]).fails(8, "E3015");
}

/// The verifier of the docs, on this log.
fn python(arguments: &[&str]) -> Output {
    let script = workspace_root().join("plugin-manager/docs/verify/audit_verify.py");
    Command::new("python3").arg(script).args(arguments).output().expect("python3")
}

fn finds(arguments: &[&str], kind: &str) {
    let output = python(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.starts_with(&format!("{kind}: ")), "{kind}: {said}");
}

fn accepts(arguments: &[&str]) {
    let output = python(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by cargo xtask interop: needs the Python package cryptography"]
fn interop_a_verifier_in_python_accepts_what_is_whole_and_names_what_is_not() {
    let (world, kept) = sending();
    let verified = world.run(&["audit", "verify", "--json"]).ok().json();
    let key = verified["key"].as_str().unwrap().to_owned();
    let audit = world.home().join("audit");
    let line = |dir: &Path| -> Vec<String> {
        vec!["--key".into(), key.clone(), text(dir).into(), "--from-checkpoint".into(), text(&kept).into()]
    };
    let run = |dir: &Path, kind: Option<&str>| {
        let line = line(dir);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        kind.map_or_else(|| accepts(&line), |kind| finds(&line, kind));
    };
    run(&audit, None);
    let proof = world.run(&["audit", "prove", "2", "--json"]).ok().json();
    let proof_file = world.write("proof", proof["proof"].as_str().unwrap());
    let line_file = world.write("line", proof["line"].as_str().unwrap());
    accepts(&["--key", &key, "--proof", text(&proof_file), "--line", text(&line_file)]);
    let other_line = world.write("line", proof["line"].as_str().unwrap().replace("\"seq\":2", "\"seq\":3"));
    finds(&["--key", &key, "--proof", text(&proof_file), "--line", text(&other_line)], "bad_proof");
    let notes = std::fs::read_to_string(&kept).unwrap();
    let earlier: String = serde_json::from_str(notes.lines().nth(1).unwrap()).unwrap();
    let earlier = world.write("earlier", earlier);
    let shown = world.run(&["audit", "prove", "--consistency", text(&earlier), "--json"]).ok().json();
    let consistency = world.write("consistency", shown["proof"].as_str().unwrap());
    accepts(&["--key", &key, "--consistency", text(&consistency), "--earlier", text(&earlier)]);
    for (kind, change) in damages() {
        let copied = world.path(kind);
        copy(&audit, &copied);
        change(&copied);
        run(&copied, Some(kind));
    }
}

type Damage = (&'static str, fn(&Path));

/// Each kind of finding, and how to a copy of a log is done what makes it.
fn damages() -> [Damage; 6] {
    fn lines(dir: &Path, change: impl FnOnce(&mut Vec<String>)) {
        let path = dir.join("0000000001.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        std::fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }
    [
        ("edited", |dir| lines(dir, |l| l[1] = l[1].replace("\"outcome\":\"ok\"", "\"outcome\":\"oK\""))),
        ("deleted", |dir| lines(dir, |l| drop(l.remove(1)))),
        ("reordered", |dir| lines(dir, |l| l.insert(2, l[1].clone()))),
        ("truncated", |dir| lines(dir, |l| drop(l.pop()))),
        ("bad_checkpoint", |dir| {
            let note = std::fs::read_to_string(dir.join("checkpoint")).unwrap();
            std::fs::write(dir.join("checkpoint"), note.replace("forgeone\n", "forgeone\n1")).unwrap();
        }),
        ("rolled_back", |dir| {
            let history = std::fs::read_to_string(dir.join("checkpoints")).unwrap();
            let first: String = serde_json::from_str(history.lines().next().unwrap()).unwrap();
            std::fs::write(dir.join("checkpoint"), first).unwrap();
        }),
    ]
}

const SERVER: &str = r#"
import http.server, socketserver, ssl, sys
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open(sys.argv[3], "ab") as file:
            file.write(body)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = socketserver.TCPServer(("127.0.0.1", 0), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// A server that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "run by cargo xtask interop: needs openssl and python3"]
fn interop_a_webhook_gets_the_checkpoints_over_tls_and_one_nobody_vouches_for_does_not() {
    let world = World::development();
    let (cert, key, got) = (world.path("cert.pem"), world.path("key.pem"), world.path("got"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=receiver",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-keyout", text(&key), "-out", text(&cert)])
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let script = world.write("server.py", SERVER);
    let server = Command::new("python3").args([&script, &cert, &key, &got]).stdout(Stdio::piped()).spawn();
    let mut server = Server(server.unwrap());
    let mut port = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.0.stdout.take().unwrap()), &mut port)
        .unwrap();
    let url = format!("https://127.0.0.1:{}/checkpoints?token=secret", port.trim());
    let world = world.with("audit", json!({ "checkpoints": { "webhook": url, "webhook_ca": cert } }));
    world.run(&["list"]).ok();
    let latest = std::fs::read_to_string(world.home().join("audit/checkpoint")).unwrap();
    let sent = std::fs::read_to_string(&got).unwrap();
    assert!(sent.ends_with(&latest), "{sent}");
    std::fs::remove_file(&got).unwrap();
    let world = world.with("audit", json!({ "checkpoints": { "webhook": url } }));
    world.run(&["list"]).ok();
    drop(server);
    assert!(!got.exists(), "a certificate that leads to no root was believed");
    let tail = world.run(&["audit", "tail", "-n", "50", "--json"]).ok().json();
    let unsent: Vec<&Value> =
        tail["records"].as_array().unwrap().iter().filter(|r| r["action"] == "checkpoint_unsent").collect();
    assert_eq!(unsent[0]["resource"]["name"], format!("webhook 127.0.0.1:{}", port.trim()));
    assert!(!tail.to_string().contains("secret"));
}
