//! The grammar of permissions: `family = ["verb" | "verb:scope"]`, and what a scope covers.
//!
//! It lives here because both the package loader, which parses requests, and the trust evaluator, which
//! decides by them, need the same words. Source: CONTRACT.md, section 1.

use std::fmt;

/// One thing a plugin may be allowed to do: a family and a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "the variants are named by the table below")]
pub enum Capability {
    FilesystemRead,
    FilesystemWrite,
    FilesystemList,
    FilesystemDelete,
    StorageGet,
    StorageSet,
    StorageDelete,
    StorageList,
    ObjectsGet,
    ObjectsPut,
    ObjectsDelete,
    ObjectsList,
    NetworkConnect,
    SecretsUse,
    SecretsReveal,
    EnvRead,
    ConfigRead,
    PluginsCall,
    AuthVerify,
    ObservabilityMetric,
    ObservabilityEvent,
    ObservabilityTrace,
    ClockNow,
    RandomBytes,
}

/// How the scope of a capability is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScopeKind {
    Path,
    Host,
    Name,
    None,
}

/// family, verb, capability, how its scope is written
const TABLE: &[(&str, &str, Capability, ScopeKind)] = &[
    ("filesystem", "read", Capability::FilesystemRead, ScopeKind::Path),
    ("filesystem", "write", Capability::FilesystemWrite, ScopeKind::Path),
    ("filesystem", "list", Capability::FilesystemList, ScopeKind::Path),
    ("filesystem", "delete", Capability::FilesystemDelete, ScopeKind::Path),
    ("storage", "get", Capability::StorageGet, ScopeKind::Name),
    ("storage", "set", Capability::StorageSet, ScopeKind::Name),
    ("storage", "delete", Capability::StorageDelete, ScopeKind::Name),
    ("storage", "list", Capability::StorageList, ScopeKind::Name),
    ("objects", "get", Capability::ObjectsGet, ScopeKind::Name),
    ("objects", "put", Capability::ObjectsPut, ScopeKind::Name),
    ("objects", "delete", Capability::ObjectsDelete, ScopeKind::Name),
    ("objects", "list", Capability::ObjectsList, ScopeKind::Name),
    ("network", "connect", Capability::NetworkConnect, ScopeKind::Host),
    ("secrets", "use", Capability::SecretsUse, ScopeKind::Name),
    ("secrets", "reveal", Capability::SecretsReveal, ScopeKind::Name),
    ("env", "read", Capability::EnvRead, ScopeKind::Name),
    ("config", "read", Capability::ConfigRead, ScopeKind::Name),
    ("plugins", "call", Capability::PluginsCall, ScopeKind::Name),
    ("auth", "verify", Capability::AuthVerify, ScopeKind::Name),
    ("observability", "metric", Capability::ObservabilityMetric, ScopeKind::Name),
    ("observability", "event", Capability::ObservabilityEvent, ScopeKind::Name),
    ("observability", "trace", Capability::ObservabilityTrace, ScopeKind::None),
    ("clock", "now", Capability::ClockNow, ScopeKind::None),
    ("random", "bytes", Capability::RandomBytes, ScopeKind::None),
];

/// The capabilities of the table, in its order.
#[allow(
    clippy::indexing_slicing,
    reason = "the compiler evaluates it, and refuses an index that is not there"
)]
static ALL: [Capability; TABLE.len()] = {
    let mut all = [Capability::FilesystemRead; TABLE.len()];
    let mut i = 0;
    while i < TABLE.len() {
        all[i] = TABLE[i].2;
        i += 1;
    }
    all
};

impl Capability {
    /// How many capabilities there are: every one fits a bit of a `u32`.
    pub const COUNT: usize = TABLE.len();

