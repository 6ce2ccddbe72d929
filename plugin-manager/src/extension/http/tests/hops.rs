//! Where a request may lead: addresses, names that change, redirects, and the way without TLS.

use super::super::exchange::may_reach;
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[test]
fn fault_110_addresses_that_are_not_public_are_denied_unless_granted() {
    for (answers, access) in [
        ("127.0.0.1", HttpAccess::Restricted),
        ("10.1.2.3 192.168.0.1", HttpAccess::Restricted),
        ("::1", HttpAccess::Restricted),
        ("fd00::1", HttpAccess::Restricted),
        ("::ffff:127.0.0.1", HttpAccess::Restricted),
        ("169.254.169.254", HttpAccess::Restricted),
        ("169.254.169.254", HttpAccess::Open),
        ("fe80::1", HttpAccess::Open),
        ("0.0.0.0", HttpAccess::Open),
        ("8.8.8.8", HttpAccess::None),
    ] {
        let world = World::with(&[answers], |o| (o.private_ranges, o.access) = (Vec::new(), access));
        assert_eq!(world.status("https://name.test/"), Err(Status::Denied), "{answers}");
    }
    let world = World::with(&[""], |o| o.private_ranges.clear());
    for literal in ["127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "[fe80::1]", "0.0.0.0"] {
        assert_eq!(world.status(&format!("https://{literal}/")), Err(Status::Denied), "{literal}");
    }
    assert_eq!(world.status("https://2130706433/"), Err(Status::Invalid));
    assert_eq!(world.status("file:///etc/passwd"), Err(Status::Invalid));
    assert_eq!(world.status("https://name.test/"), Err(Status::Unavailable), "a name without an address");
}

#[test]
fn an_open_network_reaches_private_addresses_and_those_of_the_link_by_their_own_name_only() {
    let reach = |access, ip: &str, named| may_reach(access, &[], ip.parse().unwrap(), named);
    assert!(reach(HttpAccess::Open, "10.0.0.1", false) && reach(HttpAccess::Open, "169.254.1.1", true));
    assert!(!reach(HttpAccess::Open, "169.254.1.1", false) && !reach(HttpAccess::Open, "224.0.0.1", true));
    assert!(
        reach(HttpAccess::Restricted, "8.8.8.8", false) && !reach(HttpAccess::Restricted, "10.0.0.1", true)
    );
    let ranges = ["10.0.0.0/8".parse().unwrap()];
    assert!(may_reach(HttpAccess::Restricted, &ranges, "10.9.9.9".parse().unwrap(), false));
    assert!(!may_reach(HttpAccess::None, &ranges, "10.9.9.9".parse().unwrap(), false));
}

