//! What the installed plugins need, with packages that are only offered, as shells show it.

use super::dependencies::host_versions;
use super::manager::PluginManager;
use crate::loader::Manifest;
use crate::resolver::{self, Candidate, HostVersions, Survey, Surveyed};
use common::error::ForgeError;
use common::identity::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most reasons one error of [`DependencyReport::verdict`] carries.
const MAX_REASONS: usize = 200;

/// Where a node of a [`DependencyReport`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyKind {
    /// It is installed.
    Installed,
    /// It is in a package that was offered, and not verified.
    Offered,
    /// The host provides it.
    Host,
    /// Somebody needs it, and it is not there.
    Missing,
}

impl DependencyKind {
    /// The kind as one lower-case word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Offered => "offered",
            Self::Host => "host",
            Self::Missing => "missing",
        }
    }
}

/// A plugin, a part of the host, or a name nobody bears.
#[derive(Debug, Clone)]
pub struct DependencyNode {
    /// Its name.
    pub name: String,
    /// Its version; `None` for what is missing.
    pub version: Option<String>,
    /// Its publisher, as its manifest says; `None` for the host's and for what is missing.
    pub publisher: Option<String>,
    /// Where it comes from.
    pub kind: DependencyKind,
    /// The installed version an offered one stands in for.
    pub replaces: Option<String>,
}

/// One requirement.
#[derive(Debug, Clone)]
pub struct DependencyNeed {
    /// Who has it.
    pub by: String,
    /// What it is on.
    pub on: String,
    /// The versions that will do.
    pub requirement: String,
    /// The version there is.
    pub found: Option<String>,
    /// Whether that will do.
    pub met: bool,
    /// Both ends stand in one circle.
    pub circular: bool,
}

/// Who needs whom.
#[derive(Debug)]
pub struct DependencyReport {
    /// Plugins, then parts of the host that are needed, then what is missing; each by name.
    pub nodes: Vec<DependencyNode>,
    /// Every requirement, by who has it and then by what it is on.
    pub needs: Vec<DependencyNeed>,
    /// The order in which the plugins start; without those that cannot be ordered.
    pub order: Vec<String>,
    /// Why they cannot all start; empty when they can.
    pub faults: Vec<ForgeError>,
}

impl DependencyReport {
    fn new(survey: &Survey, plugins: Vec<DependencyNode>, host: &HostVersions) -> Self {
        let mut nodes = plugins;
        nodes.extend(beyond(&survey.needs, &nodes, host));
        nodes.sort_by(|a, b| (rank(a.kind), &a.name).cmp(&(rank(b.kind), &b.name)));
        Self {
            nodes,
            needs: survey.needs.iter().map(need).collect(),
            order: survey.order.iter().map(ToString::to_string).collect(),
            faults: survey.faults.iter().map(|fault| ForgeError::from(fault.clone())).collect(),
        }
    }

    /// `Ok` when every requirement is met and no plugin waits for itself.
    ///
    /// # Errors
    /// E1601 to E1604: the fault, or of several the first, with all of them as reasons.
    pub fn verdict(&self) -> Result<(), ForgeError> {
        let Some(first) = self.faults.first() else { return Ok(()) };
        let single = self.faults.len() == 1;
        let message = if single {
            first.message().to_owned()
        } else {
            format!("{} faults in what the plugins need of each other", self.faults.len())
        };
        let reasons = self.faults.iter().flat_map(|fault| {
            let itself = (!single).then(|| fault.message().to_owned());
            itself.into_iter().chain(fault.reasons().iter().cloned())
        });
        let error = ForgeError::new(first.code(), message).with_help(first.help());
        Err(reasons.take(MAX_REASONS).fold(error, ForgeError::reason))
    }
}

/// Plugins first, then the host, then what is missing.
const fn rank(kind: DependencyKind) -> u8 {
    match kind {
        DependencyKind::Installed | DependencyKind::Offered => 0,
        DependencyKind::Host => 1,
        DependencyKind::Missing => 2,
    }
}

fn need(s: &Surveyed) -> DependencyNeed {
    DependencyNeed {
        by: s.need.by.to_string(),
        on: s.need.on.to_string(),
        requirement: s.need.requirement.to_string(),
        found: s.found.as_ref().map(ToString::to_string),
        met: s.met(),
        circular: s.circular,
    }
}

