//! A dependency report as numbered nodes and edges, whole or only what is around one plugin.

use plugin_manager::{DependencyNeed, DependencyNode, DependencyReport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The version of a node in words: from which to which, for a package that is offered in place of another.
pub fn version_of(node: &DependencyNode) -> String {
    match (&node.version, &node.replaces) {
        (None, _) => "not there".to_owned(),
        (Some(version), None) => version.clone(),
        (Some(version), Some(old)) => format!("{old} → {version}"),
    }
}

/// How a requirement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeKind {
    /// It is met.
    Met,
    /// What is needed is not there, or at another version.
    Unmet,
    /// It is met, and it is part of a circle.
    Circular,
}

/// A requirement between two nodes.
#[derive(Debug, Clone, Copy)]
pub struct Edge<'a> {
    /// The number of who needs.
    pub from: usize,
    /// The number of what is needed.
    pub to: usize,
    /// The requirement.
    pub need: &'a DependencyNeed,
}

impl Edge<'_> {
    /// How it stands.
    pub const fn kind(&self) -> EdgeKind {
        match (self.need.met, self.need.circular) {
            (false, _) => EdgeKind::Unmet,
            (true, true) => EdgeKind::Circular,
            (true, false) => EdgeKind::Met,
        }
    }
}

/// Nodes and edges, in the order of the report.
#[derive(Debug)]
pub struct Graph<'a> {
    /// The nodes.
    pub nodes: Vec<&'a DependencyNode>,
    /// The edges.
    pub edges: Vec<Edge<'a>>,
}

impl<'a> Graph<'a> {
    /// The graph of a report; with `about`, of that node, everything it needs and everything that needs it.
    /// `None` when the report has no such node.
    pub fn of(report: &'a DependencyReport, about: Option<&str>) -> Option<Self> {
        let kept = match about {
            None => report.nodes.iter().map(|n| n.name.as_str()).collect(),
            Some(name) => around(report, &report.nodes.iter().find(|n| n.name == name)?.name),
        };
        let nodes: Vec<&DependencyNode> =
            report.nodes.iter().filter(|n| kept.contains(n.name.as_str())).collect();
        let number: BTreeMap<&str, usize> =
            nodes.iter().enumerate().map(|(i, n)| (n.name.as_str(), i)).collect();
        let edge = |need: &'a DependencyNeed| {
            let (from, to) = (*number.get(need.by.as_str())?, *number.get(need.on.as_str())?);
            Some(Edge { from, to, need })
        };
        let edges = report.needs.iter().filter_map(edge).collect();
        Some(Self { nodes, edges })
    }
}

/// A plugin, what it needs itself or through others, and what needs it so.
fn around<'a>(report: &'a DependencyReport, name: &'a str) -> BTreeSet<&'a str> {
    let below = reach(name, report.needs.iter().map(|n| (n.by.as_str(), n.on.as_str())));
    let above = reach(name, report.needs.iter().map(|n| (n.on.as_str(), n.by.as_str())));
    below.union(&above).copied().collect()
}

fn reach<'a>(from: &'a str, steps: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeSet<&'a str> {
    let mut next: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
    steps.for_each(|(a, b)| next.entry(a).or_default().push(b));
    let mut seen = BTreeSet::from([from]);
    let mut open = VecDeque::from([from]);
    while let Some(node) = open.pop_front() {
        open.extend(next.get(node).into_iter().flatten().filter(|to| seen.insert(to)));
    }
    seen
}
