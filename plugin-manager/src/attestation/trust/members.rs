//! `[[role]]` and `[[tier]]` of `trust.toml`: what plugins and operators belong to, for policies to speak of. Nothing
//! is proved by them and nothing permitted.

use super::NamePattern;
use crate::loader::document::{DocumentError, Node};
use common::identity::{Name, Publisher};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

const MAX_ITEMS: usize = 4096;
const MAX_WORD: usize = 1024;
/// Longest name of an operator, in bytes.
const MAX_OPERATOR: usize = 256;

/// Plugins by publisher and name: `acme/log-*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginPattern {
    /// The publisher.
    pub publisher: NamePattern,
    /// The name.
    pub name: NamePattern,
}

/// Text that is not a pattern for plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be publisher/name, each with * for any part of it")]
pub struct BadPluginPattern;

impl PluginPattern {
    /// Whether it means this plugin.
    pub fn matches(&self, publisher: &Publisher, name: &Name) -> bool {
        self.publisher.matches(publisher) && self.name.matches(name)
    }
}

impl FromStr for PluginPattern {
    type Err = BadPluginPattern;
    fn from_str(text: &str) -> Result<Self, BadPluginPattern> {
        let (publisher, name) = text.split_once('/').ok_or(BadPluginPattern)?;
        let part = |text: &str| text.parse().map_err(|_| BadPluginPattern);
        Ok(Self { publisher: part(publisher)?, name: part(name)? })
    }
}

impl fmt::Display for PluginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.publisher, self.name)
    }
}

/// A role, and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleEntry {
    /// The role.
    pub name: Name,
    /// The plugins that have it.
    pub plugins: Vec<PluginPattern>,
    /// The operators that have it, by name.
    pub operators: BTreeSet<String>,
}

/// A tier, and its plugins. A plugin is of the first tier of the file that means it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierEntry {
    /// The tier.
    pub name: Name,
    /// Its plugins.
    pub plugins: Vec<PluginPattern>,
}

pub(super) fn role(node: Node) -> Result<RoleEntry, DocumentError> {
    let mut fields = node.fields(&["name", "plugins", "operators"])?;
    let name = fields.need("name")?.parse(MAX_WORD)?;
    let operators = items(fields.take("operators"))?;
    Ok(RoleEntry {
        name,
        plugins: patterns(fields.take("plugins"))?,
        operators: operators.iter().map(operator).collect::<Result<_, _>>()?,
    })
}

pub(super) fn tier(node: Node) -> Result<TierEntry, DocumentError> {
    let mut fields = node.fields(&["name", "plugins"])?;
    let name = fields.need("name")?.parse(MAX_WORD)?;
    Ok(TierEntry { name, plugins: patterns(Some(fields.need("plugins")?))? })
}

fn items(node: Option<Node>) -> Result<Vec<Node>, DocumentError> {
    node.map_or_else(|| Ok(Vec::new()), |node| node.list(MAX_ITEMS))
}

fn patterns(node: Option<Node>) -> Result<Vec<PluginPattern>, DocumentError> {
    items(node)?.iter().map(|node| node.parse(MAX_WORD)).collect()
}

fn operator(node: &Node) -> Result<String, DocumentError> {
    let text = node.text(MAX_OPERATOR)?;
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(node.fail("must be the name of a user, as `forgeone audit tail` shows it"));
    }
    Ok(text.to_owned())
}

/// No name is there twice.
pub(super) fn consistent(roles: &[RoleEntry], tiers: &[TierEntry]) -> Result<(), DocumentError> {
    let lists: [(&str, Vec<&Name>); 2] = [
        ("role", roles.iter().map(|role| &role.name).collect()),
        ("tier", tiers.iter().map(|tier| &tier.name).collect()),
    ];
    for (list, names) in lists {
        let mut seen = BTreeSet::new();
        if let Some(i) = names.into_iter().position(|name| !seen.insert(name)) {
            return Err(DocumentError::new(&format!("{list}[{i}].name"), "is there twice"));
        }
    }
    Ok(())
}

#[derive(Serialize)]
pub(super) struct RoleOut {
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plugins: Vec<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    operators: BTreeSet<String>,
}

#[derive(Serialize)]
pub(super) struct TierOut {
    name: String,
    plugins: Vec<String>,
}

pub(super) fn roles_out(roles: &[RoleEntry]) -> Vec<RoleOut> {
    let out = |role: &RoleEntry| RoleOut {
        name: role.name.to_string(),
        plugins: texts(&role.plugins),
        operators: role.operators.clone(),
    };
    roles.iter().map(out).collect()
}

pub(super) fn tiers_out(tiers: &[TierEntry]) -> Vec<TierOut> {
    tiers.iter().map(|t| TierOut { name: t.name.to_string(), plugins: texts(&t.plugins) }).collect()
}

fn texts(patterns: &[PluginPattern]) -> Vec<String> {
    patterns.iter().map(ToString::to_string).collect()
}
