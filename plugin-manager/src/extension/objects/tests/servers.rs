//! A bucket at a server that speaks S3, over TLS, on this machine.

use super::*;
use crate::extension::http::tests::server::Server;
use crate::extension::http::tests::{World, answer};
use crate::extension::http::{HttpAccess, HttpOptions};
use crate::extension::objects::{S3Keys, S3Place};
use common::clock::Deadline;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/secret";

/// A server of one bucket `media`, which knows no more of S3 than these tests need.
#[derive(Default)]
struct Store(Mutex<BTreeMap<String, String>>);

impl Store {
    fn answer(&self, request: &str) -> Vec<u8> {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let key = path.strip_prefix("/media").unwrap().trim_start_matches('/').replace("%20", " ");
        let mut objects = self.0.lock();
        match method {
            "PUT" => {
                objects.insert(key, body.to_owned());
                answer(200, "etag: \"1\"\r\n", "")
            }
            "DELETE" => {
                objects.remove(&key);
                answer(204, "", "")
            }
            _ if query.contains("list-type=2") => answer(200, "", &list(&objects, query)),
            method => match objects.get(&key) {
                None => answer(404, "", "<Error><Code>NoSuchKey</Code></Error>"),
                Some(object) => content(object, range(head), method == "HEAD"),
            },
        }
    }
}

fn range(head: &str) -> Option<(usize, usize)> {
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="))?;
    let (from, to) = range.split_once('-').unwrap();
    Some((from.parse().unwrap(), to.parse().unwrap_or(usize::MAX)))
}

fn content(object: &str, range: Option<(usize, usize)>, head: bool) -> Vec<u8> {
    let lines = "last-modified: Wed, 21 Oct 2015 07:28:00 GMT\r\netag: \"1\"\r\n";
    let Some((from, to)) = range else {
        let whole = answer(200, lines, object);
        return if head { whole[..whole.len() - object.len()].to_vec() } else { whole };
    };
    if from >= object.len() {
        return answer(416, "", "<Error><Code>InvalidRange</Code></Error>");
    }
    let last = to.min(object.len() - 1);
    let lines = format!("{lines}content-range: bytes {from}-{last}/{}\r\n", object.len());
    answer(206, &lines, &object[from..=last])
}

fn list(objects: &BTreeMap<String, String>, query: &str) -> String {
    let value = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.unwrap_or_default().replace("%2F", "/").replace("%20", " ")
    };
    let (prefix, after) = (value("prefix"), value("start-after"));
    let keys = objects.keys().filter(|key| key.starts_with(&prefix) && **key > after);
    let most = value("max-keys").parse().unwrap();
    let row = |key: &String| {
        format!(
            "<Contents><Key>{key}</Key><Size>1</Size><LastModified>2015-10-21T07:28:00.000Z</LastModified></Contents>"
        )
    };
    format!("<ListBucketResult>{}</ListBucketResult>", keys.take(most).map(row).collect::<String>())
}

fn place(server: &Server) -> S3Place {
    S3Place {
        endpoint: server.at("").parse().unwrap(),
        region: "eu-test-1".into(),
        bucket: "media".into(),
        prefix: String::new(),
        keys: Some(S3Keys {
            access_key: "s3/key".into(),
            secret_key: "s3/secret".into(),
            session_token: None,
        }),
        private_ranges: vec!["127.0.0.0/8".parse().unwrap()],
    }
}

/// A host with the bucket `b` at this place, and the secrets of it.
fn host(world: World, place: S3Place) -> Host {
    let host = world.host.with_objects(&bucket(ObjectPlace::S3(place)));
    host.keep_secret("s3/key", KEY.as_bytes());
    host.keep_secret("s3/secret", SECRET.as_bytes());
    host
}

