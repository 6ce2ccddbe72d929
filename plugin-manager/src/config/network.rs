//! `network`: how requests of plugins are made, and how many.

use common::config::{ByteSize, Span};
use common::permission::Permission;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Most scopes or ranges in one list.
const LISTED: usize = 256;

/// `network`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Certificates that vouch for servers (PEM); the operating system's bundle when not set.
    pub tls_roots: Option<PathBuf>,
    /// `host:port` scopes that may be spoken to without TLS.
    pub plain_http: Vec<String>,
    /// Ranges of addresses that may be reached though they are not public: `10.1.0.0/16`.
    pub private_ranges: Vec<String>,
    /// Redirects that are followed, at most.
    pub redirects: u32,
    /// Longest time of one request, redirects included.
    pub request_timeout: Span,
    /// Most bytes of an answer's body.
    pub response_limit: ByteSize,
    /// Requests of one plugin under way at once.
    pub requests_at_once: u32,
    /// Requests of one plugin a second, for long; for a moment ten times as many.
    pub requests_per_second: u32,
    /// Bytes of one plugin a second, sent and received, for long; for a moment ten times as many.
    pub bytes_per_second: ByteSize,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            tls_roots: None,
            plain_http: Vec::new(),
            private_ranges: Vec::new(),
            redirects: 5,
            request_timeout: Span(Duration::from_secs(30)),
            response_limit: ByteSize(16_000_000),
            requests_at_once: 8,
            requests_per_second: 100,
            bytes_per_second: ByteSize(16_000_000),
        }
    }
}

impl Network {
    /// The path of the first value out of its range, and what it may be.
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        [
            (
                "plain_http",
                self.plain_http.len() <= LISTED && self.plain_http.iter().all(|scope| is_scope(scope)),
                "each must be host:port as a permission spells it, at most 256 of them",
            ),
            (
                "private_ranges",
                self.private_ranges.len() <= LISTED && self.private_ranges.iter().all(|range| is_range(range)),
                "each must be an address and the number of bits that count, like 10.1.0.0/16, at most 256 of them",
            ),
            ("redirects", self.redirects <= 20, "must be 0 to 20"),
            ("request_timeout", !self.request_timeout.0.is_zero(), "must be longer than nothing"),
            ("requests_at_once", self.requests_at_once >= 1, "must be at least 1"),
            ("requests_per_second", self.requests_per_second >= 1, "must be at least 1"),
        ]
        .into_iter()
        .find_map(|(key, valid, problem)| (!valid).then_some((key, problem)))
    }

    /// The scopes of `plain_http`.
    pub fn plain_scopes(&self) -> Vec<Permission> {
        self.plain_http.iter().filter_map(|scope| connect(scope)).collect()
    }
}

fn connect(scope: &str) -> Option<Permission> {
    Permission::parse("network", &format!("connect:{scope}")).ok()
}

fn is_scope(scope: &str) -> bool {
    connect(scope).is_some()
}

pub(super) fn is_range(range: &str) -> bool {
    let Some((network, bits)) = range.split_once('/') else { return false };
    let most = network.parse().map(|ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 });
    let digits = (1..=3).contains(&bits.len()) && bits.bytes().all(|b| b.is_ascii_digit());
    digits && bits.parse::<u32>().ok().zip(most.ok()).is_some_and(|(bits, most)| bits <= most)
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, SettingsError};

    fn with(text: &str) -> Result<Config, SettingsError> {
        Config::parse("c", &format!("plugin_manager: {{ network: {{ {text} }} }}"))
    }

    #[test]
    fn scopes_and_ranges_are_read_as_they_will_be_used() {
        let config = with(
            "plain_http: ['metrics.local:9100', '*.lan:80-90'], private_ranges: ['10.0.0.0/8', 'fd00::/8']",
        );
        assert_eq!(config.unwrap().network.plain_scopes().len(), 2);
        for bad in [
            "plain_http: [x]",
            "plain_http: ['http://x:80']",
            "private_ranges: ['10.0.0.0']",
            "private_ranges: ['10.0.0.0/33']",
            "private_ranges: ['fd00::/129']",
            "redirects: 21",
            "request_timeout: 0s",
            "requests_at_once: 0",
            "requests_per_second: 0",
            "response_limit: 5",
        ] {
            assert!(matches!(with(bad), Err(SettingsError::Text(_))), "{bad}");
        }
    }
}
