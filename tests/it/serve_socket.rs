//! The daemon's socket: for its owner alone, wherever the home is, and unmoved by what is no request.

use forgeone_tests::{Daemon, Wat, World};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Sends these bytes and returns what comes back until the daemon closes, or nothing comes for long.
fn exchange(daemon: &Daemon, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(daemon.socket()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    // It may close before it has taken everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /v1/control HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

const VERSION: &str = "forgeone-version: 1.0.0 1\r\n";

#[test]
fn the_socket_and_its_directory_are_for_the_owner_alone() {
    let world = World::development();
    let daemon = Daemon::start(&world, &[]);
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&daemon.socket()), 0o600);
    assert_eq!(mode(daemon.socket().parent().expect("a directory")), 0o700);
    daemon.stop();
}

#[test]
fn a_home_whose_path_is_longer_than_an_address_is_served() {
    let world = World::development();
    let home = world.path(&["deep"; 40].join("/"));
    std::fs::create_dir_all(&home).expect("directories");
    std::fs::copy(world.home().join("plugin-manager.yaml"), home.join("plugin-manager.yaml"))
        .expect("copied");
    let home = home.to_str().expect("UTF-8").to_owned();
    assert!(home.len() > 108);
    let daemon = Daemon::of(world.command().args(["serve", "--json", "--home", &home]));
    let status = world.run(&["status", "--json", "--home", &home]).ok().json();
    assert_eq!(status["daemon"]["pid"], daemon.pid());
    daemon.stop();
}

#[test]
fn what_is_no_request_is_answered_as_such_and_the_daemon_lives() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    let daemon = Daemon::start(&world, &[]);
    let noise: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let many = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let large = format!("x: {}\r\n", "y".repeat(100_000));
    for (bytes, status, says) in [
        (noise, "400", ""),
        (b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), "404", ""),
        (b"GET /v1/control HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), "405", ""),
        (post(&many, b""), "431", ""),
        (post(&large, b""), "431", ""),
        (post("content-length: 0\r\n", b""), "400", "E0121"),
        (post("forgeone-version: 0.9.0 1\r\ncontent-length: 0\r\n", b""), "400", "0.9.0"),
        (post(&format!("{VERSION}content-length: 0\r\n"), b""), "400", "it ends within its head"),
        (post(&format!("{VERSION}content-length: 4\r\n"), &[0xff; 4]), "400", "it ends within its head"),
        (post(&format!("{VERSION}content-length: 6\r\n"), b"\x02\0\0\0{}"), "400", "missing field `ask`"),
        (post(&format!("{VERSION}transfer-encoding: chunked\r\n"), b"0\r\n\r\n"), "400", "how long it is"),
        (post(&format!("{VERSION}content-length: 999999999999\r\n"), b"x"), "429", "E0124"),
    ] {
        let answer = exchange(&daemon, &bytes);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "wanted {status}: {answer}");
        assert!(answer.contains(says), "wanted {says:?}: {answer}");
    }
    world.run(&["call", "good", "hello"]).ok();
    daemon.stop();
}

#[test]
fn clients_that_go_away_or_say_nothing_keep_nobody_waiting() {
    let world = World::development();
    world.install("good", &Wat::good().package()).ok();
    let daemon = Daemon::start(&world, &[]);
    let silent: Vec<UnixStream> =
        (0..100).map(|_| UnixStream::connect(daemon.socket()).expect("it listens")).collect();
    let half = post(&format!("{VERSION}content-length: 1000\r\n"), b"half");
    for mut stream in silent.iter().take(50) {
        stream.write_all(&half).expect("taken");
    }
    world.run(&["call", "good", "hello"]).ok();
    drop(silent);
    world.run(&["call", "good", "hello"]).ok();
    daemon.stop();
}

#[test]
fn what_is_no_socket_is_not_taken_away() {
    let world = World::development();
    world.run(&["list"]).ok();
    let precious = world.write("home/run/forgeone.sock", "precious");
    world.run(&["serve"]).fails(2, "E0104").says("is not a socket");
    assert_eq!(std::fs::read(precious).expect("it is there"), b"precious");
}
