//! `objects`: the buckets plugins may be let use, and how much of them.

use super::network::is_range;
use common::config::{ByteSize, Span};
use common::identity::Name;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Most buckets.
const BUCKETS: usize = 64;
/// Most bytes of an object: what one host call can carry.
const OBJECT_BYTES: u64 = 16 << 20;
/// Most ranges of addresses of one bucket.
const RANGES: usize = 64;

/// `objects`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectStorage {
    /// Most bytes of an object that is put, and of an answer of `object_get`.
    pub object_limit: ByteSize,
    /// Longest time of one call to a server.
    pub request_timeout: Span,
    /// Calls of one plugin under way at once.
    pub requests_at_once: u32,
    /// Calls of one plugin a second, for long; for a moment ten times as many.
    pub requests_per_second: u32,
    /// Bytes of one plugin a second, both ways, for long; for a moment ten times as many.
    pub bytes_per_second: ByteSize,
    /// Buckets in folders of this machine, by the names plugins call them by.
    pub folders: BTreeMap<String, FolderBucket>,
    /// Buckets at servers that speak S3, by the names plugins call them by.
    pub s3: BTreeMap<String, S3Bucket>,
}

impl Default for ObjectStorage {
    fn default() -> Self {
        Self {
            object_limit: ByteSize(16_000_000),
            request_timeout: Span(Duration::from_secs(30)),
            requests_at_once: 8,
            requests_per_second: 100,
            bytes_per_second: ByteSize(16_000_000),
            folders: BTreeMap::new(),
            s3: BTreeMap::new(),
        }
    }
}

/// A bucket in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderBucket {
    /// The folder its objects are in.
    #[serde(default)]
    pub path: PathBuf,
    /// Most bytes of its objects together.
    #[serde(default = "capacity")]
    pub capacity: ByteSize,
    /// Most objects and folders.
    #[serde(default = "entries")]
    pub entries: u64,
}

const fn capacity() -> ByteSize {
    ByteSize(1_000_000_000)
}

const fn entries() -> u64 {
    100_000
}

/// A bucket at a server that speaks S3.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Bucket {
    /// `https://host` or `https://host:port`.
    #[serde(default)]
    pub endpoint: String,
    /// The region that signatures name.
    #[serde(default = "region")]
    pub region: String,
    /// The server's name of the bucket.
    #[serde(default)]
    pub bucket: String,
    /// The folder of the bucket that keys are in.
    #[serde(default)]
    pub prefix: String,
    /// The name of the secret that holds the access key's name; without it requests are not signed.
    #[serde(default)]
    pub access_key: Option<String>,
    /// The name of the secret that holds the access key.
    #[serde(default)]
    pub secret_key: Option<String>,
    /// The name of the secret that holds a session's token.
    #[serde(default)]
    pub session_token: Option<String>,
    /// Ranges of addresses where the server may be though they are not public.
    #[serde(default)]
    pub private_ranges: Vec<String>,
    /// Whether the endpoint may be spoken to without TLS.
    #[serde(default)]
    pub plain_http: bool,
}

fn region() -> String {
    "us-east-1".to_owned()
}

impl ObjectStorage {
    /// The path of the first value out of its range, and what it may be.
    pub(super) fn problem(&self) -> Option<(Vec<&str>, &'static str)> {
        let few = self.folders.len().saturating_add(self.s3.len()) <= BUCKETS;
        let own = [
            ("object_limit", (1..=OBJECT_BYTES).contains(&self.object_limit.0), "must be 1B to 16MiB"),
            ("request_timeout", !self.request_timeout.0.is_zero(), "must be longer than nothing"),
            ("requests_at_once", self.requests_at_once >= 1, "must be at least 1"),
            ("requests_per_second", self.requests_per_second >= 1, "must be at least 1"),
            ("folders", few, "there are more than 64 buckets"),
        ];
        let own = own.into_iter().find(|(_, valid, _)| !valid).map(|(key, _, problem)| (vec![key], problem));
        let folder = |(name, folder): (&String, &FolderBucket)| named(name).or_else(|| folder.problem());
        let folders = || self.folders.iter().find_map(|each| Some((each.0, folder(each)?)));
        let s3 = |(name, s3): (&String, &S3Bucket)| {
            let twice = self.folders.contains_key(name).then_some("is there twice: in `folders` too");
            twice.or_else(|| named(name)).or_else(|| s3.problem())
        };
        let stores = || self.s3.iter().find_map(|each| Some((each.0, s3(each)?)));
        own.or_else(|| folders().map(|(name, problem)| (vec!["folders", name.as_str()], problem)))
            .or_else(|| stores().map(|(name, problem)| (vec!["s3", name.as_str()], problem)))
    }
}

fn named(bucket: &str) -> Option<&'static str> {
    Name::new(bucket).is_err().then_some("a bucket is 1 to 63 of a-z, 0-9 and -")
}

