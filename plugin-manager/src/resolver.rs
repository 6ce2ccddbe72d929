//! Which plugins start before which: a deterministic order, or the cycle or conflict that forbids one.
//!
//! Of what is installed there is one version of each plugin: requirements are checked against it, in time and memory
//! linear in plugins and requirements. Of what is to be installed there may be several, and [`select`] chooses, within
//! work that is counted. Nothing recurses.

mod error;
mod select;
mod solver;
mod survey;
#[cfg(test)]
mod tests;
mod versions;
mod words;

pub use error::{Need, ResolveError};
pub use select::{Choice, SEARCH_WORK, SelectError, Selection, select};
pub use survey::{Survey, Surveyed, survey};
pub use words::{Conflict, Wish};

use crate::attestation::VerifiedPackage;
use common::identity::{Name, Publisher};
use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use semver::{Version, VersionReq};
use std::borrow::Borrow;
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
    /// Whether the host provides this itself.
    pub fn provides(&self, name: &Name) -> bool {
        self.version_of(name).is_some()
    }
    /// The version of a part of the host.
    pub fn version_of(&self, name: &Name) -> Option<&Version> {
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
    /// Plugins taken and needs followed to order them.
    steps: usize,
    graph: Graph,
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
    /// The same order in sets: those of one set may start side by side once every set before it is up.
    pub fn start_levels(&self) -> Vec<Vec<&Name>> {
        levels(&self.order, |name| self.dependencies_of(name))
    }
    /// How many plugins were taken and needs followed to find the order: as many as there are.
    pub const fn steps(&self) -> usize {
        self.steps
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
pub fn resolve<C: Borrow<Candidate>>(
    candidates: &[C],
    host: &HostVersions,
) -> Result<LoadPlan, ResolveError> {
    let by_name = unique(candidates, host)?;
    let needs = needs(&by_name);
    match unmet(&needs, &by_name, host).into_iter().next() {
        Some(fault) => Err(fault),
        None => order(&by_name, &needs),
    }
}

type ByName<'a> = BTreeMap<&'a Name, &'a Candidate>;

fn unique<'a, C: Borrow<Candidate>>(
    candidates: &'a [C],
    host: &HostVersions,
) -> Result<ByName<'a>, ResolveError> {
    let mut by_name: ByName<'a> = BTreeMap::new();
    for candidate in candidates.iter().map(Borrow::borrow) {
        let name = candidate.name.clone();
        if host.version_of(&name).is_some() {
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

/// Everything that is asked for and not there, in the order in which errors are told.
fn unmet(needs: &[Need], by_name: &ByName<'_>, host: &HostVersions) -> Vec<ResolveError> {
    let mut faults = host_faults(needs, host);
    let of_plugins: Vec<&Need> = needs.iter().filter(|n| host.version_of(&n.on).is_none()).collect();
    let missing: Vec<Need> =
        of_plugins.iter().filter(|n| !by_name.contains_key(&n.on)).map(|n| (*n).clone()).collect();
    if !missing.is_empty() {
        faults.push(ResolveError::Missing { needs: missing });
    }
    faults.extend(conflicts(&of_plugins, by_name));
    faults
}

fn host_faults(needs: &[Need], host: &HostVersions) -> Vec<ResolveError> {
    let fault = |need: &Need| {
        let provided = host.version_of(&need.on)?;
        let need = (!need.requirement.matches(provided)).then(|| Box::new(need.clone()))?;
        Some(ResolveError::Host { need, provided: provided.clone() })
    };
    needs.iter().filter_map(fault).collect()
}

/// One for each plugin whose version somebody cannot use, by name.
fn conflicts(needs: &[&Need], by_name: &ByName<'_>) -> Vec<ResolveError> {
    let mut about: BTreeMap<&Name, Vec<Need>> = BTreeMap::new();
    for need in needs {
        about.entry(&need.on).or_default().push((*need).clone());
    }
    let fault = |(name, mut needs): (&Name, Vec<Need>)| {
        let installed = &by_name.get(name)?.version;
        needs.sort_by_key(|n| n.requirement.matches(installed));
        let unmet = needs.first().is_some_and(|n| !n.requirement.matches(installed));
        unmet.then(|| ResolveError::Conflict { name: name.clone(), installed: installed.clone(), needs })
    };
    about.into_iter().filter_map(fault).collect()
}

fn order(by_name: &ByName<'_>, needs: &[Need]) -> Result<LoadPlan, ResolveError> {
    let (graph, index) = graph(by_name, needs);
    let (order, steps) = start_order(&graph);
    if order.len() < graph.node_count() {
        return Err(ResolveError::Cycle { path: cycles(&graph).into_iter().next().unwrap_or_default() });
    }
    Ok(LoadPlan { order, steps, graph, index })
}

type Graph = DiGraph<Name, ()>;

/// An edge goes from who needs to what is needed; needs that no plugin is there for have none.
fn graph(by_name: &ByName<'_>, needs: &[Need]) -> (Graph, BTreeMap<Name, NodeIndex>) {
    let mut graph = DiGraph::with_capacity(by_name.len(), needs.len());
    let index: BTreeMap<Name, NodeIndex> =
        by_name.keys().map(|name| ((*name).clone(), graph.add_node((*name).clone()))).collect();
    for need in needs {
        if let (Some(by), Some(on)) = (index.get(&need.by), index.get(&need.on)) {
            graph.add_edge(*by, *on, ());
        }
    }
    (graph, index)
}

/// An order as sets, each by name: a plugin stands one set after the last of those it needs.
fn levels<'a, Needs>(order: &'a [Name], needs: impl Fn(&Name) -> Needs) -> Vec<Vec<&'a Name>>
where
    Needs: IntoIterator<Item = &'a Name>,
{
    let mut depth: BTreeMap<&Name, usize> = BTreeMap::new();
    let mut levels: Vec<Vec<&Name>> = Vec::new();
    for name in order {
        let level = needs(name).into_iter().filter_map(|need| depth.get(need)).max();
        let level = level.map_or(0, |deepest| deepest + 1);
        depth.insert(name, level);
        match levels.get_mut(level) {
            Some(set) => set.push(name),
            None => levels.push(vec![name]),
        }
    }
    levels.iter_mut().for_each(|set| set.sort_unstable());
    levels
}

/// The first circle among these plugins, when there is one.
fn circle(candidates: &[&Candidate]) -> Option<Vec<Name>> {
    let by_name: ByName<'_> = candidates.iter().map(|candidate| (&candidate.name, *candidate)).collect();
    let (graph, _) = graph(&by_name, &needs(&by_name));
    cycles(&graph).into_iter().next()
}

/// Takes the first by name of those whose needs are met, again and again. What stands in a cycle is never taken.
fn start_order(graph: &Graph) -> (Vec<Name>, usize) {
    let mut waits: BTreeMap<NodeIndex, usize> =
        graph.node_indices().map(|n| (n, graph.neighbors_directed(n, Direction::Outgoing).count())).collect();
    let named = |n: NodeIndex| graph.node_weight(n).map(|name| Reverse((name.clone(), n)));
    let free = waits.iter().filter(|(_, count)| **count == 0);
    let mut ready: BinaryHeap<Reverse<(Name, NodeIndex)>> = free.filter_map(|(n, _)| named(*n)).collect();
    let mut order = Vec::with_capacity(graph.node_count());
    let mut steps = 0;
    while let Some(Reverse((name, node))) = ready.pop() {
        order.push(name);
        steps += 1;
        for above in graph.neighbors_directed(node, Direction::Incoming) {
            steps += 1;
            if let Some(count) = waits.get_mut(&above) {
                *count -= 1;
                if *count == 0 {
                    ready.extend(named(above));
                }
            }
        }
    }
    (order, steps)
}

/// The plugins that stand in circles, those of one tangle together.
fn tangles(graph: &Graph) -> Vec<Vec<NodeIndex>> {
    let circular =
        |part: &Vec<NodeIndex>| part.len() > 1 || part.first().is_some_and(|n| graph.contains_edge(*n, *n));
    kosaraju_scc(graph).into_iter().filter(circular).collect()
}

/// For each tangle the shortest circle through its first plugin by name; the tangles by that name.
fn cycles(graph: &Graph) -> Vec<Vec<Name>> {
    let first = |part: &Vec<NodeIndex>| part.iter().min_by_key(|n| graph.node_weight(**n)).copied();
    let mut starts: Vec<NodeIndex> = tangles(graph).iter().filter_map(first).collect();
    starts.sort_unstable_by_key(|n| graph.node_weight(*n));
    starts.into_iter().map(|start| cycle(graph, start)).collect()
}

/// The shortest circle through a plugin that stands in one.
fn cycle(graph: &Graph, start: NodeIndex) -> Vec<Name> {
    let mut from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(node) = next.pop_front() {
        for needed in sorted_needs(graph, node) {
            if needed == start {
                return walk_back(graph, &from, start, node);
            }
            if let std::collections::btree_map::Entry::Vacant(place) = from.entry(needed) {
                place.insert(node);
                next.push_back(needed);
            }
        }
    }
    Vec::new()
}

fn sorted_needs(graph: &Graph, node: NodeIndex) -> Vec<NodeIndex> {
    let mut needed: Vec<NodeIndex> = graph.neighbors_directed(node, Direction::Outgoing).collect();
    needed.sort_unstable_by_key(|n| graph.node_weight(*n));
    needed
}

fn walk_back(
    graph: &Graph,
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
