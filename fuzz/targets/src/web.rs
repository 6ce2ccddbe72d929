//! URLs of plugins' requests, and the tokens and key sets that are verified for them.

use crate::{Seen, Target};
use plugin_manager::Url;
use plugin_manager::extension::auth_fuzzing;

pub const TOKEN: Target = Target {
    name: "token",
    max_len: 20_000,
    tokens: &[
        "eyJhbGciOiJFZERTQSJ9",
        ".",
        "\0",
        "{\"keys\":[",
        "\"kty\":\"OKP\"",
        "\"crv\":\"P-256\"",
        "\"n\":\"",
        "AQAB",
    ],
    memory: 4 << 20,
    smoke: 4_000,
    body: token,
    seeds: tokens,
};

pub const URL: Target = Target {
    name: "url",
    max_len: 17_000,
    tokens: &[
        "https://", "http:", "//", "@", "[::ffff:", "]", ":443", "/../", "?", "#", "\0", "0x7f", "127.1",
        "%2e", "file:",
    ],
    memory: 1 << 20,
    smoke: 4_000,
    body: url,
    seeds: urls,
};

/// `token NUL key set`. Reading either ends, and nothing is believed.
fn token(input: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(input);
    let (token, set) = text.split_once('\0').unwrap_or((&text, ""));
    let (token, set) = auth_fuzzing::read(token, set.as_bytes());
    let seen = |read: Result<(), String>| read.map_or_else(|why| Seen::refused(&why), |()| Seen::accepted(0));
    seen(token).and(seen(set))
}

/// `URL NUL location`. What is read leads to one place, however it is written; a location that names no host stays.
fn url(input: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(input);
    let (url, location) = text.split_once('\0').unwrap_or((&text, ""));
    let parsed: Url = match url.parse() {
        Ok(parsed) => parsed,
        Err(error) => return Seen::refused(&error),
    };
    let written = parsed.to_string();
    // Written with its port, one at the limit is longer than the limit.
    if written.len() <= 8_192 {
        assert_eq!(written.parse::<Url>().as_ref(), Ok(&parsed), "{url:?} is written {written:?}");
    }
    match parsed.join(location) {
        Ok(next) => {
            let named = location.contains(':') || location.starts_with("//");
            assert!(named || next.authority() == parsed.authority(), "{location:?} leads to {next}");
            Seen::accepted(1 + u64::from(named))
        }
        Err(error) => Seen::accepted(0).and(Seen::refused(&error)),
    }
}

fn tokens() -> Vec<Vec<u8>> {
    let payload = "eyJpc3MiOiJqb2UiLCJhdWQiOiJhIiwiZXhwIjoxMzAwODE5MzgwfQ";
    [
        format!("eyJhbGciOiJFZERTQSJ9.{payload}.AAAA\0{{\"keys\":[{{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}}]}}"),
        format!(
            "eyJhbGciOiJFUzI1NiJ9.{payload}.\0{{\"keys\":[{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{}\"}}]}}",
            "A".repeat(43)
        ),
    ]
    .map(String::into_bytes)
    .into()
}

fn urls() -> Vec<Vec<u8>> {
    [
        "https://api.example.com/v1/items?q=1#top\0../other",
        "http://[::1]:8080\0//example.com/",
        "https://127.0.0.1/a/b\0?x",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