/// A host whose bucket is at a server that answers so.
fn with(answers: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> (Host, Server) {
    let world = World::with(&["127.0.0.1"], |options| options.private_ranges.clear());
    let server = world.server("s3.test", answers);
    let place = place(&server);
    (host(world, place), server)
}

#[test]
fn objects_are_put_got_in_parts_listed_and_deleted() {
    let store = Arc::new(Store::default());
    let serving = store.clone();
    let world = World::with(&["127.0.0.1"], |options| options.private_ranges.clear());
    let server = world.server("s3.test", move |request| serving.answer(request));
    let host = &host(world, S3Place { prefix: "plugins/x".into(), ..place(&server) });
    assert_eq!(get(host, "b/2026/a"), Err(Status::NotFound));
    put(host, "b/2026/a b", "0123456789").unwrap();
    put(host, "b/c", "").unwrap();
    assert_eq!(store.0.lock().keys().collect::<Vec<_>>(), ["plugins/x/2026/a b", "plugins/x/c"]);
    assert_eq!(get(host, "b/2026/a b"), Ok(b"0123456789".to_vec()));
    assert_eq!(part(host, "b/2026/a b", 3, 4), Ok(b"3456".to_vec()));
    assert_eq!(part(host, "b/2026/a b", 8, u64::MAX), Ok(b"89".to_vec()));
    assert_eq!(part(host, "b/2026/a b", 10, 1), Ok(vec![]), "behind the end");
    assert_eq!(part(host, "b/2026/a b", 3, 0), Ok(vec![]));
    assert_eq!(part(host, "b/none", 3, 0), Err(Status::NotFound));
    assert_eq!(listed(host, "b"), Ok(vec!["b/2026/a b".into(), "b/c".into()]));
    assert_eq!(page(host, "b", "b/2026/a b", 5), Ok(vec!["b/c".into()]));
    assert_eq!((page(host, "b", "", 1).unwrap().len(), page(host, "b", "", 0)), (1, Ok(vec![])));
    assert_eq!(listed(host, "b/2026"), Ok(vec!["b/2026/a b".into()]));
    assert_eq!(page(host, "b", "c/x", 5), Err(Status::Invalid), "of another bucket");
    delete(host, "b/c").unwrap();
    delete(host, "b/c").unwrap();
    assert_eq!(listed(host, "b"), Ok(vec!["b/2026/a b".into()]));
}

#[test]
fn requests_are_signed_with_secrets_that_are_read_anew() {
    let (host, server) = with(|_| answer(200, "etag: \"1\"\r\n", ""));
    put(&host, "b/a", "x").unwrap();
    host.keep_secret("s3/key", b"AKIDOTHER");
    put(&host, "b/a", "x").unwrap();
    let [first, second] = server.seen().try_into().unwrap();
    let signed = |key: &str| format!("authorization: AWS4-HMAC-SHA256 Credential={key}/");
    assert!(first.contains(&signed(KEY)) && first.contains("/eu-test-1/s3/aws4_request"), "{first}");
    assert!(second.contains(&signed("AKIDOTHER")), "{second}");
    assert!(!first.contains(SECRET), "the key signs, and is not sent");
}

#[test]
fn keys_that_are_not_at_hand_send_nothing_and_nobodys_requests_have_none() {
    let world = World::with(&["127.0.0.1"], |options| options.private_ranges.clear());
    let server = world.server("s3.test", |_| answer(200, "etag: \"1\"\r\n", ""));
    let host = world.host.with_objects(&bucket(ObjectPlace::S3(place(&server))));
    assert_eq!(cause(&host, "object_get", "b/a").0, Status::Unavailable);
    assert_eq!(server.seen().len(), 0);
    let open = S3Place { keys: None, ..place(&server) };
    let host = host.with_objects(&bucket(ObjectPlace::S3(open)));
    put(&host, "b/a", "x").unwrap();
    assert!(!server.seen()[0].contains("authorization:"));
}

#[test]
fn an_address_that_is_not_granted_to_the_bucket_is_denied() {
    let refused = |change: &dyn Fn(&mut HttpOptions, &mut S3Place)| {
        let mut options = HttpOptions::default();
        let world = World::with(&["127.0.0.1"], |o| {
            change(o, &mut nowhere());
            options = o.clone();
        });
        let server = world.server("s3.test", |_| answer(200, "etag: \"1\"\r\n", ""));
        let mut place = place(&server);
        change(&mut options, &mut place);
        let host = host(world, place);
        let done = put(&host, "b/a", "x");
        (done, server.seen().len())
    };
    let granted_to_plugins_only = |_: &mut HttpOptions, place: &mut S3Place| place.private_ranges.clear();
    assert_eq!(refused(&granted_to_plugins_only), (Err(Status::Denied), 0));
    let open = |options: &mut HttpOptions, place: &mut S3Place| {
        options.access = HttpAccess::Open;
        place.private_ranges.clear();
    };
    assert_eq!(refused(&open), (Err(Status::Denied), 0));
    let none = |options: &mut HttpOptions, _: &mut S3Place| options.access = HttpAccess::None;
    assert_eq!(refused(&none), (Err(Status::Denied), 0));
    assert_eq!(refused(&|_, _| ()), (Ok(()), 1));
}

fn nowhere() -> S3Place {
    S3Place {
        endpoint: "https://nowhere".parse().unwrap(),
        region: String::new(),
        bucket: String::new(),
        prefix: String::new(),
        keys: None,
        private_ranges: Vec::new(),
    }
}

#[test]
fn a_server_nobody_vouches_for_is_told_nothing() {
    let world = World::with(&["127.0.0.1"], |options| options.private_ranges.clear());
    let server = Server::tls(World::new().authority.issue("s3.test"), "s3.test", |_| answer(200, "", ""));
    let host = host(world, place(&server));
    assert_eq!(put(&host, "b/a", "x"), Err(Status::Unavailable));
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = World::new();
    let other = elsewhere.server("s3.test", |_| answer(200, "etag: \"1\"\r\n", ""));
    let to = format!("location: {}\r\n", other.at("/media/a"));
    let (host, _server) = with(move |_| answer(307, &to, ""));
    assert_eq!(put(&host, "b/a", "x"), Err(Status::Unavailable));
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn of_a_refusal_the_record_has_the_code_and_the_plugin_a_status() {
    let refusing = |status: u16, code: &str| {
        let body = format!("<Error><Code>{code}</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>");
        let (host, _server) = with(move |_| answer(status, "", &body));
        cause(&host, "object_get", "b/a")
    };
    let told = |code: &str| (Status::Unavailable, format!("the store refused: {code}"));
    for (status, code) in
        [(403, "AccessDenied"), (403, "SignatureDoesNotMatch"), (404, "NoSuchBucket"), (400, "x")]
    {
        assert_eq!(refusing(status, code), told(code), "{code}");
    }
    assert_eq!(refusing(404, "NoSuchKey").0, Status::NotFound);
}

#[test]
fn a_server_that_is_busy_is_asked_again_and_not_for_ever() {
    let times = Mutex::new(0);
    let (host, server) = with(move |_| {
        *times.lock() += 1;
        if *times.lock() == 1 {
            answer(503, "", "<Error><Code>SlowDown</Code></Error>")
        } else {
            answer(200, "etag: \"1\"\r\n", "")
        }
    });
    put(&host, "b/a", "x").unwrap();
    assert_eq!(server.seen().len(), 2);
    let (host, server) = with(|_| answer(503, "", "<Error><Code>SlowDown</Code></Error>"));
    assert_eq!(put(&host, "b/a", "x"), Err(Status::Unavailable));
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn an_object_larger_than_the_limit_is_not_fetched() {
    let lines = "last-modified: Wed, 21 Oct 2015 07:28:00 GMT\r\netag: \"1\"\r\n";
    let (host, _server) = with(move |_| answer(200, lines, &"x".repeat(5 << 20)));
    let options =
        |server: &Server| ObjectOptions { object_limit: 1000, ..bucket(ObjectPlace::S3(place(server))) };
    let host = host.with_objects(&options(&_server));
    assert_eq!(get(&host, "b/a"), Err(Status::Limit));
    assert_eq!(put(&host, "b/a", [0; 1001]), Err(Status::Limit));
    let (host, server) = with(move |_| answer(200, lines, &"x".repeat(1001)));
    let host = host.with_objects(&options(&server));
    assert_eq!(get(&host, "b/a"), Err(Status::Limit));
}

#[test]
fn fault_100_a_store_that_says_nothing_is_given_up_at_the_deadline() {
    let world = World::with(&["127.0.0.1"], |options| options.private_ranges.clear());
    let clock = world.host.clock.clone();
    let server = world.server("s3.test", move |_| {
        clock.advance(Duration::from_secs(6));
        Vec::new()
    });
    let place = place(&server);
    let mut host = host(world, place);
    host.deadline = Deadline::after(&*host.clock, Duration::from_secs(5));
    assert_eq!(get(&host, "b/a"), Err(Status::Timeout));
}
