//! Which plugins start before which: a deterministic order, or the cycle or conflict that forbids one.
//!
//! One version of each plugin is installed, so nothing is searched: requirements are checked against what
//! there is. Time and memory are linear in plugins and requirements; nothing recurses.

use crate::attestation::VerifiedPackage;
use common::error::{Code, Coded, codes};
use common::identity::{Name, Publisher};
use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use semver::{Version, VersionReq};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// Most names or reasons one error spells out.
const MAX_SHOWN: usize = 50;

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
        need: Need,
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
            Self::Reserved { .. } => &codes::E5009,
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
        (!need.requirement.matches(provided)).then(|| (need.clone(), provided.clone()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn plugin(text: &str, version: &str, needs: &[(&str, &str)]) -> Candidate {
        Candidate {
            name: name(text),
            publisher: name("acme"),
            version: version.parse().unwrap(),
            dependencies: needs.iter().map(|(n, r)| (name(n), r.parse().unwrap())).collect(),
        }
    }

    fn host() -> HostVersions {
        HostVersions { common: Version::new(1, 0, 0), microkernel: Version::new(1, 0, 0) }
    }

    fn order_of(candidates: &[Candidate]) -> Vec<String> {
        resolve(candidates, &host()).unwrap().start_order().iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn refused(candidates: &[Candidate], code: &str) -> ResolveError {
        let error = resolve(candidates, &host()).expect_err("there is an order");
        assert_eq!(error.code().id, code, "{error}");
        error
    }

    #[test]
    fn what_is_needed_starts_first_and_names_decide_among_equals() {
        let all = [
            plugin("a", "1.0.0", &[("z", "^1"), ("common", "^1.0.0")]),
            plugin("z", "1.2.0", &[("m", "*")]),
            plugin("m", "0.1.0", &[("microkernel", "^1")]),
            plugin("b", "1.0.0", &[]),
        ];
        assert_eq!(order_of(&all), ["b", "m", "z", "a"]);
        let mut turned = all.clone();
        turned.reverse();
        assert_eq!(order_of(&turned), ["b", "m", "z", "a"]);
        let plan = resolve(&all, &host()).unwrap();
        assert_eq!(plan.stop_order().next().unwrap().as_str(), "a");
        assert_eq!(plan.dependencies_of(&name("a")), [&name("z")]);
        assert_eq!(plan.dependents_of(&name("m")), [&name("z")]);
        assert_eq!(plan.broken_without(&name("m")), [&name("a"), &name("z")]);
        assert!(plan.broken_without(&name("nobody")).is_empty());
        assert!(resolve(&[], &host()).unwrap().start_order().is_empty());
    }

    #[test]
    fn fault_065_cycles_are_printed_as_a_path() {
        let e = refused(&[plugin("a", "1.0.0", &[("a", "*")])], "E1601");
        assert_eq!(e.to_string(), "the dependencies form a cycle: a → a");
        let e = refused(&[plugin("b", "1.0.0", &[("a", "*")]), plugin("a", "1.0.0", &[("b", "*")])], "E1601");
        assert_eq!(e.to_string(), "the dependencies form a cycle: a → b → a");
        let three = [
            plugin("out", "1.0.0", &[("b", "*")]),
            plugin("b", "1.0.0", &[("c", "*"), ("leaf", "*")]),
            plugin("c", "1.0.0", &[("d", "*")]),
            plugin("d", "1.0.0", &[("b", "*")]),
            plugin("leaf", "1.0.0", &[]),
        ];
        assert_eq!(refused(&three, "E1601").to_string(), "the dependencies form a cycle: b → c → d → b");
        let ring = |n: usize| -> Vec<Candidate> {
            (0..n)
                .map(|i| plugin(&format!("p{i}"), "1.0.0", &[(&format!("p{}", (i + 1) % n), "*")]))
                .collect()
        };
        let ResolveError::Cycle { path } = refused(&ring(50), "E1601") else { panic!() };
        assert_eq!((path.len(), path.first()), (51, path.last()));
        assert!(refused(&ring(5_000), "E1601").to_string().contains("5000 in all"));
    }

    #[test]
    fn what_is_missing_is_named_with_who_needs_it() {
        let all = [plugin("a", "1.0.0", &[("x", "^2"), ("y", "*")]), plugin("b", "1.0.0", &[("x", "^1")])];
        let e = refused(&all, "E1602");
        assert_eq!(e.to_string(), "not installed: x, y");
        assert_eq!(e.reasons(), ["a 1.0.0 needs x ^2", "a 1.0.0 needs y *", "b 1.0.0 needs x ^1"]);
    }

    #[test]
    fn fault_066_conflicts_are_explained_in_words() {
        let diamond = [
            plugin("a", "1.0.0", &[("base", "^1")]),
            plugin("b", "1.0.0", &[("base", "^2")]),
            plugin("base", "1.5.0", &[]),
        ];
        let e = refused(&diamond, "E1603");
        assert_eq!(e.to_string(), "base is installed at 1.5.0, which does not satisfy every requirement");
        assert_eq!(e.reasons(), ["b 1.0.0 needs base ^2, which it is not", "a 1.0.0 needs base ^1"]);
    }

    #[test]
    fn fault_064_pre_releases_satisfy_only_who_asks_for_them() {
        let with = |req: &str| [plugin("a", "1.0.0", &[("b", req)]), plugin("b", "2.0.0-rc.1", &[])];
        refused(&with("^2"), "E1603");
        refused(&with("*"), "E1603");
        assert_eq!(order_of(&with(">=2.0.0-rc.0")), ["b", "a"]);
    }

    #[test]
    fn fault_067_two_publishers_of_one_name() {
        let mut other = plugin("a", "9.0.0", &[]);
        other.publisher = name("evil");
        refused(&[plugin("a", "1.0.0", &[]), other], "E1411");
        refused(&[plugin("a", "1.0.0", &[]), plugin("a", "1.1.0", &[])], "E5004");
    }

    #[test]
    fn fault_072_what_the_host_provides() {
        let e = refused(&[plugin("a", "1.0.0", &[("microkernel", "^9")])], "E1604");
        assert_eq!(e.to_string(), "a 1.0.0 needs microkernel ^9, but this host provides 1.0.0");
        refused(&[plugin("common", "1.0.0", &[])], "E5009");
    }

    #[test]
    fn ten_thousand_plugins_are_ordered_within_a_second() {
        let all: Vec<Candidate> = (0..10_000_usize)
            .map(|i| {
                let needs: Vec<String> =
                    (1..=8).filter_map(|d| i.checked_sub(d * d)).map(|n| format!("p{n}")).collect();
                let needs: Vec<(&str, &str)> = needs.iter().map(|n| (n.as_str(), "^1")).collect();
                plugin(&format!("p{i}"), "1.0.0", &needs)
            })
            .collect();
        let start = std::time::Instant::now();
        let plan = resolve(&all, &host()).unwrap();
        assert!(start.elapsed().as_secs() < 1, "{:?}", start.elapsed());
        assert_eq!(plan.start_order().len(), 10_000);
        assert_eq!(plan.broken_without(&name("p0")).len(), 9_999);
    }

    proptest! {
        #[test]
        fn an_order_puts_every_need_first_or_there_is_a_real_cycle(edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..30)) {
            let mut all: Vec<Candidate> = (0..12).map(|i| plugin(&format!("p{i}"), "1.0.0", &[])).collect();
            for (by, on) in &edges {
                all[*by].dependencies.insert(name(&format!("p{on}")), "^1".parse().unwrap());
            }
            match resolve(&all, &host()) {
                Ok(plan) => {
                    let place = |n: &Name| plan.start_order().iter().position(|x| x == n).unwrap();
                    for c in &all {
                        prop_assert!(c.dependencies.keys().all(|d| place(d) < place(&c.name)));
                    }
                }
                Err(ResolveError::Cycle { path }) => {
                    prop_assert!(path.len() >= 2 && path.first() == path.last());
                    for pair in path.windows(2) {
                        let by = all.iter().find(|c| c.name == pair[0]).unwrap();
                        prop_assert!(by.dependencies.contains_key(&pair[1]));
                    }
                    let inner: BTreeSet<_> = path[1..].iter().collect();
                    prop_assert_eq!(inner.len(), path.len() - 1);
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}
