//! What is sent and what comes back; what cannot be sent.

use super::*;

#[test]
fn a_request_and_its_answer_cross_tls_as_they_are() {
    let world = World::new();
    let server = world.server("api.test", |_| answer(201, "x-a: 1\r\nX-A: 2\r\n", "created"));
    let done = world
        .send("POST", &server.at("/v1/items?q=a#top"), &[("Accept", "*/*"), ("x-n", "5")], "body")
        .unwrap();
    let header = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    let headers = vec![header("x-a", "1"), header("x-a", "2"), header("content-length", "7")];
    assert_eq!(done, Answered { status: 201, headers, body: "created".into() });
    let sent = &server.seen()[0];
    assert!(sent.starts_with("POST /v1/items?q=a HTTP/1.1\r\n") && sent.ends_with("\r\n\r\nbody"), "{sent}");
    for line in ["accept: */*", "x-n: 5", "content-length: 4", &format!("host: {}", server.authority())] {
        assert!(sent.contains(&format!("\r\n{line}\r\n")), "{line} is not in {sent}");
    }
    assert!(sent.contains("user-agent: forgeone/"), "{sent}");
}

#[test]
fn every_way_to_end_a_body_is_understood() {
    let world = World::new();
    let chunked = "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let closed = "HTTP/1.1 200 x\r\n\r\nabcde";
    for bytes in [chunked, closed] {
        let server = world.server("a.test", move |_| bytes.as_bytes().to_vec());
        assert_eq!(world.get(&server.at("/")).unwrap().body, "abcde");
    }
    let server = world.server("a.test", |_| b"HTTP/1.1 200 x\r\ncontent-length: 5\r\n\r\n".to_vec());
    assert_eq!(world.send("HEAD", &server.at("/"), &[], "").unwrap().body, "");
}

#[test]
fn fault_100_a_server_that_breaks_http_or_tls_is_unavailable() {
    let world = World::new();
    for bytes in [
        "HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "SSH-2.0-x\r\n",
        "HTTP/1.1 2",
    ] {
        let server = world.server("a.test", move |_| bytes.as_bytes().to_vec());
        assert_eq!(world.status(&server.at("/")), Err(Status::Unavailable), "{bytes:?}");
    }
    let stranger = Server::tls(Authority::new().issue("a.test"), "a.test", |_| answer(200, "", ""));
    assert_eq!(world.status(&stranger.at("/")), Err(Status::Unavailable));
    let other = world.server("b.test", |_| answer(200, "", ""));
    assert_eq!(world.status(&other.at("/").replace("b.test", "a.test")), Err(Status::Unavailable));
    assert!(stranger.seen().is_empty() && other.seen().is_empty());
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(world.status(&format!("https://a.test:{}/", gone.port())), Err(Status::Unavailable));
    let failing = world.server("a.test", |_| answer(500, "", "oops"));
    assert_eq!(world.status(&failing.at("/")), Ok(500), "an answer is an answer");
}

#[test]
fn a_header_cannot_carry_another_line_nor_frame_the_message() {
    let world = World::new();
    let server = world.server("a.test", |_| answer(200, "", ""));
    let with = |name: &str, value: &str| {
        world.send("GET", &server.at("/"), &[(name, value)], "").map(|a| a.status).map_err(|e| e.status)
    };
    for (name, value) in [
        ("x", "a\r\nhost: evil"),
        ("x", "a\nb"),
        ("x", "a\0"),
        ("x\r\ny", "a"),
        ("x y", "a"),
        ("", "a"),
        ("Host", "evil.test"),
        ("Content-Length", "0"),
        ("transfer-encoding", "chunked"),
        ("Connection", "upgrade"),
        ("keep-alive", "1"),
        ("Expect", "100-continue"),
        ("x", "{{secret:a"),
        ("x", "{{secret:A b}}"),
    ] {
        assert_eq!(with(name, value), Err(Status::Invalid), "{name:?}: {value:?}");
    }
    for bad in ["TRACE", "CONNECT", "get", "GET /x HTTP/1.1\r\nx: y", ""] {
        assert_eq!(world.send(bad, &server.at("/"), &[], "").unwrap_err().status, Status::Invalid, "{bad}");
    }
    for bad in ["/a b", "/a\r\nx: y", "/\u{e9}"] {
        assert_eq!(world.status(&server.at(bad)), Err(Status::Invalid), "{bad:?}");
    }
    assert!(server.seen().is_empty());
    assert_eq!(with("x", "plain {{ braces }}"), Ok(200));
}

