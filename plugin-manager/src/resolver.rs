//! Which plugins start before which: a deterministic order, or the cycle or conflict that forbids one.
//!
//! One version of each plugin is installed, so nothing is searched: requirements are checked against what
//! there is. Time and memory are linear in plugins and requirements; nothing recurses.

mod error;
#[cfg(test)]
mod tests;

pub use error::{Need, ResolveError};

use crate::attestation::VerifiedPackage;
use common::identity::{Name, Publisher};
use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use semver::{Version, VersionReq};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// A plugin as far as its dependencies matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: Name,
    /// Who made it.
    pub publisher: Publisher,
    /// Its version.
    pub version: Version,
    /// What it needs.
    pub dependencies: BTreeMap<Name, VersionReq>,
}

impl From<&VerifiedPackage> for Candidate {
    fn from(verified: &VerifiedPackage) -> Self {
        let manifest = verified.package().manifest();
        Self {
            name: manifest.name.clone(),
            publisher: verified.attestation().publisher.clone(),
            version: manifest.version.clone(),
            dependencies: manifest.dependencies.clone(),
        }
    }
}

/// The versions of what the host itself provides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostVersions {
    /// Of the crate `common`.
    pub common: Version,
    /// Of the crate `microkernel`.
    pub microkernel: Version,
}

impl HostVersions {
    fn get(&self, name: &Name) -> Option<&Version> {
        match name.as_str() {
            "common" => Some(&self.common),
            "microkernel" => Some(&self.microkernel),
            _ => None,
        }
    }
}

/// An order in which every plugin starts after those it needs.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    order: Vec<Name>,
    graph: DiGraph<Name, ()>,
    index: BTreeMap<Name, NodeIndex>,
}

impl LoadPlan {
    /// Every plugin, those that are needed first; among equals by name.
    pub fn start_order(&self) -> &[Name] {
        &self.order
    }
    /// The reverse: those that need others first.
    pub fn stop_order(&self) -> impl Iterator<Item = &Name> {
        self.order.iter().rev()
    }
    /// The plugins that one needs itself, sorted.
    pub fn dependencies_of(&self, name: &Name) -> Vec<&Name> {
        self.beside(name, Direction::Outgoing)
    }
    /// The plugins that need one themselves, sorted.
    pub fn dependents_of(&self, name: &Name) -> Vec<&Name> {
        self.beside(name, Direction::Incoming)
    }
    /// Every plugin that needs one, itself or through others, sorted: those that its removal would break.
    pub fn broken_without(&self, name: &Name) -> Vec<&Name> {
        let Some(start) = self.index.get(name) else { return Vec::new() };
        let mut seen = BTreeSet::from([*start]);
        let mut next = VecDeque::from([*start]);
        while let Some(node) = next.pop_front() {
            next.extend(self.graph.neighbors_directed(node, Direction::Incoming).filter(|n| seen.insert(*n)));
        }
        seen.remove(start);
        self.sorted(seen)
    }

    fn beside(&self, name: &Name, direction: Direction) -> Vec<&Name> {
        let found = self.index.get(name).map(|node| self.graph.neighbors_directed(*node, direction));
        self.sorted(found.into_iter().flatten())
    }
    fn sorted(&self, nodes: impl IntoIterator<Item = NodeIndex>) -> Vec<&Name> {
        let mut names: Vec<&Name> = nodes.into_iter().filter_map(|n| self.graph.node_weight(n)).collect();
        names.sort_unstable();
        names
    }
}

/// Checks every requirement against the plugins there are and the host, and orders the plugins.
///
/// The result depends on the set of candidates alone, not on their order.
///
/// # Errors
/// The first kind of fault there is: a reserved or doubled name, the host's versions, what is missing,
/// what conflicts, then a cycle.
pub fn resolve(candidates: &[Candidate], host: &HostVersions) -> Result<LoadPlan, ResolveError> {
    let by_name = unique(candidates, host)?;
    let needs = needs(&by_name);
    host_meets(&needs, host)?;
    let needs: Vec<Need> = needs.into_iter().filter(|n| host.get(&n.on).is_none()).collect();
    all_there(&needs, &by_name)?;
    all_satisfied(&needs, &by_name)?;
    order(&by_name, &needs)
}

type ByName<'a> = BTreeMap<&'a Name, &'a Candidate>;

fn unique<'a>(candidates: &'a [Candidate], host: &HostVersions) -> Result<ByName<'a>, ResolveError> {
    let mut by_name: ByName<'a> = BTreeMap::new();
    for candidate in candidates {
        let name = candidate.name.clone();
        if host.get(&name).is_some() {
            return Err(ResolveError::Reserved { name });
        }
        if let Some(other) = by_name.insert(&candidate.name, candidate) {
            let mut both = [other.publisher.clone(), candidate.publisher.clone()];
            both.sort_unstable();
            let [first, second] = both;
            return Err(ResolveError::Twice { name, first, second });
        }
    }
    Ok(by_name)
}

/// Every requirement, by who has it and then by what it is on.
fn needs(by_name: &ByName<'_>) -> Vec<Need> {
    let of = |c: &Candidate| {
        let need = |(on, requirement): (&Name, &VersionReq)| Need {
            by: c.name.clone(),
            version: c.version.clone(),
            on: on.clone(),
            requirement: requirement.clone(),
        };
        c.dependencies.iter().map(need).collect::<Vec<_>>()
    };
    by_name.values().flat_map(|c| of(c)).collect()
}

