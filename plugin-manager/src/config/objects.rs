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
    /// The buckets by the names plugins call them by.
    pub buckets: BTreeMap<String, BucketSection>,
}

impl Default for ObjectStorage {
    fn default() -> Self {
        Self {
            object_limit: ByteSize(16_000_000),
            request_timeout: Span(Duration::from_secs(30)),
            requests_at_once: 8,
            requests_per_second: 100,
            bytes_per_second: ByteSize(16_000_000),
            buckets: BTreeMap::new(),
        }
    }
}

/// One bucket: `folder` or `s3`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketSection {
    /// The folder its objects are in.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// Most bytes of the objects of a folder together.
    #[serde(default = "capacity")]
    pub capacity: ByteSize,
    /// Most objects and folders of a folder.
    #[serde(default = "entries")]
    pub entries: u64,
    /// The server its objects are at.
    #[serde(default)]
    pub s3: Option<S3Section>,
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
pub struct S3Section {
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
        let own = [
            ("object_limit", (1..=OBJECT_BYTES).contains(&self.object_limit.0), "must be 1B to 16MiB"),
            ("request_timeout", !self.request_timeout.0.is_zero(), "must be longer than nothing"),
            ("requests_at_once", self.requests_at_once >= 1, "must be at least 1"),
            ("requests_per_second", self.requests_per_second >= 1, "must be at least 1"),
            ("buckets", self.buckets.len() <= BUCKETS, "there are more than 64"),
        ];
        let own = own.into_iter().find(|(_, valid, _)| !valid).map(|(key, _, problem)| (vec![key], problem));
        own.or_else(|| {
            let found = self.buckets.iter().find_map(|(name, bucket)| Some((name, bucket.problem(name)?)));
            found.map(|(name, problem)| (vec!["buckets", name.as_str()], problem))
        })
    }
}

impl BucketSection {
    fn problem(&self, name: &str) -> Option<&'static str> {
        if Name::new(name).is_err() {
            return Some("a bucket is 1 to 63 of a-z, 0-9 and -");
        }
        match (&self.folder, &self.s3) {
            (Some(folder), None) if !folder.is_absolute() => Some("`folder` must be an absolute path"),
            (Some(_), None) if self.capacity.0 == 0 || self.entries == 0 => {
                Some("`capacity` and `entries` must be more than nothing")
            }
            (Some(_), None) => None,
            (None, Some(s3)) => s3.problem(),
            _ => Some("must have one of `folder` and `s3`"),
        }
    }
}

impl S3Section {
    fn problem(&self) -> Option<&'static str> {
        let host = self.endpoint.strip_prefix("https://").or_else(|| self.endpoint.strip_prefix("http://"));
        let plain =
            |text: &str| !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic());
        let names = |text: &str| plain(text) && !text.contains(['/', '?', '#', '%', '\\']);
        let folder = |text: &str| {
            text.is_empty()
                || (text.len() <= 128 && text.split('/').all(|s| names(s) && s != "." && s != ".."))
        };
        let keys = (self.access_key.is_some(), self.secret_key.is_some(), self.session_token.is_some());
        match () {
            () if !host.is_some_and(|host| names(host)) => {
                Some("`endpoint` must be https://host or https://host:port")
            }
            () if self.endpoint.starts_with("http://") && !self.plain_http => {
                Some("an `endpoint` without TLS needs `plain_http: true`")
            }
            () if !names(&self.region) => Some("`region` is 1 to 128 letters, digits and -"),
            () if !names(&self.bucket) => Some("`bucket` is missing, or no name of a bucket"),
            () if !folder(&self.prefix) => {
                Some("`prefix` is folders of letters, digits and marks, at most 128 bytes")
            }
            () if !matches!(keys, (true, true, _) | (false, false, false)) => {
                Some("`access_key` and `secret_key` come together, and `session_token` with both")
            }
            () if self.private_ranges.len() > RANGES
                || !self.private_ranges.iter().all(|range| is_range(range)) =>
            {
                Some(
                    "`private_ranges` are at most 64 addresses, each with the number of bits that count, like 10.1.0.0/16",
                )
            }
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
        let objects = with("buckets: { reports: { folder: /srv/reports }, media: { s3: { endpoint: 'https://s3.example.com:9000', bucket: b } } }").unwrap();
        let media = objects.buckets["media"].s3.as_ref().unwrap();
        assert_eq!((objects.buckets.len(), media.region.as_str(), media.plain_http), (2, "us-east-1", false));
        assert_eq!(
            (objects.buckets["reports"].capacity.0, objects.buckets["reports"].entries),
            (1_000_000_000, 100_000)
        );
        for bad in [
            "object_limit: 17MiB",
            "object_limit: 0B",
            "request_timeout: 0s",
            "requests_at_once: 0",
            "requests_per_second: 0",
            "buckets: { Reports: { folder: /x } }",
            "buckets: { r: {} }",
            "buckets: { r: { folder: x } }",
            "buckets: { r: { folder: /x, capacity: 0B } }",
            "buckets: { r: { folder: /x, s3: { endpoint: 'https://x', bucket: b } } }",
            "buckets: { r: { s3: { bucket: b } } }",
            "buckets: { r: { s3: { endpoint: 'https://x' } } }",
            "buckets: { r: { s3: { endpoint: 'x', bucket: b } } }",
            "buckets: { r: { s3: { endpoint: 'https://x/y', bucket: b } } }",
            "buckets: { r: { s3: { endpoint: 'http://x', bucket: b } } }",
            "buckets: { r: { s3: { endpoint: 'https://x', bucket: 'a/b' } } }",
            "buckets: { r: { s3: { endpoint: 'https://x', bucket: b, prefix: '/a' } } }",
            "buckets: { r: { s3: { endpoint: 'https://x', bucket: b, prefix: '../a' } } }",
            "buckets: { r: { s3: { endpoint: 'https://x', bucket: b, access_key: a } } }",
            "buckets: { r: { s3: { endpoint: 'https://x', bucket: b, session_token: a } } }",
            "buckets: { r: { s3: { endpoint: 'https://x', bucket: b, private_ranges: ['10.0.0.0'] } } }",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
