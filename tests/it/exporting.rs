//! The audit log leaves the host: formats, resuming, following, receivers that come and go, and an auditor's documents.

use forgeone_tests::{Wat, World, lifecycle, pack_args, syscall_operation, workspace_root};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

/// A home in which something was done, and denied.
fn used() -> World {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    world.run(&["call", "good", "hello"]).ok();
    world.run(&["call", "good", "nothing"]).exits(7);
    world
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn lines(world: &World, arguments: &[&str]) -> Vec<String> {
    let line: Vec<&str> = ["audit", "export"].iter().chain(arguments).copied().collect();
    world.run(&line).ok().text().lines().map(str::to_owned).collect()
}

fn seqs(lines: &[String]) -> Vec<u64> {
    lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect()
}

#[test]
fn an_export_is_the_log_and_each_format_has_every_record() {
    let world = used();
    let all = lines(&world, &[]);
    let log = std::fs::read_to_string(world.home().join("audit/0000000001.jsonl")).unwrap();
    assert_eq!(all, log.lines().collect::<Vec<_>>());
    for format in ["jsonl", "ocsf", "rfc5424", "cef", "ecs"] {
        assert_eq!(lines(&world, &["--format", format]).len(), all.len(), "{format}");
    }
    let denied = lines(&world, &["--filter", "type=management", "--filter", "action=install"]);
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(lines(&world, &["--until", "2000-01-01"]), [""; 0]);
    assert_eq!(lines(&world, &["--since", "2000-01-01T00:00:00Z"]).len(), all.len());
    for wrong in [["--filter", "nonsense"], ["--since", "yesterday"], ["--to", "udp:x:1"]] {
        world.run(&["audit", "export", wrong[0], wrong[1]]).fails(2, "E0101");
    }
}

#[test]
fn an_export_goes_on_after_the_record_it_ended_with() {
    let world = used();
    let cursor = world.path("cursor");
    let first = lines(&world, &["--cursor", text(&cursor)]);
    assert_eq!(lines(&world, &["--cursor", text(&cursor)]), [""; 0]);
    world.run(&["call", "good", "hello"]).ok();
    let more = lines(&world, &["--cursor", text(&cursor)]);
    let both: Vec<String> = first.iter().chain(&more).cloned().collect();
    assert!(!more.is_empty());
    assert_eq!(seqs(&both), (0..both.len() as u64).collect::<Vec<_>>(), "nothing twice, nothing left out");
    assert_eq!(lines(&world, &["--after-seq", &(first.len() - 1).to_string()]), more);
    std::fs::write(&cursor, "x").unwrap();
    world.run(&["audit", "export", "--cursor", text(&cursor)]).fails(8, "E3016");
}

#[test]
fn a_follower_gets_what_is_recorded_after_it_began() {
    let world = used();
    let before = lines(&world, &[]).len();
    let mut follower = world
        .command()
        .args(["audit", "export", "--follow", "--after-seq", &(before - 1).to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(follower.stdout.take().unwrap());
    world.run(&["list"]).ok();
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert_eq!(seqs(&[line]), [before as u64]);
}

/// Reads the messages of one connection, framed by their length.
fn messages(stream: &mut impl Read) -> Vec<String> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let (mut found, mut rest) = (Vec::new(), &bytes[..]);
    while let Some(space) = rest.iter().position(|b| *b == b' ') {
        let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
        found.push(String::from_utf8(rest[space + 1..space + 1 + length].to_vec()).unwrap());
        rest = &rest[space + 1 + length..];
    }
    found
}

#[test]
fn a_receiver_that_ends_in_the_middle_gets_every_record_when_it_is_back() {
    let world = used();
    let all = lines(&world, &[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("tcp:{}", listener.local_addr().unwrap());
    let receiver = std::thread::spawn(move || {
        // Ends with most of the batch unread.
        listener.accept().unwrap().0.read_exact(&mut [0; 16]).unwrap();
        messages(&mut listener.accept().unwrap().0)
    });
    let cursor = world.path("cursor");
    world.run(&["audit", "export", "--to", &to, "--cursor", text(&cursor)]).ok().says("sent again");
    let got = receiver.join().unwrap();
    assert_eq!(got.len(), all.len());
    for (seq, (message, line)) in got.iter().zip(&all).enumerate() {
        assert!(message.contains(&format!("[forgeone@32473 seq=\"{seq}\" ")), "{message}");
        assert!(message.ends_with(line.as_str()), "the record as it stands in the log: {message}");
    }
    assert_eq!(std::fs::read_to_string(cursor).unwrap(), format!("{}\n", all.len()));
}

#[test]
fn evidence_is_signed_bound_to_a_checkpoint_and_refused_for_a_damaged_log() {
    let world = used();
    let out = world.path("evidence");
    let line = ["evidence", "--framework", "soc2", "--incident", "good", "--out", text(&out), "--json"];
    let ran = world.run(&line).ok();
    let json = serde_json::to_string_pretty(&ran.json()).unwrap().replace(text(&out), "[DIR]");
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        filters => vec![(r"sha256:[0-9a-f]{64}", "[DIGEST]")],
    }, { insta::assert_snapshot!("evidence", json); });
    let sums = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&out).output().unwrap();
    assert!(sums.status.success(), "{}", String::from_utf8_lossy(&sums.stdout));
    assert_eq!(
        std::fs::read_to_string(out.join("checkpoint")).unwrap(),
        std::fs::read_to_string(world.home().join("audit/checkpoint")).unwrap()
    );
    let note = std::fs::read_to_string(out.join("SHA256SUMS.note")).unwrap();
    assert!(note.starts_with("forgeone evidence v1\n"), "{note}");
    let figures = std::fs::read_to_string(out.join("figures.csv")).unwrap();
    assert!(
        figures
            .contains("\"unattested-executions\",\"Executions without a valid attestation\",\"1\",\"CC6.8\"")
    );
    assert!(std::fs::read_to_string(out.join("timeline.csv")).unwrap().contains("\"install\""));
    let log = world.home().join("audit/0000000001.jsonl");
    let changed =
        std::fs::read_to_string(&log).unwrap().replace("\"action\":\"install\"", "\"action\":\"inspect\"");
    std::fs::write(&log, changed).unwrap();
    let (last, without_json) = line.split_last().unwrap();
    assert_eq!(*last, "--json");
    world.run(without_json).fails(8, "E3003");
}

/// The name of who runs these stories, and the pseudonym of now.
fn me(world: &World) -> (String, String) {
    let people = world.run(&["audit", "people", "--json"]).ok().json();
    let [me] = people["people"].as_array().unwrap().as_slice() else { panic!("{people}") };
    (me["name"].as_str().unwrap().to_owned(), me["pseudonym"].as_str().unwrap().to_owned())
}

#[test]
fn an_erased_person_is_a_pseudonym_and_what_was_proved_stays_proved() {
    let world = used();
    let (name, pseudonym) = me(&world);
    let shown =
        |name: &str| world.run(&["audit", "tail", "-n", "100"]).ok().text().contains(&format!(" {name} "));
    assert!(shown(&name) && !shown(&pseudonym));
    let proof = world.run(&["audit", "prove", "1", "--json"]).ok().json();
    assert_eq!(proof["record"]["actor"]["user"].as_str(), Some(pseudonym.as_str()), "{proof}");
    world.run(&["audit", "erase", "--subject", "nobody-at-all"]).fails(7, "E5008");
    let erased = world.run(&["audit", "erase", "--subject", &name, "--json"]).ok();
    assert_eq!(erased.json()["erased"].as_str(), Some(pseudonym.as_str()));
    let again = world.run(&["audit", "prove", "1", "--json"]).ok().json();
    assert_eq!((&again["line"], &again["leaf"]), (&proof["line"], &proof["leaf"]));
    world.run(&["audit", "verify"]).ok();
    assert!(!shown(&name) && shown(&pseudonym));
    // Who erased goes on under another pseudonym; nothing says that it is the same person.
    world.run(&["list"]).ok();
    let (same, other) = me(&world);
    assert_eq!(same, name);
    assert_ne!(other, pseudonym);
}

#[test]
fn names_of_a_redacted_kind_are_in_no_record_and_calls_that_lost_theirs_are_not_decided_again() {
    const NAME: &str = "patient/zebulon@example.com";
    const VALUE: &str = "ward 7, bed 12";
    let world = World::development().with("audit", json!({ "redact": ["key"] }));
    let body = format!("{}{}", lifecycle(), syscall_operation("put", "kv_set", 0));
    let keeper = Wat::new("keeper", &["put"], &body).says("permissions", json!({ "storage": ["set"] }));
    world.install("keeper", &keeper.package()).ok();
    for _ in 0..2 {
        world.call("keeper", "put", &pack_args(&[NAME.as_bytes(), VALUE.as_bytes()])).ok();
    }
    let set = lines(&world, &["--filter", "action=kv_set"]);
    let name = |line: &String| {
        serde_json::from_str::<Value>(line).unwrap()["resource"]["name"].as_str().unwrap().to_owned()
    };
    let names: Vec<String> = set.iter().map(name).collect();
    assert!(names.len() == 2 && names[0].starts_with("hmac:") && names[0] == names[1], "{names:?}");
    for (path, bytes) in world.files_below("audit") {
        for text in [NAME, VALUE] {
            let found = bytes.windows(text.len()).any(|part| part == text.as_bytes());
            assert!(!found, "{} holds {text}", path.display());
        }
    }
    let rules = world.home().join("trust/policy");
    let tested = world.run(&["policy", "test", text(&rules), "--json"]).ok().json();
    assert!(tested["skipped"].as_u64().unwrap() >= 2, "{tested}");
}

fn python(script: &str, argument: Option<&Path>, input: &str) -> String {
    let mut command = Command::new("python");
    command.arg(workspace_root().join("tests/interop").join(script)).args(argument);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{script}");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
#[ignore = "run by cargo xtask interop: needs PyPI ocsf-json-schema and compliance-trestle"]
fn interop_what_a_real_log_exports_is_of_its_schemas() {
    let world = used();
    let events = lines(&world, &["--format", "ocsf"]);
    let seen: Value = serde_json::from_str(&python("ocsf.py", None, &events.join("\n"))).unwrap();
    let sum: u64 = seen.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(sum, events.len() as u64);
    for framework in ["soc2", "iso27001", "gdpr"] {
        let out = world.path(framework);
        world.run(&["evidence", "--framework", framework, "--out", text(&out)]).ok();
        python("oscal.py", Some(&out), "");
    }
}

/// An rsyslog that writes structured data and text of what it gets into a file; told to end when it is dropped, and
/// waited for: it writes what it holds before it goes.
struct Rsyslog(std::process::Child);

impl Rsyslog {
    fn start(dir: &Path, port: u16) -> Self {
        let config = format!(
            "global(workDirectory=\"{0}\")\nmodule(load=\"imtcp\")\ninput(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
             template(name=\"raw\" type=\"string\" string=\"%structured-data% %msg%\\n\")\n\
             action(type=\"omfile\" file=\"{0}/out\" template=\"raw\")\n",
            dir.display()
        );
        std::fs::write(dir.join("conf"), config).unwrap();
        std::fs::remove_file(dir.join("pid")).ok();
        let mut command = Command::new("/usr/sbin/rsyslogd");
        let child = command.arg("-n").arg("-f").arg(dir.join("conf")).arg("-i").arg(dir.join("pid"));
        Self(child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("rsyslogd"))
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).ok();
        self.0.wait().ok();
    }
}

/// The numbers of the records a receiver wrote, each once.
fn received(out: &Path) -> std::collections::BTreeSet<u64> {
    let text = std::fs::read_to_string(out).unwrap_or_default();
    let seq = |line: &str| line.split_once("seq=\"")?.1.split('"').next()?.parse().ok();
    text.lines().filter(|line| line.ends_with('}')).filter_map(seq).collect()
}

#[test]
#[ignore = "run by cargo xtask interop: needs rsyslog"]
fn interop_rsyslog_gets_every_record_across_its_restarts() {
    let world = used();
    let dir = world.path("rsyslog");
    std::fs::create_dir(&dir).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut receiver = Rsyslog::start(&dir, port);
    let to = format!("tcp:127.0.0.1:{port}");
    let mut follower = world
        .command()
        .args(["audit", "export", "--follow", "--to", &to, "--cursor", text(&world.path("cursor"))])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for round in 0..6 {
        for _ in 0..5 {
            world.run(&["list"]).ok();
        }
        if round % 2 == 1 {
            drop(receiver);
            world.run(&["list"]).ok();
            receiver = Rsyslog::start(&dir, port);
        }
    }
    let want = lines(&world, &[]).len() as u64;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while received(&dir.join("out")).len() as u64 != want && std::time::Instant::now() < until {
        std::thread::yield_now();
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
    drop(receiver);
    assert_eq!(received(&dir.join("out")), (0..want).collect());
}
