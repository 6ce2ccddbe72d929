//! Why plugins cannot be ordered, in words: who needs what, and what stands in the way.

use common::error::{Code, Coded, codes};
use common::identity::{Name, Publisher};
use semver::{Version, VersionReq};
use std::collections::BTreeSet;

/// Most names or reasons one error spells out.
const MAX_SHOWN: usize = 50;

/// A requirement with who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Who needs it.
    pub by: Name,
    /// At which version.
    pub version: Version,
    /// What is needed.
    pub on: Name,
    /// Which versions of it will do.
    pub requirement: VersionReq,
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} needs {} {}", self.by, self.version, self.on, self.requirement)
    }
}

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Plugins need each other. An author breaks the circle.
    #[error("the dependencies form a cycle: {}", arrows(path))]
    Cycle {
        /// The plugins in the order of their needs; the first stands at the end again.
        path: Vec<Name>,
    },
    /// A plugin that is needed is not there. The operator installs it.
    #[error("not installed: {}", names(needs.iter().map(|n| &n.on)))]
    Missing {
        /// Who needs what.
        needs: Vec<Need>,
    },
    /// The installed version of a plugin is not one that is asked for.
    #[error("{name} is installed at {installed}, which does not satisfy every requirement")]
    Conflict {
        /// The plugin that is needed.
        name: Name,
        /// Its version.
        installed: Version,
        /// Everyone who needs it, those that are not satisfied first.
        needs: Vec<Need>,
    },
    /// The host's own version is not one that is asked for.
    #[error("{need}, but this host provides {provided}")]
    Host {
        /// Who needs what of the host.
        need: Box<Need>,
        /// The host's version.
        provided: Version,
    },
    /// A plugin bears the name of a part of the host.
    #[error("{name} is provided by the host and cannot be a plugin")]
    Reserved {
        /// The name.
        name: Name,
    },
    /// Two plugins of one name.
    #[error("{name} is there twice, of {first} and of {second}")]
    Twice {
        /// The name.
        name: Name,
        /// The publisher of one.
        first: Publisher,
        /// The publisher of the other.
        second: Publisher,
    },
}

fn names<'a>(all: impl Iterator<Item = &'a Name>) -> String {
    let unique: BTreeSet<&str> = all.map(Name::as_str).collect();
    let shown: Vec<&str> = unique.iter().take(MAX_SHOWN).copied().collect();
    let more = if unique.len() > MAX_SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn arrows(path: &[Name]) -> String {
    let shown: Vec<&str> = path.iter().take(MAX_SHOWN).map(Name::as_str).collect();
    let last = path.last().filter(|_| path.len() > MAX_SHOWN);
    let end = last.map_or_else(String::new, |l| format!(" → … ({} in all) → {l}", path.len() - 1));
    format!("{}{end}", shown.join(" → "))
}

impl Coded for ResolveError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Cycle { .. } => &codes::E1601,
            Self::Missing { .. } => &codes::E1602,
            Self::Conflict { .. } => &codes::E1603,
            Self::Host { .. } => &codes::E1604,
            Self::Reserved { .. } => &codes::E1104,
            Self::Twice { first, second, .. } if first != second => &codes::E1411,
            Self::Twice { .. } => &codes::E5004,
        }
    }

    fn reasons(&self) -> Vec<String> {
        match self {
            Self::Missing { needs } => needs.iter().take(MAX_SHOWN).map(ToString::to_string).collect(),
            Self::Conflict { installed, needs, .. } => {
                let met = |n: &Need| if n.requirement.matches(installed) { "" } else { ", which it is not" };
                needs.iter().take(MAX_SHOWN).map(|n| format!("{n}{}", met(n))).collect()
            }
            _ => Vec::new(),
        }
    }
}