#[test]
fn arguments_are_a_list_of_four_or_five() {
    let world = World::new();
    let call = |list: SyscallArgs| world.host.call("http_request", list);
    assert_eq!(call(args().arg("GET").arg("https://a.test/").arg("")), Err(Status::Invalid));
    assert_eq!(call(request("GET", "https://a.test/", &[]).arg("").arg([1, 2])), Err(Status::Invalid));
    assert_eq!(call(request("GET", "https://a.test/", &[]).arg("").arg(n(1)).arg("")), Err(Status::Invalid));
    let target = world.host.target("http_request", request("GET", "https://A.Test/x", &[]).arg(""));
    assert_eq!(target, Ok(("a.test:443".into(), false)));
}

#[test]
fn a_secret_is_filled_in_where_it_was_decided_and_nowhere_else() {
    let world = World::new();
    let server = world.server("a.test", |_| answer(200, "", ""));
    world.host.keep_secret("api/token", b"s3cret");
    let send = |value: &str| {
        world
            .send("GET", &server.at("/"), &[("authorization", value)], "")
            .map(|a| a.status)
            .map_err(|e| e.status)
    };
    assert_eq!(send("Bearer {{secret:api/token}}, {{secret:api/token}}."), Ok(200));
    assert!(
        server.seen()[0].contains("\r\nauthorization: Bearer s3cret, s3cret.\r\n"),
        "{}",
        server.seen()[0]
    );
    assert_eq!(*world.host.asked.lock(), ["secret_use api/token"]);
    assert_eq!(send("{{secret:other}}"), Err(Status::NotFound));
    world.host.denies.lock().push("secret_use api/token".into());
    assert_eq!(send("{{secret:api/token}}"), Err(Status::Denied));
    world.host.keep_secret("broken", b"a\r\nb: c");
    assert_eq!(send("{{secret:broken}}"), Err(Status::Invalid));
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn nothing_shows_the_value_of_a_header_that_holds_a_secret() {
    let secrets = [("t".to_owned(), crate::extension::SecretValue::new(b"s3cret".to_vec()))].into();
    let call = request("GET", "https://a.test/", &[("x", "{{secret:t}}"), ("y", "plain")]).arg("");
    let asked = crate::extension::http::request::Asked::parse(call.as_bytes()).unwrap();
    let shown = format!("{:?} {:?}", asked, asked.headers(&secrets).unwrap());
    assert!(!shown.contains("s3cret") && shown.contains("plain"), "{shown}");
    let others = asked.headers_for_others().unwrap();
    assert_eq!(others.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["y"]);
}

#[test]
fn a_request_carries_the_place_in_the_trace_unless_the_plugin_names_one() {
    let world = World::new();
    let server = world.server("a.test", |_| answer(200, "", ""));
    world.get(&server.at("/untraced")).unwrap();
    let span = world.host.call("span_begin", args().arg("outer")).unwrap();
    let span = String::from_utf8(span).unwrap();
    world.get(&server.at("/traced")).unwrap();
    let own = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    world.send("GET", &server.at("/own"), &[("traceparent", own)], "").unwrap();
    let [untraced, traced, named] = server.seen().try_into().unwrap();
    assert!(!untraced.contains("traceparent"), "{untraced}");
    assert!(traced.contains(&format!("traceparent: {span}\r\n")), "{traced}");
    assert!(named.contains(own) && !named.contains(&span), "{named}");
}