    /// Every capability.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.2)
    }
    /// This capability alone, as a table of actions lists what an action needs.
    pub fn alone(self) -> &'static [Self] {
        ALL.iter().find(|known| **known == self).map_or(&[], std::slice::from_ref)
    }
    fn row(self) -> (&'static str, &'static str) {
        TABLE.iter().find(|row| row.2 == self).map_or(("", ""), |row| (row.0, row.1))
    }
    /// `filesystem`, `storage`, …
    pub fn family(self) -> &'static str {
        self.row().0
    }
    /// `read`, `set`, …
    pub fn verb(self) -> &'static str {
        self.row().1
    }
    /// Its bit in a grant table.
    pub const fn bit(self) -> u32 {
        1 << (self as u8)
    }
    /// Whether a bare verb means the plugin's own private area (filesystem and storage).
    pub fn private_by_default(self) -> bool {
        matches!(self.family(), "filesystem" | "storage")
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (family, verb) = self.row();
        write!(f, "{family} {verb}")
    }
}

/// A capability with the scope it was asked for; without one, the family's default scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Permission {
    /// What may be done.
    pub capability: Capability,
    /// To what; `None` is the family's default scope.
    pub scope: Option<Scope>,
}

/// Why a permission does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{family} = [\"{text}\"]: {problem}")]
pub struct PermissionError {
    family: String,
    text: String,
    problem: String,
}

impl Permission {
    /// Parses one entry of a family's list.
    ///
    /// ```
    /// use common::permission::{Capability, Permission};
    /// let p = Permission::parse("filesystem", "read:/data/**").unwrap();
    /// assert_eq!(p.capability, Capability::FilesystemRead);
    /// assert!(p.scope.unwrap().covers("/data/a/b.txt"));
    /// ```
    ///
    /// # Errors
    /// On an unknown family or verb, with the nearest known word, and on a scope that does not parse.
    pub fn parse(family: &str, text: &str) -> Result<Self, PermissionError> {
        let fail = |problem: String| PermissionError { family: clip(family), text: clip(text), problem };
        let (verb, scope) = match text.split_once(':') {
            Some((verb, scope)) => (verb, Some(scope)),
            None => (text, None),
        };
        if !TABLE.iter().any(|row| row.0 == family) {
            return Err(fail(format!(
                "there is no permission family \"{}\"{}",
                clip(family),
                hint(family, TABLE.iter().map(|r| r.0))
            )));
        }
        let Some(row) = TABLE.iter().find(|row| row.0 == family && row.1 == verb) else {
            let known = TABLE.iter().filter(|r| r.0 == family).map(|r| r.1);
            return Err(fail(format!("{family} has no verb \"{}\"{}", clip(verb), hint(verb, known))));
        };
        let scope = match (scope, row.3) {
            (None, _) => None,
            (Some(s), ScopeKind::Path) => Some(Scope::Path(Glob::path(s).map_err(|e| fail(e.0))?)),
            (Some(s), ScopeKind::Name) => Some(Scope::Name(Glob::name(s).map_err(|e| fail(e.0))?)),
            (Some(s), ScopeKind::Host) => Some(Scope::Host(HostScope::parse(s).map_err(|e| fail(e.0))?)),
            (Some(_), ScopeKind::None) => return Err(fail(format!("{family} {verb} takes no scope"))),
        };
        Ok(Self { capability: row.2, scope })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.capability)?;
        match &self.scope {
            Some(scope) => write!(f, " {scope}"),
            None => Ok(()),
        }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    crate::config::nearest(word, known).map_or(String::new(), |k| format!("; did you mean \"{k}\"?"))
}

/// Why a scope does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadScope(String);

impl From<&str> for BadScope {
    fn from(problem: &str) -> Self {
        Self(problem.to_owned())
    }
}

/// What a permission covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Absolute paths of the virtual root.
    Path(Glob),
    /// Keys and names.
    Name(Glob),
    /// Hosts and ports.
    Host(HostScope),
}

impl Scope {
    /// Whether this canonical resource lies in the scope. Hosts are given as `host:port`.
    pub fn covers(&self, resource: &str) -> bool {
        match self {
            Self::Path(g) | Self::Name(g) => g.matches(resource),
            Self::Host(h) => match resource.rsplit_once(':') {
                Some((host, port)) => port.parse().is_ok_and(|port| h.covers(host, port)),
                None => false,
            },
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(g) | Self::Name(g) => f.write_str(&g.text),
            Self::Host(h) => f.write_str(&h.text),
        }
    }
}

