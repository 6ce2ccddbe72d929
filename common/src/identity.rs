//! Who acts. Trust is keyed by digest and publisher, never by a name alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// A SHA-256 digest. Written `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// Text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` and 64 lower-case hexadecimal digits")]
pub struct BadDigest;

impl Digest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The SHA-256 of `data`.
    pub fn of(data: &[u8]) -> Self {
        crate::crypto::sha256(data)
    }
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = BadDigest;
    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let hex = text.strip_prefix("sha256:").ok_or(BadDigest)?.as_bytes();
        let mut bytes = [0; 32];
        let (pairs, []) = hex.as_chunks::<2>() else { return Err(BadDigest) };
        if pairs.len() != bytes.len() {
            return Err(BadDigest);
        }
        let nibble = |c: u8| match c {
            b'0'..=b'9' => Ok(c - b'0'),
            b'a'..=b'f' => Ok(c - b'a' + 10),
            _ => Err(BadDigest),
        };
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(Self(bytes))
    }
}

/// The parts of the host a plugin can depend on by name, at the host's version. No plugin has such a name.
pub const HOST_PARTS: &[&str] = &["common", "microkernel"];

/// The name of a plugin or a publisher: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Name(std::sync::Arc<str>);

/// Text that is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 63 of a-z, 0-9 and -, and neither starts nor ends with -")]
pub struct BadName;

impl Name {
    /// Checks and keeps a name.
    ///
    /// # Errors
    /// When it is not one.
    pub fn new(text: &str) -> Result<Self, BadName> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let ends = [text.bytes().next(), text.bytes().last()].into_iter().all(|b| b.is_some_and(plain));
        let inside = text.bytes().all(|b| plain(b) || b == b'-');
        if text.len() <= 63 && ends && inside { Ok(Self(text.into())) } else { Err(BadName) }
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether the two are one slip apart: a letter or hyphen too many, too few, another, or two in each other's
    /// place. Names under six characters, and numbers in names, are too alike to say so.
    ///
    /// ```
    /// use common::identity::Name;
    /// let alike = |a, b| Name::new(a).unwrap().resembles(&Name::new(b).unwrap());
    /// assert!(alike("log-redactor", "log-redacter"));
    /// assert!(!alike("worker-1", "worker-2"));
    /// ```
    pub fn resembles(&self, other: &Self) -> bool {
        let letters = |name: &Self| name.0.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let long = self.0.len().min(other.0.len()) >= 6;
        long && letters(self) != letters(other) && strsim::damerau_levenshtein(&self.0, &other.0) == 1
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::new(text)
    }
}

/// Who made a plugin: the name a certificate's URI identity was mapped to.
pub type Publisher = Name;

/// A plugin, for as long as it is installed and over all its versions: publisher and name together.
///
/// Printed as a UUID (version 8) made from the SHA-256 of `publisher/name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginId([u8; 16]);

impl PluginId {
    /// The id of this publisher's plugin of this name.
    pub fn new(publisher: &Publisher, name: &Name) -> Self {
        let digest = Digest::of(format!("{publisher}/{name}").as_bytes());
        let mut id = [0; 16];
        id.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        id[6] = id[6] & 0x0f | 0x80;
        id[8] = id[8] & 0x3f | 0x80;
        Self(id)
    }
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A plugin at one version, as identities and records name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PluginIdentity {
    /// Its id over all versions.
    pub id: PluginId,
    /// Its name.
    pub name: Name,
    /// Its publisher.
    pub publisher: Publisher,
    /// Its version, as in the manifest.
    pub version: String,
    /// The digest of its package's manifest, which names every file of the package.
    pub digest: Digest,
    /// Which instance acts; 0 for the plugin as a whole.
    pub instance: u64,
}

/// The kind of principal an identity stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A part of the host itself, named after it: `plugin-manager`.
    Host(String),
    /// A person or a token that manages the host.
    Operator(String),
    /// A plugin.
    Plugin(PluginIdentity),
}

/// Who acts, in which roles, with which attributes.
///
/// ```
/// use common::identity::IdentityContext;
/// let host = IdentityContext::new("plugin-manager");
/// assert_eq!(host.name(), "plugin-manager");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdentityContext {
    principal: Principal,
    roles: BTreeSet<String>,
    attributes: BTreeMap<String, String>,
}

impl IdentityContext {
    /// The identity of a part of the host.
    pub fn new(component: &str) -> Self {
        Self::of(Principal::Host(component.to_owned()))
    }
    /// The identity of an operator.
    pub fn operator(name: &str) -> Self {
        Self::of(Principal::Operator(name.to_owned()))
    }
    /// The identity of a plugin.
    pub fn plugin(plugin: PluginIdentity) -> Self {
        Self::of(Principal::Plugin(plugin))
    }
    fn of(principal: Principal) -> Self {
        Self { principal, roles: BTreeSet::new(), attributes: BTreeMap::new() }
    }
    /// Adds a role.
    #[must_use]
    pub fn with_role(mut self, role: &str) -> Self {
        self.roles.insert(role.to_owned());
        self
    }
    /// Sets an attribute.
    #[must_use]
    pub fn with_attribute(mut self, key: &str, value: &str) -> Self {
        self.attributes.insert(key.to_owned(), value.to_owned());
        self
    }
    /// What kind of principal this is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
    /// The name it goes by.
    pub fn name(&self) -> &str {
        match &self.principal {
            Principal::Host(name) | Principal::Operator(name) => name,
            Principal::Plugin(p) => p.name.as_str(),
        }
    }
    /// The plugin, when it is one.
    pub fn as_plugin(&self) -> Option<&PluginIdentity> {
        match &self.principal {
            Principal::Plugin(p) => Some(p),
            Principal::Host(_) | Principal::Operator(_) => None,
        }
    }
    /// Its roles, sorted.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(String::as_str)
    }
    /// Its attributes, sorted by key.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_round_trip_and_refuse_other_text() {
        let d = Digest::of(b"abc");
        assert_eq!(d.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(d.to_string().parse::<Digest>(), Ok(d));
        let upper = d.to_string().to_uppercase();
        for bad in ["", "sha256:", "sha256:00", upper.as_str(), &d.hex()] {
            assert_eq!(bad.parse::<Digest>(), Err(BadDigest), "{bad}");
        }
    }

    #[test]
    fn names_are_what_the_contract_says() {
        let long = "a".repeat(64);
        for good in ["a", "0", "log-redactor", &long[..63]] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "../x", "a\u{430}", &long, "a b"] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_plugin_id_is_of_publisher_and_name_together() {
        let n = |t: &str| Name::new(t).unwrap();
        let id = PluginId::new(&n("acme"), &n("x"));
        assert_eq!(id, PluginId::new(&n("acme"), &n("x")));
        assert_ne!(id, PluginId::new(&n("other"), &n("x")));
        assert_eq!(id.to_string().len(), 36);
        assert_eq!(id.to_string().as_bytes()[14], b'8');
    }
}
