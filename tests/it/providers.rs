//! What stands behind the door besides storage and files: requests, secrets and tokens, through the binary, on both
//! engines, under policies as an operator writes them.

use common::crypto::{Algorithm, SigningKey};
use forgeone_tests::{
    Engine, Environment, Wat, World, lifecycle, on_both_engines, pack_args, parse_list, syscall_operation,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// A plugin `client` that hands its inputs to these calls, and asks for what they need.
fn client() -> Wat {
    let calls = [("fetch", "http_request"), ("reveal", "secret_reveal"), ("verify", "auth_verify")];
    let body: String = calls
        .iter()
        .zip(0..)
        .map(|((operation, syscall), i)| syscall_operation(operation, syscall, 64 * i))
        .collect();
    let permissions = json!({ "network": ["connect"], "secrets": ["use", "reveal"], "auth": ["verify"] });
    Wat::new("client", &["fetch", "reveal", "verify"], &format!("{}{body}", lifecycle()))
        .says("permissions", permissions)
}

fn permit(world: &World, action: &str, resource: &str) {
    let policy = format!(
        "permit (principal == Plugin::\"client\", action == Action::\"{action}\", resource)\n\
         when {{ resource.name == \"{resource}\" }};\n"
    );
    world.write(&format!("home/trust/policy/{action}.cedar"), policy);
}

/// A server without TLS that greets whoever asks; its port.
fn greeter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match stream.read(&mut byte) {
                    Ok(1) => head.push(byte[0]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&head);
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = match path.as_str() {
                "/away" => "HTTP/1.1 302 x\r\nlocation: http://169.254.169.254/latest\r\n\r\n".to_owned(),
                _ => format!("HTTP/1.1 200 x\r\nx-a: 1\r\ncontent-length: {}\r\n\r\n{path}", path.len()),
            };
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    port
}

fn get(url: &str) -> Vec<u8> {
    pack_args(&[b"GET", url.as_bytes(), b"", b""])
}

fn last_records(world: &World) -> String {
    world.run(&["audit", "tail", "-n", "1000", "--json"]).ok().text().to_owned()
}

on_both_engines! {
    fn a_request_needs_the_policy_the_network_and_a_granted_address(engine) {
        let port = greeter();
        let (host, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}/hello?q=private"));
        let world = World::new(Environment::Development, engine);
        world.install("client", &client().package()).ok();
        // Status -1, denied: no policy names the host.
        world.call("client", "fetch", &get(&url)).fails(5, "E4002").says("status 1");
        permit(&world, "http_request", &host);
        world.call("client", "fetch", &get(&url)).fails(5, "E4002").says("status 1");
        let network = json!({ "private_ranges": ["127.0.0.0/8"], "plain_http": [host.clone()] });
        let world = world.with("network", network);
        let answer = world.call("client", "fetch", &get(&url)).ok();
        let [status, _, body] = parse_list(&answer.stdout).try_into().unwrap();
        assert_eq!((status, body.as_slice()), (200u64.to_le_bytes().to_vec(), b"/hello?q=private".as_slice()));
        // Each hop is decided: the policy names this host and no other.
        world.call("client", "fetch", &get(&format!("http://{host}/away"))).fails(5, "E4002").says("status 1");
        let records = last_records(&world);
        assert!(records.contains("GET, 0 bytes") && records.contains("169.254.169.254:80"), "{records}");
        assert!(!records.contains("private"), "what is asked for is not recorded: {records}");
        let world = World::new(Environment::Development, engine).with("sandbox", json!({ "network_access": "none" }));
        world.install("client", &client().package()).ok();
        permit(&world, "http_request", &host);
        let status = world.run(&["status", "client", "--json"]).ok().json();
        let (granted, withheld) = (status["granted"].to_string(), status["withheld"].to_string());
        assert!(!granted.contains("network") && withheld.contains("network_access"), "{status}");
        world.call("client", "fetch", &get(&url)).fails(5, "E4002").says("status 1");
    }

    fn a_secret_is_kept_sealed_and_revealed_where_policy_says(engine) {
        let world = World::new(Environment::Development, engine);
        world.install("client", &client().package()).ok();
        world.run_with(&["secrets", "set", "api/token"], b"s3cret-value\n").ok();
        assert_eq!(world.run(&["secrets", "list"]).ok().text(), "api/token\n");
        let name = pack_args(&[b"api/token"]);
        world.call("client", "reveal", &name).fails(5, "E4002").says("status 1");
        permit(&world, "secret_use", "api/token");
        world.call("client", "reveal", &name).fails(5, "E4002").says("status 1");
        permit(&world, "secret_reveal", "api/token");
        assert_eq!(world.call("client", "reveal", &name).ok().stdout, b"s3cret-value");
        for (file, bytes) in world.files_below("") {
            let found = bytes.windows(12).any(|window| window == b"s3cret-value");
            assert!(!found, "{} holds the secret", file.display());
        }
        world.run(&["secrets", "remove", "api/token"]).ok();
        world.call("client", "reveal", &name).fails(5, "E4002").says("status 2");
        world.run(&["secrets", "remove", "api/token"]).fails(7, "E5008");
    }

    fn a_token_is_believed_of_a_configured_issuer_where_policy_says(engine) {
        let (key, _) = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": b64(key.public().as_bytes()) }] });
        let world = World::new(Environment::Development, engine);
        let file = world.write("keys.json", set.to_string());
        let issuer = json!({ "issuer": "https://id.test", "audiences": ["forge"], "keys": file });
        let world = world.with("auth", json!({ "issuers": [issuer] }));
        world.install("client", &client().package()).ok();
        let token = |claims: Value| {
            let signed = format!("{}.{}", b64(br#"{"alg":"EdDSA"}"#), b64(claims.to_string().as_bytes()));
            let signature = b64(&key.sign(signed.as_bytes()).unwrap());
            pack_args(&[format!("{signed}.{signature}").as_bytes()])
        };
        let good = json!({ "iss": "https://id.test", "aud": "forge", "exp": 4_000_000_000u64, "sub": "ada" });
        world.call("client", "verify", &token(good.clone())).fails(5, "E4002").says("status 1");
        permit(&world, "auth_verify", "https://id.test");
        assert_eq!(world.call("client", "verify", &token(good.clone())).ok().json()["sub"], "ada");
        let mut late = good;
        late["exp"] = json!(1_000_000_000);
        world.call("client", "verify", &token(late)).fails(5, "E4002").says("status 3");
    }
}

/// A plugin `keeper` of objects of the bucket `reports`.
fn keeper() -> Wat {
    let calls =
        [("get", "object_get"), ("put", "object_put"), ("list", "object_list"), ("delete", "object_delete")];
    let body: String = calls
        .iter()
        .zip(0..)
        .map(|((operation, syscall), i)| syscall_operation(operation, syscall, 64 * i))
        .collect();
    let all = ["get:reports/**", "get:gone/**", "put:reports/**", "list:reports/**", "delete:reports/**"];
    Wat::new("keeper", &["get", "put", "list", "delete"], &format!("{}{body}", lifecycle()))
        .says("permissions", json!({ "objects": all }))
}

on_both_engines! {
    fn an_object_needs_the_permission_the_policy_and_the_bucket(engine) {
        let world = World::new(Environment::Development, engine);
        let (bucket, secret) = (world.path("bucket"), world.path("secret"));
        std::fs::create_dir(&bucket).unwrap();
        std::fs::create_dir(&secret).unwrap();
        let folders = json!({ "reports": { "path": bucket, "capacity": "1KB" }, "secret": { "path": secret } });
        let world = world.with("objects", json!({ "folders": folders }));
        world.install("keeper", &keeper().package()).ok();
        let call = |operation: &str, args: &[&[u8]]| world.call("keeper", operation, &pack_args(args));
        // Status -1, denied: no policy names the object.
        call("put", &[b"reports/a", b"one"]).fails(5, "E4002").says("status 1");
        let policy = "permit (principal == Plugin::\"keeper\", action in Action::\"objects.*\", resource)\n\
                      when { resource.name like \"reports/*\" || resource.name == \"reports\" };\n";
        world.write("home/trust/policy/objects.cedar", policy);
        call("put", &[b"reports/2026/a", b"one"]).ok();
        assert_eq!(std::fs::read(bucket.join("2026/a")).unwrap(), b"one");
        assert_eq!(call("get", &[b"reports/2026/a"]).ok().stdout, b"one");
        assert_eq!(parse_list(&call("list", &[b"reports"]).ok().stdout), [b"reports/2026/a"]);
        for (args, status) in [
            ([b"secret/a".as_slice(), b"x"], "status 1"),
            ([b"reports/../secret/a", b"x"], "status 3"),
            ([b"reports/b", &[0; 2000]], "status 4"),
        ] {
            call("put", &args).fails(5, "E4002").says(status);
        }
        assert_eq!(std::fs::read_dir(&secret).unwrap().count(), 0);
        call("delete", &[b"reports/2026/a"]).ok();
        call("get", &[b"reports/2026/a"]).fails(5, "E4002").says("status 2");
        let records = last_records(&world);
        for told in ["\"3 bytes\"", "\"reports/2026/a\"", "\"object\""] {
            assert!(records.contains(told), "{told}: {records}");
        }
    }
}

/// A server that speaks S3, of PyPI's `moto`, with the bucket `media`; it is ended with this.
struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    fn start() -> Self {
        let mut child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("moto_server is installed: pip install 'moto[server]'");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.split_once("http://127.0.0.1:")?.1.trim().parse().ok());
        let moto = Self { child, port: port.expect("it tells its port") };
        // What it says from now on is read, so that it can go on saying it.
        std::thread::spawn(move || lines.for_each(drop));
        assert!(moto.ask("PUT", "/media").starts_with("HTTP/1.1 200"));
        moto
    }

    /// What it answers to a request of nobody.
    fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
#[ignore = "run by cargo xtask interop: needs moto_server"]
fn interop_objects_are_kept_by_a_server_that_speaks_s3() {
    let moto = Moto::start();
    for engine in [Engine::Wasmtime, Engine::Wasmer] {
        let place = json!({
            "endpoint": format!("http://127.0.0.1:{}", moto.port), "plain_http": true, "private_ranges": ["127.0.0.0/8"],
            "bucket": "media", "prefix": format!("{engine:?}"), "access_key": "s3/key", "secret_key": "s3/secret",
        });
        let missing = json!({ "endpoint": place["endpoint"], "plain_http": true, "private_ranges": ["127.0.0.0/8"], "bucket": "none" });
        let world = World::new(Environment::Development, engine);
        let world = world.with("objects", json!({ "s3": { "reports": place, "gone": missing } }));
        world.install("keeper", &keeper().package()).ok();
        world.write(
            "home/trust/policy/all.cedar",
            "permit (principal, action in Action::\"objects.*\", resource);",
        );
        let call = |operation: &str, args: &[&[u8]]| world.call("keeper", operation, &pack_args(args));
        call("put", &[b"reports/a", b"x"]).fails(5, "E4002").says("status 6");
        world.run_with(&["secrets", "set", "s3/key"], b"AKIDEXAMPLE\n").ok();
        world.run_with(&["secrets", "set", "s3/secret"], b"secret\n").ok();
        let large = vec![b'x'; 60_000];
        call("put", &[b"reports/2026/a b+c", &large]).ok();
        call("put", &["reports/2026/ä".as_bytes(), b"two"]).ok();
        call("put", &[b"reports/z", b""]).ok();
        assert_eq!(call("get", &[b"reports/2026/a b+c"]).ok().stdout, large);
        assert_eq!(call("get", &["reports/2026/ä".as_bytes()]).ok().stdout, b"two");
        let part = [&b"reports/2026/a b+c"[..], &5u64.to_le_bytes(), &3u64.to_le_bytes()];
        assert_eq!(call("get", &part).ok().stdout, b"xxx");
        let names = |args: &[&[u8]]| parse_list(&call("list", args).ok().stdout);
        let all = ["reports/2026/a b+c", "reports/2026/ä", "reports/z"].map(|name| name.as_bytes().to_vec());
        assert_eq!(names(&[b"reports"]), all);
        assert_eq!(names(&[b"reports/2026"]), all[..2]);
        assert_eq!(names(&[b"reports", &all[0], &1u64.to_le_bytes()]), all[1..2]);
        call("delete", &[b"reports/z"]).ok();
        call("delete", &[b"reports/z"]).ok();
        call("get", &[b"reports/z"]).fails(5, "E4002").says("status 2");
        call("get", &[b"gone/a"]).fails(5, "E4002").says("status 6");
        assert_eq!(names(&[b"reports"]), all[..2]);
        assert!(moto.ask("GET", "/media?list-type=2").contains(&format!("{engine:?}/2026/a b+c")));
    }
}

/// base64url without padding.
fn b64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letters = bytes.chunks(3).flat_map(|chunk| {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |i| char::from(LETTERS[(bits >> (18 - 6 * i) & 63) as usize]))
    });
    letters.collect()
}

#[test]
fn what_is_no_secret_is_refused_and_nothing_prints_one() {
    let world = World::development();
    world.run_with(&["secrets", "set", "Bad Name"], b"x").fails(2, "E0101");
    world.run_with(&["secrets", "set", "empty"], b"\n").fails(2, "E0101");
    world.run_with(&["secrets", "set", "large"], &[b'x'; 20_000]).fails(2, "E0101");
    let file = world.write("value", "from a file\r\n");
    world.run(&["secrets", "set", "b", "--input", file.to_str().unwrap()]).ok();
    let set = world.run_with(&["secrets", "set", "a", "--json"], b"value").ok().json();
    assert_eq!(set, json!({ "secret": "a" }));
    assert_eq!(world.run(&["secrets", "list", "--json"]).ok().json(), json!({ "secrets": ["a", "b"] }));
    let records = last_records(&world);
    assert!(records.contains("\"secret\"") && !records.contains("from a file"), "{records}");
}