/// A glob: `*` within a segment, `**` across segments, no other magic. Segments are divided by `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    text: String,
}

/// Longest glob accepted, in bytes; with it, matching is bounded.
pub const MAX_GLOB: usize = 1024;

impl Glob {
    /// A glob over absolute paths.
    ///
    /// # Errors
    /// When it is not absolute, or has `.`, `..`, empty segments, backslashes or control characters.
    pub fn path(text: &str) -> Result<Self, BadScope> {
        let Some(rest) = text.strip_prefix('/') else { return Err("a path scope starts with /".into()) };
        if !rest.is_empty() && rest.split('/').any(|s| s.is_empty() || s == "." || s == "..") {
            return Err("a path scope has no empty, `.` or `..` segment".into());
        }
        Self::name(text)
    }

    /// A glob over names.
    ///
    /// # Errors
    /// When it is empty, too long, or has backslashes, control characters or a `**` beside other text.
    pub fn name(text: &str) -> Result<Self, BadScope> {
        if text.is_empty() {
            return Err("the scope is empty".into());
        }
        if text.len() > MAX_GLOB {
            return Err(BadScope(format!("the scope is longer than {MAX_GLOB} bytes")));
        }
        if text.contains(|c: char| c.is_control() || c == '\\') {
            return Err("a scope has no backslash and no control character".into());
        }
        if text.split('/').any(|s| s.contains("**") && s != "**") {
            return Err("`**` stands alone in its segment".into());
        }
        Ok(Self { text: text.to_owned() })
    }

    /// Whether the whole of `text` matches. Time is bounded by the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        let pattern: Vec<&str> = self.text.split('/').collect();
        let target: Vec<&str> = text.split('/').collect();
        wild(&pattern, &target, |p| *p == "**", |p, t| segment(p, t))
    }
}

fn segment(pattern: &str, text: &str) -> bool {
    wild(pattern.as_bytes(), text.as_bytes(), |p| *p == b'*', |p, t| p == t)
}

/// Matches a pattern with wild cards by remembering the last one: no recursion, no exponential case.
fn wild<P, T>(pattern: &[P], target: &[T], star: impl Fn(&P) -> bool, same: impl Fn(&P, &T) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while let Some(item) = target.get(t) {
        match pattern.get(p) {
            Some(c) if star(c) => {
                last = Some((p, t));
                p += 1;
            }
            Some(c) if same(c, item) => {
                p += 1;
                t += 1;
            }
            _ => match last {
                Some((star_at, from)) => {
                    p = star_at + 1;
                    t = from + 1;
                    last = Some((star_at, t));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(star)
}

/// `host:port`, `*.example.com:443`, `host:8000-8100`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostScope {
    text: String,
    host: String,
    ports: (u16, u16),
}

impl HostScope {
    fn parse(text: &str) -> Result<Self, BadScope> {
        let Some((host, ports)) = text.rsplit_once(':') else {
            return Err("a network scope is host:port".into());
        };
        let bare = host.strip_prefix("*.").unwrap_or(host);
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        let v6 = bare.strip_prefix('[').and_then(|b| b.strip_suffix(']'));
        let valid = match v6 {
            Some(ip) => host == bare && ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => bare.len() <= 253 && bare.split('.').all(label),
        };
        if !valid {
            return Err(
                "the host is a name, `*.` and a name, an IPv4 address or an IPv6 address in brackets".into(),
            );
        }
        let port = |p: &str| p.parse::<u16>().ok().filter(|p| *p > 0);
        let range = match ports.split_once('-') {
            Some((a, b)) => port(a).zip(port(b)).filter(|(a, b)| a <= b),
            None => port(ports).map(|p| (p, p)),
        };
        let Some(ports) = range else { return Err("a port is 1 to 65535, a range is low-high".into()) };
        Ok(Self { text: text.to_owned(), host: host.to_ascii_lowercase(), ports })
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let named = match self.host.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.host,
        };
        named && (self.ports.0..=self.ports.1).contains(&port)
    }
}

#[cfg(test)]
mod tests;