fn host_meets(needs: &[Need], host: &HostVersions) -> Result<(), ResolveError> {
    let unmet = needs.iter().find_map(|need| {
        let provided = host.get(&need.on)?;
        (!need.requirement.matches(provided)).then(|| (Box::new(need.clone()), provided.clone()))
    });
    unmet.map_or(Ok(()), |(need, provided)| Err(ResolveError::Host { need, provided }))
}

fn all_there(needs: &[Need], by_name: &ByName<'_>) -> Result<(), ResolveError> {
    let missing: Vec<Need> = needs.iter().filter(|n| !by_name.contains_key(&n.on)).cloned().collect();
    if missing.is_empty() { Ok(()) } else { Err(ResolveError::Missing { needs: missing }) }
}

fn all_satisfied(needs: &[Need], by_name: &ByName<'_>) -> Result<(), ResolveError> {
    let unmet = needs.iter().filter_map(|n| Some((n, by_name.get(&n.on)?)));
    let Some((first, on)) =
        unmet.filter(|(n, on)| !n.requirement.matches(&on.version)).min_by_key(|(n, _)| &n.on)
    else {
        return Ok(());
    };
    let mut about: Vec<Need> = needs.iter().filter(|n| n.on == first.on).cloned().collect();
    about.sort_by_key(|n| n.requirement.matches(&on.version));
    Err(ResolveError::Conflict { name: first.on.clone(), installed: on.version.clone(), needs: about })
}

/// An edge goes from who needs to what is needed.
fn order(by_name: &ByName<'_>, needs: &[Need]) -> Result<LoadPlan, ResolveError> {
    let mut graph = DiGraph::with_capacity(by_name.len(), needs.len());
    let index: BTreeMap<Name, NodeIndex> =
        by_name.keys().map(|name| ((*name).clone(), graph.add_node((*name).clone()))).collect();
    for need in needs {
        if let (Some(by), Some(on)) = (index.get(&need.by), index.get(&need.on)) {
            graph.add_edge(*by, *on, ());
        }
    }
    let order = start_order(&graph);
    if order.len() < graph.node_count() {
        return Err(ResolveError::Cycle { path: cycle(&graph) });
    }
    Ok(LoadPlan { order, graph, index })
}

/// Takes the first by name of those whose needs are met, again and again. What stands in a cycle is never taken.
fn start_order(graph: &DiGraph<Name, ()>) -> Vec<Name> {
    let mut waits: BTreeMap<NodeIndex, usize> =
        graph.node_indices().map(|n| (n, graph.neighbors_directed(n, Direction::Outgoing).count())).collect();
    let named = |n: NodeIndex| graph.node_weight(n).map(|name| Reverse((name.clone(), n)));
    let free = waits.iter().filter(|(_, count)| **count == 0);
    let mut ready: BinaryHeap<Reverse<(Name, NodeIndex)>> = free.filter_map(|(n, _)| named(*n)).collect();
    let mut order = Vec::with_capacity(graph.node_count());
    while let Some(Reverse((name, node))) = ready.pop() {
        order.push(name);
        for above in graph.neighbors_directed(node, Direction::Incoming) {
            if let Some(count) = waits.get_mut(&above) {
                *count -= 1;
                if *count == 0 {
                    ready.extend(named(above));
                }
            }
        }
    }
    order
}

/// The shortest circle through the first plugin by name that stands in one.
fn cycle(graph: &DiGraph<Name, ()>) -> Vec<Name> {
    let circular =
        |part: &Vec<NodeIndex>| part.len() > 1 || part.first().is_some_and(|n| graph.contains_edge(*n, *n));
    let parts = kosaraju_scc(graph);
    let in_one = parts.iter().filter(|p| circular(p)).flatten();
    let Some(start) = in_one.min_by_key(|n| graph.node_weight(**n)) else { return Vec::new() };
    let mut from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut next = VecDeque::from([*start]);
    while let Some(node) = next.pop_front() {
        for needed in sorted_needs(graph, node) {
            if needed == *start {
                return walk_back(graph, &from, *start, node);
            }
            if let std::collections::btree_map::Entry::Vacant(place) = from.entry(needed) {
                place.insert(node);
                next.push_back(needed);
            }
        }
    }
    Vec::new()
}

fn sorted_needs(graph: &DiGraph<Name, ()>, node: NodeIndex) -> Vec<NodeIndex> {
    let mut needed: Vec<NodeIndex> = graph.neighbors_directed(node, Direction::Outgoing).collect();
    needed.sort_unstable_by_key(|n| graph.node_weight(*n));
    needed
}

fn walk_back(
    graph: &DiGraph<Name, ()>,
    from: &BTreeMap<NodeIndex, NodeIndex>,
    start: NodeIndex,
    last: NodeIndex,
) -> Vec<Name> {
    let mut nodes = vec![start, last];
    let mut at = last;
    while let Some(before) = from.get(&at).filter(|_| at != start) {
        nodes.push(*before);
        at = *before;
    }
    // A plugin that needs itself is its own last: the walk is then complete at once.
    if last == start {
        nodes.truncate(2);
    }
    nodes.iter().rev().filter_map(|n| graph.node_weight(*n).cloned()).collect()
}