#[test]
fn fault_110_a_name_is_resolved_once_and_what_was_checked_is_connected_to() {
    let world = World::with(&["127.0.0.1", "169.254.169.254"], |_| ());
    let server = world.server("rebind.test", |_| answer(302, "location: /again\r\n", ""));
    assert_eq!(
        world.status(&server.at("/")),
        Err(Status::Denied),
        "the second hop resolves anew, and is checked"
    );
    assert_eq!(*world.names.asked.lock(), ["rebind.test", "rebind.test"]);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn of_several_addresses_only_those_that_may_be_reached_are_tried() {
    let world = World::with(&["10.0.0.1 127.0.0.1"], |_| ());
    let server = world.server("a.test", |_| answer(200, "", ""));
    assert_eq!(world.status(&server.at("/")), Ok(200));
}

#[test]
fn each_redirect_is_decided_by_the_door() {
    let world = World::new();
    let end = world.server("end.test", |_| answer(200, "", "end"));
    let to = end.at("/there");
    let start = world.server("start.test", move |_| answer(307, &format!("location: {to}\r\n"), ""));
    let done = world.send("PUT", &start.at("/"), &[("x", "1")], "body").unwrap();
    assert_eq!((done.status, done.body.as_str()), (200, "end"));
    assert_eq!(*world.host.asked.lock(), [format!("http_request {}", end.authority())]);
    assert!(end.seen()[0].starts_with("PUT /there ") && end.seen()[0].ends_with("\r\n\r\nbody"));
    world.host.denies.lock().push(format!("http_request {}", end.authority()));
    assert_eq!(world.status(&start.at("/")), Err(Status::Denied));
    assert_eq!(end.seen().len(), 1);
}

#[test]
fn credentials_and_secrets_never_leave_their_origin() {
    let world = World::new();
    world.host.keep_secret("t", b"s3cret");
    let back = Arc::new(Mutex::new(String::new()));
    let home = back.clone();
    let other =
        world.server("other.test", move |_| answer(302, &format!("location: {}\r\n", home.lock()), ""));
    let away = other.at("/");
    let start = world.server("start.test", move |request| match request.starts_with("GET /start") {
        true => answer(302, &format!("location: {away}\r\n"), ""),
        false => answer(200, "", "home again"),
    });
    *back.lock() = start.at("/back");
    let headers =
        [("x-key", "{{secret:t}}"), ("authorization", "Basic eA=="), ("cookie", "a=b"), ("x-plain", "1")];
    assert_eq!(world.send("GET", &start.at("/start"), &headers, "").unwrap().body, "home again");
    let holds = |sent: &str| ["s3cret", "Basic", "a=b", "x-plain: 1"].map(|part| sent.contains(part));
    assert_eq!(holds(&start.seen()[0]), [true; 4]);
    assert_eq!(holds(&other.seen()[0]), [false, false, false, true]);
    assert_eq!(holds(&start.seen()[1]), [false, false, false, true], "not even when it leads back");
}

#[test]
fn a_redirect_changes_the_method_as_the_standard_says() {
    for (status, method, becomes) in [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (308, "POST", "POST"),
    ] {
        let world = World::new();
        let server = world.server("a.test", move |request| match request.contains(" /end ") {
            true => answer(200, "", ""),
            false => answer(status, "location: end\r\n", ""),
        });
        world.send(method, &server.at("/start"), &[("content-type", "text/plain")], "body").unwrap();
        let last = &server.seen()[1];
        assert!(last.starts_with(&format!("{becomes} /end ")), "{status} {method}: {last}");
        assert_eq!(last.contains("content-type"), becomes != "GET", "{last}");
        assert_eq!(last.ends_with("body"), becomes != "GET", "{last}");
    }
}

#[test]
fn fault_100_a_redirect_loop_ends_and_one_that_leads_nowhere_is_no_answer() {
    let world = World::with(&["127.0.0.1"], |o| o.redirects = 3);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = world.server("a.test", move |_| {
        answer(302, &format!("location: /{}\r\n", counted.fetch_add(1, SeqCst)), "")
    });
    assert_eq!(world.status(&server.at("/")), Err(Status::Limit));
    assert_eq!(count.load(SeqCst), 4);
    for (location, status) in [
        ("http://a.test/", Status::Denied),
        ("file:///etc/passwd", Status::Unavailable),
        ("https://2130706433/", Status::Unavailable),
        ("https://169.254.169.254/", Status::Denied),
        ("https://[::1]/", Status::Denied),
    ] {
        let world = World::new();
        let server = world.server("a.test", move |_| answer(301, &format!("location: {location}\r\n"), ""));
        assert_eq!(world.status(&server.at("/")), Err(status), "{location}");
    }
}

#[test]
fn without_tls_only_what_is_granted_so_and_never_a_secret() {
    let world = World::new();
    let server = Server::plain("a.test", |_| answer(200, "", "plain"));
    assert_eq!(world.status(&server.at("/")), Err(Status::Denied));
    assert!(server.seen().is_empty());
    let granted =
        common::permission::Permission::parse("network", &format!("connect:{}", server.authority()));
    let granted = granted.unwrap();
    let world = World::with(&["127.0.0.1"], |o| o.plain_http.push(granted));
    assert_eq!(world.get(&server.at("/")).unwrap().body, "plain");
    world.host.keep_secret("t", b"s3cret");
    let refused = world.send("GET", &server.at("/"), &[("x", "{{secret:t}}")], "").unwrap_err();
    assert_eq!(refused.status, Status::Denied);
    assert_eq!(server.seen().len(), 1);
}
