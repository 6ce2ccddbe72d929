//! What a caller hands to the log: who acted, what was done to what, how it ended.

use super::line::escape;
use crate::identity::{Digest, IdentityContext, PluginIdentity, Principal};
use std::sync::Arc;

/// How an action must be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordClass {
    /// Durable before the effect or the answer.
    A,
    /// Appended before the effect, durable within 5 ms.
    B,
    /// Counted; each recorded up to a rate, beyond it summarised once a second.
    C,
}

/// How an action ended, or was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Permitted, or done.
    Ok,
    /// Denied.
    Denied,
    /// Permitted and failed.
    Failed,
    /// Stopped by a limit.
    Limit,
}

impl Outcome {
    /// The word in a record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Limit => "limit",
        }
    }
    pub(super) const fn to_byte(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Denied => 1,
            Self::Failed => 2,
            Self::Limit => 3,
        }
    }
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Ok),
            1 => Some(Self::Denied),
            2 => Some(Self::Failed),
            3 => Some(Self::Limit),
            _ => None,
        }
    }
}

/// Who acts, rendered once: cheap to clone and to name in every record.
///
/// A plugin is `{plugin, version, digest, publisher, instance}`, an operator `{user}` (and `commitment` where the user
/// is a pseudonym, and `roles` when there are any), a part of the host `{host}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor(Arc<Rendered>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rendered {
    json: String,
    /// The same for all instances and versions of a plugin: rates are kept for it.
    group: String,
}

impl Actor {
    /// The actor fragment of this identity.
    pub fn new(identity: &IdentityContext) -> Self {
        let mut json = Vec::new();
        let group = match identity.principal() {
            Principal::Plugin(plugin) => render_plugin(plugin, &mut json),
            Principal::Operator(name) => render_operator(name, identity, &mut json),
            Principal::Host(name) => render_host(name, &mut json),
        };
        // Only whole strings were written, so this never replaces anything.
        Self(Arc::new(Rendered { json: String::from_utf8_lossy(&json).into_owned(), group }))
    }
    /// An operator under a pseudonym, with a commitment to the name: what records say of people, so that they can be
    /// forgotten and no record has to change. Another principal's fragment is that of [`Actor::new`].
    pub fn under(identity: &IdentityContext, pseudonym: &str, commitment: &Digest) -> Self {
        let Principal::Operator(_) = identity.principal() else { return Self::new(identity) };
        let mut json = Vec::new();
        field(&mut json, b'{', "user", pseudonym);
        field(&mut json, b',', "commitment", &commitment.to_string());
        render_roles(identity, &mut json);
        let group = format!("user {pseudonym}");
        Self(Arc::new(Rendered { json: String::from_utf8_lossy(&json).into_owned(), group }))
    }
    pub(super) fn json(&self) -> &str {
        &self.0.json
    }
    pub(super) fn group(&self) -> &str {
        &self.0.group
    }
}

fn render_plugin(plugin: &PluginIdentity, json: &mut Vec<u8>) -> String {
    field(json, b'{', "plugin", plugin.name.as_str());
    field(json, b',', "version", &plugin.version);
    field(json, b',', "digest", &plugin.digest.to_string());
    field(json, b',', "publisher", plugin.publisher.as_str());
    json.extend_from_slice(format!(",\"instance\":{}}}", plugin.instance).as_bytes());
    format!("plugin {}/{}", plugin.publisher, plugin.name)
}

fn render_operator(name: &str, identity: &IdentityContext, json: &mut Vec<u8>) -> String {
    field(json, b'{', "user", name);
    render_roles(identity, json);
    format!("user {name}")
}

fn render_roles(identity: &IdentityContext, json: &mut Vec<u8>) {
    let mut before: &[u8] = b",\"roles\":[";
    for role in identity.roles() {
        json.extend_from_slice(before);
        escape(json, role);
        before = b",";
    }
    json.extend_from_slice(if before == b"," { b"]}" } else { b"}" });
}

fn render_host(name: &str, json: &mut Vec<u8>) -> String {
    field(json, b'{', "host", name);
    json.push(b'}');
    format!("host {name}")
}

fn field(json: &mut Vec<u8>, before: u8, key: &str, value: &str) {
    json.push(before);
    escape(json, key);
    json.push(b':');
    escape(json, value);
}

/// The decision behind a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decision<'a> {
    /// Ids of the policies that decided, separated by commas; empty when the grant table alone did.
    pub policies: &'a str,
    /// The policy epoch it was made in.
    pub epoch: u64,
    /// Whether it came from a cache.
    pub cached: bool,
}

/// What is to be recorded. The log adds sequence number, time, node, boot and the hash of the line before.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// What kind of event: `host_call`, `lifecycle`, `management`, `denial`, `log`, …
    pub event: &'a str,
    /// How it ended or was decided.
    pub outcome: Outcome,
    /// The error code, when there is one.
    pub code: Option<&'a str>,
    /// Who acts.
    pub actor: &'a Actor,
    /// What is done: a syscall's name or a management verb.
    pub action: &'a str,
    /// The kind of the resource (`path`, `key`, `plugin`, …), and its canonical name. Never a payload.
    pub resource: (&'a str, &'a str),
    /// The decision, where one was made.
    pub decision: Option<Decision<'a>>,
    /// Further facts, as name and value; small, each name once.
    pub details: &'a [(&'a str, &'a str)],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Name, PluginId};

    #[test]
    fn actors_render_as_the_fields_of_their_kind() {
        let name = |t: &str| Name::new(t).unwrap();
        let plugin = PluginIdentity {
            id: PluginId::new(&name("acme"), &name("redactor")),
            name: name("redactor"),
            publisher: name("acme"),
            version: "1.2.0".into(),
            digest: Digest::of(b"m"),
            instance: 7,
        };
        let actor = Actor::new(&IdentityContext::plugin(plugin));
        let value: serde_json::Value = serde_json::from_str(actor.json()).unwrap();
        assert_eq!(value["plugin"], "redactor");
        assert_eq!(value["publisher"], "acme");
        assert_eq!(value["version"], "1.2.0");
        assert_eq!(value["digest"], Digest::of(b"m").to_string());
        assert_eq!(value["instance"], 7);
        assert_eq!(actor.group(), "plugin acme/redactor");
        assert_eq!(Actor::new(&IdentityContext::new("host\"\n")).json(), r#"{"host":"host\"\n"}"#);
        let user = IdentityContext::operator("ann");
        assert_eq!(Actor::new(&user).json(), r#"{"user":"ann"}"#);
        let admin = user.with_role("b").with_role("a");
        assert_eq!(Actor::new(&admin).json(), r#"{"user":"ann","roles":["a","b"]}"#);
        let commitment = Digest::of(b"salt and name");
        let known = Actor::under(&admin, "person-1", &commitment);
        let want = format!(r#"{{"user":"person-1","commitment":"{commitment}","roles":["a","b"]}}"#);
        assert_eq!((known.json(), known.group()), (want.as_str(), "user person-1"));
        let host = IdentityContext::new("host");
        assert_eq!(Actor::under(&host, "person-1", &commitment), Actor::new(&host));
    }

    #[test]
    fn outcomes_round_trip() {
        for outcome in [Outcome::Ok, Outcome::Denied, Outcome::Failed, Outcome::Limit] {
            assert_eq!(Outcome::from_byte(outcome.to_byte()), Some(outcome));
        }
        assert_eq!(Outcome::from_byte(4), None);
    }
}
