//! The calls a log tells of, each kind of call once: who did what to which, and how often.

use common::audit;
use common::error::{ForgeError, codes};
use microkernel::syscall_bridge::REDACTED;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Most different calls that are told apart; what is beyond them is counted.
const MOST: usize = 100_000;

/// One line of the log, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub seq: u64,
    pub t: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub outcome: String,
    pub code: Option<String>,
    pub actor: Actor,
    pub action: String,
    pub resource: Resource,
    pub decision: Option<Decision>,
    #[serde(default)]
    pub details: BTreeMap<String, String>,
    /// How many calls a summary stands for.
    pub n: Option<u64>,
}

/// Who acted.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Actor {
    pub plugin: Option<String>,
    pub publisher: Option<String>,
    pub version: Option<String>,
    pub digest: Option<String>,
    pub user: Option<String>,
    pub host: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    pub kind: String,
    pub name: String,
}

impl Resource {
    /// Whether a digest stands in place of its name.
    pub fn is_redacted(&self) -> bool {
        self.name.starts_with(REDACTED)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Decision {
    #[serde(default)]
    pub policies: Vec<String>,
}

impl Line {
    /// The record in this line.
    pub fn parse(line: &str) -> Result<Self, ForgeError> {
        serde_json::from_str(line).map_err(|e| {
            ForgeError::new(&codes::E3003, "a line of the audit log is no record")
                .reason(e.to_string())
                .with_help("find the place with `forgeone audit verify`")
        })
    }

    /// Whether policy or a grant denied it.
    pub fn is_denial(&self) -> bool {
        self.outcome == "denied" && self.code.as_deref().is_some_and(|code| code.starts_with("E20"))
    }

    /// A detail that is not empty.
    pub fn detail(&self, key: &str) -> Option<&str> {
        self.details.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// How many plugins had called one another.
    pub fn depth(&self) -> u32 {
        let chain = self.detail("chain").map_or(0, |chain| chain.split(' ').count());
        u32::try_from(chain).unwrap_or(u32::MAX)
    }
}

/// One kind of call: who did what to which.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordedCall {
    /// Who: the name of a plugin, of an operator, or of a part of the host.
    pub principal: String,
    /// What kind of principal that is: `plugin`, `operator` or `host`.
    pub principal_kind: &'static str,
    /// The publisher of a plugin.
    pub publisher: String,
    /// The version of a plugin.
    pub version: String,
    /// The digest of a plugin.
    pub digest: String,
    /// The action.
    pub action: String,
    /// The kind of resource.
    pub resource_kind: String,
    /// The resource.
    pub resource: String,
    /// How many plugins had called one another.
    pub depth: u32,
    /// Whether it lay in the plugin's own private area.
    pub private: bool,
}

impl RecordedCall {
    /// The call this record tells of.
    pub(super) fn of(line: &Line) -> Option<Self> {
        let actor = line.actor.clone();
        let named = [("plugin", actor.plugin), ("operator", actor.user), ("host", actor.host)];
        let (principal_kind, principal) = named.into_iter().find_map(|(kind, name)| Some((kind, name?)))?;
        let by_area = || line.decision.as_ref().is_some_and(|d| d.policies.iter().any(|p| p == PRIVATE_AREA));
        Some(Self {
            principal,
            principal_kind,
            publisher: actor.publisher.unwrap_or_default(),
            version: actor.version.unwrap_or_default(),
            digest: actor.digest.unwrap_or_default(),
            action: line.action.clone(),
            private: by_area() || is_private(&line.resource),
            resource_kind: line.resource.kind.clone(),
            resource: line.resource.name.clone(),
            depth: line.depth(),
        })
    }
}

/// The built-in policy that speaks of private areas.
const PRIVATE_AREA: &str = "builtin:private-area";

/// Whether the services of this build keep this in the plugin's own private area.
fn is_private(resource: &Resource) -> bool {
    match resource.kind.as_str() {
        "key" => true,
        "path" => resource.name == "/data" || resource.name.starts_with("/data/"),
        _ => false,
    }
}

/// The calls of a log.
#[derive(Debug, Default)]
pub(super) struct RecordedCalls {
    /// Each kind of call, whether it was permitted when it was last recorded, and how often it was.
    pub calls: BTreeMap<RecordedCall, (bool, u64)>,
    /// Calls that cannot be decided again: those whose record names no single resource, and those on behalf of others.
    pub skipped: u64,
    /// Calls beyond the 100,000 different ones that are told apart.
    pub left_out: u64,
}

impl RecordedCalls {
    /// The host calls and denials of the log in `dir`, those that policies decided.
    pub(super) fn read(dir: &Path) -> Result<Self, ForgeError> {
        let mut all = Self::default();
        for line in audit::tail(dir, u64::MAX)? {
            all.take(&Line::parse(&line?)?);
        }
        Ok(all)
    }

    fn take(&mut self, line: &Line) {
        let of_policies =
            matches!(line.kind.as_str(), "host_call" | "denial") && line.resource.kind != "operation";
        if !of_policies || line.actor.plugin.is_none() {
            return;
        }
        let times = line.n.unwrap_or(1);
        // What a grant, a secret or a caller's right held back is held back under any policy.
        let held = line.is_denial() && (grant_missing(line) || line.code.as_deref() == Some("E2008"));
        let unnamed =
            line.resource.is_redacted() || line.resource.name.is_empty() && line.resource.kind != "none";
        let undecided = line.decision.is_none() && line.code.is_some();
        if held || unnamed || undecided || line.detail("lacking").is_some() {
            self.skipped = self.skipped.saturating_add(times);
            return;
        }
        let Some(call) = RecordedCall::of(line) else { return };
        if !self.calls.contains_key(&call) && self.calls.len() >= MOST {
            self.left_out = self.left_out.saturating_add(times);
            return;
        }
        let (permitted, n) = self.calls.entry(call).or_insert((true, 0));
        *permitted = !line.is_denial();
        *n = n.saturating_add(times);
    }
}

/// Whether the manifest or the operator left out the permission: then a policy alone changes nothing.
pub(super) fn grant_missing(line: &Line) -> bool {
    line.code.as_deref() == Some("E2002")
        && line.detail("missing").is_some_and(|missing| !missing.starts_with("permit("))
}