/// What is needed and is no plugin of the set.
fn beyond(needs: &[Surveyed], plugins: &[DependencyNode], host: &HostVersions) -> Vec<DependencyNode> {
    let there: BTreeSet<&str> = plugins.iter().map(|p| p.name.as_str()).collect();
    let others: BTreeMap<&Name, &Surveyed> =
        needs.iter().filter(|n| !there.contains(n.need.on.as_str())).map(|n| (&n.need.on, n)).collect();
    let node = |(name, s): (&Name, &Surveyed)| DependencyNode {
        name: name.to_string(),
        version: s.found.as_ref().map(ToString::to_string),
        publisher: None,
        kind: if host.provides(name) { DependencyKind::Host } else { DependencyKind::Missing },
        replaces: None,
    };
    others.into_iter().map(node).collect()
}

fn plugin_node(candidate: &Candidate, kind: DependencyKind, replaces: Option<String>) -> DependencyNode {
    DependencyNode {
        name: candidate.name.to_string(),
        version: Some(candidate.version.to_string()),
        publisher: Some(candidate.publisher.to_string()),
        kind,
        replaces,
    }
}

/// A plugin as a manifest describes it.
pub(super) fn offered_candidate(manifest: &Manifest) -> Candidate {
    Candidate {
        name: manifest.name.clone(),
        publisher: manifest.publisher.clone(),
        version: manifest.version.clone(),
        dependencies: manifest.dependencies.clone(),
    }
}

impl PluginManager {
    /// Who needs whom among the installed plugins, as if those of the offered manifests were too. A manifest of an
    /// installed plugin's name and publisher stands in for it. What a manifest says is believed, not verified;
    /// nothing is changed.
    ///
    /// # Errors
    /// E5004 and E1411 when two plugins bear one name, E5009 for a name of the host's; when the home cannot be
    /// read, or the policy denies it.
    pub fn dependencies(&self, offered: &[Manifest]) -> Result<DependencyReport, ForgeError> {
        self.host().may_read("")?;
        let mut installed = self.host().candidates()?;
        let offered: Vec<Candidate> = offered.iter().map(offered_candidate).collect();
        let mut nodes = Vec::new();
        for new in &offered {
            let same = |old: &Arc<Candidate>| old.name == new.name && old.publisher == new.publisher;
            let replaced = installed.iter().position(same).map(|at| installed.remove(at));
            nodes.push(plugin_node(
                new,
                DependencyKind::Offered,
                replaced.map(|old| old.version.to_string()),
            ));
        }
        nodes.extend(installed.iter().map(|c| plugin_node(c, DependencyKind::Installed, None)));
        installed.extend(offered.into_iter().map(Arc::new));
        let host = host_versions()?;
        let survey = resolver::survey(&installed, &host).map_err(as_offered)?;
        Ok(DependencyReport::new(&survey, nodes, &host))
    }
}

impl PluginManager {
    /// The order in which everything installed starts; without plugins in circles and those that need them.
    pub(super) fn start_order(&self) -> Result<Vec<Name>, ForgeError> {
        Ok(resolver::survey(&self.host().candidates()?, &host_versions()?)?.order)
    }

    /// Everything installed in the order in which it starts, as sets: those of one may start side by side once every
    /// set before it is up, and stop side by side once every set after it is down. Sorted by name in each. Plugins in
    /// circles, and those that need them, are in none.
    ///
    /// # Errors
    /// When the home cannot be read, or the policy denies it.
    pub fn start_levels(&self) -> Result<Vec<Vec<String>>, ForgeError> {
        self.host().may_read("")?;
        let survey = resolver::survey(&self.host().candidates()?, &host_versions()?)?;
        let names = |level: Vec<&Name>| level.into_iter().map(ToString::to_string).collect();
        Ok(survey.levels().into_iter().map(names).collect())
    }
}

/// The same error with the help for somebody who asks and does not install.
fn as_offered(error: resolver::ResolveError) -> ForgeError {
    let twice = matches!(error, resolver::ResolveError::Twice { .. });
    let help = twice.then_some("name one package of each plugin, of the publisher that is installed");
    let error = ForgeError::from(error);
    match help {
        Some(help) => error.with_help(help),
        None => error,
    }
}
