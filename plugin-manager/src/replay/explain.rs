//! Why a recorded call was denied: the rule or the missing permission, and the smallest grant that would allow it.

use super::bench::Bench;
use super::calls::{Line, RecordedCall, grant_missing};
use crate::ledger::AuditSource;
use crate::registry::sources;
use common::audit;
use common::error::{ForgeError, codes};
use std::path::Path;

/// Which denial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// The record of this number.
    Record(u64),
    /// The last one of this plugin.
    LastOf(String),
}

/// What held a call back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBy {
    /// The manifest did not ask for the permission, or this build does not serve it.
    Grant,
    /// The right of a plugin it acted for.
    Caller,
    /// A secret it had read.
    Secret,
    /// A policy that forbids it.
    Rule,
    /// No policy permits it.
    NoRule,
    /// A policy that could not be evaluated.
    Fault,
}

impl HeldBy {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Caller => "caller",
            Self::Secret => "secret",
            Self::Rule => "rule",
            Self::NoRule => "no-rule",
            Self::Fault => "fault",
        }
    }
}

/// A policy that decided, and its text when it is still in force.
#[derive(Debug, Clone)]
pub struct RuleText {
    /// Its id: the file and the name in it.
    pub id: String,
    /// Its text.
    pub text: Option<String>,
}

/// Why a call was denied.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The number of the record.
    pub seq: u64,
    /// When, in RFC 3339.
    pub time: String,
    /// Who asked for what.
    pub call: RecordedCall,
    /// The code of the denial.
    pub code: String,
    /// What held it back.
    pub held_by: HeldBy,
    /// The reason in words.
    pub reason: String,
    /// The policies that decided.
    pub rules: Vec<RuleText>,
    /// The plugin that lacks the right, where it is not the one that acted.
    pub lacking: Option<String>,
    /// The smallest permission of a manifest, or the smallest policy, that would allow it; `None` when none would.
    pub smallest: Option<String>,
    /// Whether the policies of now permit it, were it granted; `None` when they cannot be asked.
    pub permitted_now: Option<bool>,
}

/// Puts the name in place of the pseudonym; whether there is one.
fn named(call: &mut RecordedCall, source: &AuditSource) -> Result<bool, ForgeError> {
    let person = source.people()?.into_iter().find(|person| person.pseudonym == call.principal);
    Ok(person.map(|person| call.principal = person.name).is_some())
}

/// Explains a denial by the log of a home, and by its policies of now.
///
/// # Errors
/// E5008 when there is no such record or the plugin was denied nothing; E0101 when the record is no denial; E2004 for
/// a policy that is not valid; why the configuration, the log or a file cannot be read.
pub fn explain_denial(
    home: &Path,
    config: Option<&Path>,
    denied: &Denied,
) -> Result<Explanation, ForgeError> {
    let source = AuditSource::of(home)?;
    let line = find(&source.dir, denied)?;
    let bench = Bench::of(&home.join("trust/policy"), home, &sources::config(home, config)?)?;
    let mut call = RecordedCall::of(&line).ok_or_else(|| missing(denied))?;
    // Policies speak of people and resources by name: who was erased and what was redacted cannot be put before them.
    let known =
        !line.resource.is_redacted() && (call.principal_kind != "operator" || named(&mut call, &source)?);
    let said = if known { bench.decide(&call) } else { None };
    let now = said.as_ref().and_then(|said| said.as_ref().err());
    let held_by = held_by(&line);
    let recorded = line.detail("missing").map(str::to_owned);
    let smallest = match held_by {
        _ if line.resource.is_redacted() => None,
        HeldBy::Grant | HeldBy::Caller | HeldBy::NoRule => {
            recorded.or_else(|| now.and_then(|denial| denial.missing.clone()))
        }
        HeldBy::Secret | HeldBy::Rule | HeldBy::Fault => None,
    };
    let reason = line.detail("reason").map(str::to_owned).or_else(|| now.map(|d| d.reason.clone()));
    let rule = |id: &String| RuleText { text: bench.text(id), id: id.clone() };
    Ok(Explanation {
        seq: line.seq,
        reason: reason.unwrap_or_else(|| "the policies of that time denied it".to_owned()),
        rules: line.decision.iter().flat_map(|d| &d.policies).map(rule).collect(),
        lacking: line.detail("lacking").map(str::to_owned),
        permitted_now: said.as_ref().map(Result::is_ok),
        code: line.code.unwrap_or_default(),
        time: line.t,
        call,
        held_by,
        smallest,
    })
}

fn held_by(line: &Line) -> HeldBy {
    match line.code.as_deref() {
        _ if line.detail("lacking").is_some() => HeldBy::Caller,
        Some("E2008") => HeldBy::Secret,
        Some("E2001") => HeldBy::Rule,
        Some("E2003") => HeldBy::Fault,
        _ if grant_missing(line) => HeldBy::Grant,
        _ => HeldBy::NoRule,
    }
}

/// The record asked for. Of a plugin the last denial that a host call of it met.
fn find(dir: &Path, denied: &Denied) -> Result<Line, ForgeError> {
    let mut found = None;
    for line in audit::tail(dir, u64::MAX)? {
        let line = Line::parse(&line?)?;
        match denied {
            Denied::Record(seq) if line.seq == *seq => {
                found = Some(line);
                break;
            }
            Denied::LastOf(plugin) if line.is_denial() && line.actor.plugin.as_deref() == Some(plugin) => {
                found = Some(line);
            }
            _ => {}
        }
    }
    let line = found.ok_or_else(|| missing(denied))?;
    if line.is_denial() {
        return Ok(line);
    }
    Err(ForgeError::new(&codes::E0101, format!("record {} is no denial", line.seq))
        .reason(format!("its outcome is {}", line.outcome))
        .with_help("`forgeone audit tail` shows which records are"))
}

fn missing(denied: &Denied) -> ForgeError {
    match denied {
        Denied::Record(seq) => {
            ForgeError::new(&codes::E5008, format!("the log has no record {seq} that names who acted"))
                .with_help("`forgeone audit tail` shows the numbers")
        }
        Denied::LastOf(plugin) => {
            ForgeError::new(&codes::E5008, format!("the log has no denial of the plugin {plugin}"))
                .with_help("`forgeone audit tail` shows what was denied to whom")
        }
    }
}