impl FolderBucket {
    fn problem(&self) -> Option<&'static str> {
        match () {
            () if self.path.as_os_str().is_empty() => Some("`path` is missing"),
            () if !self.path.is_absolute() => Some("`path` must be absolute"),
            () if self.capacity.0 == 0 || self.entries == 0 => {
                Some("`capacity` and `entries` must be more than nothing")
            }
            () => None,
        }
    }
}

/// 1 to 128 letters, digits and these marks.
fn word(text: &str, marks: &[u8]) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || marks.contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

fn is_prefix(text: &str) -> bool {
    let segment = |s: &str| word(s, b"._=-") && s != "." && s != "..";
    text.is_empty() || (text.len() <= 128 && text.split('/').all(segment))
}

fn is_secret(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
    (1..=128).contains(&name.len()) && name.bytes().all(plain)
}

impl S3Bucket {
    fn problem(&self) -> Option<&'static str> {
        let host = self.endpoint.strip_prefix("https://").or_else(|| self.endpoint.strip_prefix("http://"));
        let keys = (self.access_key.is_some(), self.secret_key.is_some(), self.session_token.is_some());
        let mut secrets = [&self.access_key, &self.secret_key, &self.session_token].into_iter().flatten();
        let ranges = self.private_ranges.len() <= RANGES && self.private_ranges.iter().all(|r| is_range(r));
        match () {
            () if self.endpoint.is_empty() => Some("`endpoint` is missing"),
            () if !host.is_some_and(|host| word(host, b".:[]-")) => {
                Some("`endpoint` must be https://host or https://host:port")
            }
            () if self.endpoint.starts_with("http://") && !self.plain_http => {
                Some("an `endpoint` without TLS needs `plain_http: true`")
            }
            () if self.bucket.is_empty() => Some("`bucket` is missing"),
            () if !word(&self.bucket, b"._-") => {
                Some("`bucket` is 1 to 128 letters, digits, `.`, `_` and `-`")
            }
            () if !word(&self.region, b"._-") => {
                Some("`region` is 1 to 128 letters, digits, `.`, `_` and `-`")
            }
            () if !is_prefix(&self.prefix) => {
                Some("`prefix` is folders of letters, digits, `.`, `_`, `=` and `-`, at most 128 bytes")
            }
            () if !matches!(keys, (true, true, _) | (false, false, false)) => {
                Some("`access_key` and `secret_key` come together, and `session_token` with both")
            }
            () if !secrets.all(|name| is_secret(name)) => {
                Some("the name of a secret is 1 to 128 of a-z, 0-9, `.`, `_`, `-` and `/`")
            }
            () if !ranges => Some(
                "`private_ranges` are at most 64 addresses, each with the number of bits that count, like 10.1.0.0/16",
            ),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_bucket_is_whole_or_refused() {
        let with = |text: &str| {
            Config::parse("c", &format!("plugin_manager: {{ objects: {{ {text} }} }}")).map(|c| c.objects)
        };
        let good = "folders: { reports: { path: /srv/reports } }, s3: { media: { endpoint: 'https://s3.example.com:9000', bucket: b } }";
        let objects = with(good).unwrap();
        let (media, reports) = (&objects.s3["media"], &objects.folders["reports"]);
        assert_eq!((media.region.as_str(), media.plain_http), ("us-east-1", false));
        assert_eq!((reports.capacity.0, reports.entries), (1_000_000_000, 100_000));
        for bad in [
            "object_limit: 17MiB",
            "object_limit: 0B",
            "request_timeout: 0s",
            "requests_at_once: 0",
            "requests_per_second: 0",
            "folders: { Reports: { path: /x } }",
            "folders: { r: {} }",
            "folders: { r: { path: x } }",
            "folders: { r: { path: /x, capacity: 0B } }",
            "folders: { r: { path: /x, entries: 0 } }",
            "folders: { r: { path: /x } }, s3: { r: { endpoint: 'https://x', bucket: b } }",
            "s3: { r: { bucket: b } }",
            "s3: { r: { endpoint: 'https://x' } }",
            "s3: { r: { endpoint: 'x', bucket: b } }",
            "s3: { r: { endpoint: 'https://x/y', bucket: b } }",
            "s3: { r: { endpoint: 'http://x', bucket: b } }",
            "s3: { r: { endpoint: 'https://x', bucket: 'a/b' } }",
            "s3: { r: { endpoint: 'https://x', bucket: b, prefix: '/a' } }",
            "s3: { r: { endpoint: 'https://x', bucket: b, prefix: '../a' } }",
            "s3: { r: { endpoint: 'https://x', bucket: b, access_key: a } }",
            "s3: { r: { endpoint: 'https://x', bucket: b, session_token: a } }",
            "s3: { r: { endpoint: 'https://x', bucket: b, access_key: A, secret_key: b } }",
            "s3: { r: { endpoint: 'https://x', bucket: b, private_ranges: ['10.0.0.0'] } }",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
