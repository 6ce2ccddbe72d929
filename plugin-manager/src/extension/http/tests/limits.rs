//! How long, how much and how often.

use super::*;
use common::cancel::CancelToken;
use common::clock::Deadline;
use std::time::Duration;

#[test]
fn an_answer_larger_than_the_limit_is_none() {
    let world = World::with(&["127.0.0.1"], |o| o.response_limit = 1000);
    let server = world.server("a.test", |request| {
        let length: usize = request.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        answer(200, "", &"x".repeat(length))
    });
    assert_eq!(world.get(&server.at("/1000")).unwrap().body.len(), 1000);
    assert_eq!(world.status(&server.at("/1001")), Err(Status::Limit));
    let endless =
        world.server("a.test", |_| [b"HTTP/1.1 200 x\r\n\r\n".as_slice(), &[b'x'; 100_000]].concat());
    assert_eq!(world.status(&endless.at("/")), Err(Status::Limit));
    let heads = world.server("a.test", |_| answer(200, &"x: y\r\n".repeat(200), ""));
    assert_eq!(world.status(&heads.at("/")), Err(Status::Unavailable), "too many headers");
}

/// A server that says nothing, and does this when it was asked.
fn silent(world: &World, when_asked: impl Fn() + Send + Sync + 'static) -> Server {
    world.server("a.test", move |_| {
        when_asked();
        Vec::new()
    })
}

#[test]
fn fault_100_the_deadline_of_the_call_ends_a_request() {
    let mut world = World::new();
    let clock = world.host.clock.clone();
    world.host.deadline = Deadline::after(&*clock, Duration::from_secs(5));
    let server = silent(&world, move || clock.advance(Duration::from_secs(6)));
    assert_eq!(world.status(&server.at("/")), Err(Status::Timeout));
}

#[test]
fn the_plugins_own_timeout_and_the_hosts_end_it_sooner() {
    let world = World::new();
    let clock = world.host.clock.clone();
    let server = silent(&world, move || clock.advance(Duration::from_millis(60)));
    let timed = request("GET", &server.at("/"), &[]).arg("").arg(n(50));
    assert_eq!(world.host.call("http_request", timed), Err(Status::Timeout));
    let world = World::with(&["127.0.0.1"], |o| o.timeout = Duration::from_millis(50));
    let clock = world.host.clock.clone();
    let server = silent(&world, move || clock.advance(Duration::from_millis(60)));
    let long = request("GET", &server.at("/"), &[]).arg("").arg(n(u64::MAX));
    assert_eq!(world.host.call("http_request", long), Err(Status::Timeout));
}

#[test]
fn a_call_that_is_given_up_ends_its_request() {
    let mut world = World::new();
    let token = CancelToken::new();
    world.host.cancel = Some(token.clone());
    let server = silent(&world, move || token.cancel());
    assert_eq!(world.status(&server.at("/")), Err(Status::Timeout));
    assert_eq!(world.status(&server.at("/")), Err(Status::Timeout), "it stays given up");
}

#[test]
fn requests_at_once_in_a_second_and_bytes_are_bounded() {
    let world = World::with(&["127.0.0.1"], |o| (o.requests_per_second, o.bytes_per_second) = (1, 10_000));
    let server = world.server("a.test", |_| answer(200, "", ""));
    for _ in 0..10 {
        assert_eq!(world.status(&server.at("/")), Ok(200));
    }
    let refused = world.get(&server.at("/")).unwrap_err();
    assert_eq!(
        (refused.status, refused.cause.contains("faster")),
        (Status::Limit, true),
        "{}",
        refused.cause
    );
    let world = World::with(&["127.0.0.1"], |o| o.bytes_per_second = 100);
    let server = world.server("a.test", |_| answer(200, "", &"x".repeat(2000)));
    assert_eq!(world.status(&server.at("/")), Ok(200));
    assert_eq!(world.status(&server.at("/")), Err(Status::Limit));
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn what_was_moved_is_booked_of_an_exchange_that_failed_too() {
    let spent = |world: &World, server: &Server, failure| {
        let long = "x".repeat(2000);
        let failed = world.send("POST", &server.at("/"), &[], &long).unwrap_err();
        assert_eq!(failed.status, failure);
        let refused = world.get(&server.at("/")).unwrap_err();
        assert!(refused.cause.contains("used up its bytes"), "{}", refused.cause);
        assert_eq!(server.seen().len(), 1);
    };
    let poor = || World::with(&["127.0.0.1"], |o| (o.bytes_per_second, o.response_limit) = (100, 1000));
    let world = poor();
    spent(&world, &world.server("a.test", |_| b"no answer of HTTP".to_vec()), Status::Unavailable);
    let world = poor();
    spent(&world, &world.server("a.test", |_| answer(200, "", &"x".repeat(1001))), Status::Limit);
    let mut world = poor();
    let clock = world.host.clock.clone();
    world.host.deadline = Deadline::after(&*clock, Duration::from_secs(1));
    let server = silent(&world, move || clock.advance(Duration::from_secs(2)));
    let sent = world.send("POST", &server.at("/"), &[], &"x".repeat(4000)).unwrap_err();
    assert_eq!(sent.status, Status::Timeout);
    world.host.deadline = Deadline::NEVER;
    assert_eq!(world.status(&server.at("/")), Err(Status::Limit));
}

#[test]
fn a_redirect_is_a_request_of_the_quota_too() {
    let world = World::with(&["127.0.0.1"], |o| (o.requests_per_second, o.redirects) = (1, 20));
    let server = world.server("a.test", |_| answer(302, "location: /\r\n", ""));
    assert_eq!(world.status(&server.at("/")), Err(Status::Limit));
    assert_eq!(server.seen().len(), 10);
    assert_eq!(world.options.at_once, 8);
}
