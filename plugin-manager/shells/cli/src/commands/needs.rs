//! Needs as lines: the JSON of nodes and requirements, and the tree people read.

use crate::graph::{Graph, version_of};
use crate::output::Show;
use plugin_manager::{DependencyKind, DependencyNeed, DependencyNode};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// A plugin, a part of the host, or a name nobody bears.
#[derive(Debug, Serialize)]
pub struct NodeLine<'a> {
    name: &'a str,
    version: Option<&'a str>,
    publisher: Option<&'a str>,
    kind: &'static str,
    replaces: Option<&'a str>,
}

impl<'a> From<&'a DependencyNode> for NodeLine<'a> {
    fn from(n: &'a DependencyNode) -> Self {
        Self {
            name: &n.name,
            version: n.version.as_deref(),
            publisher: n.publisher.as_deref(),
            kind: n.kind.name(),
            replaces: n.replaces.as_deref(),
        }
    }
}

/// One requirement.
#[derive(Debug, Serialize)]
pub struct NeedLine<'a> {
    by: &'a str,
    on: &'a str,
    requirement: &'a str,
    found: Option<&'a str>,
    met: bool,
    circular: bool,
}

impl<'a> From<&'a DependencyNeed> for NeedLine<'a> {
    fn from(n: &'a DependencyNeed) -> Self {
        Self {
            by: &n.by,
            on: &n.on,
            requirement: &n.requirement,
            found: n.found.as_deref(),
            met: n.met,
            circular: n.circular,
        }
    }
}

/// What plugins need, as a tree.
#[derive(Debug, Serialize)]
pub struct Tree<'a> {
    nodes: Vec<NodeLine<'a>>,
    needs: Vec<NeedLine<'a>>,
    #[serde(skip)]
    lines: Vec<String>,
}

impl<'a> Tree<'a> {
    /// The tree below one node, or below every plugin that none needs.
    pub fn new(graph: &Graph<'a>, root: Option<&str>) -> Self {
        Self {
            nodes: graph.nodes.iter().map(|n| NodeLine::from(*n)).collect(),
            needs: graph.edges.iter().map(|e| NeedLine::from(e.need)).collect(),
            lines: Drawing::new(graph).draw(root),
        }
    }
}

impl Show for Tree<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.lines.is_empty() {
            return writeln!(out, "nothing is installed");
        }
        self.lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

/// A node that waits to be written, with what stands before it on its line.
struct Branch<'a> {
    node: &'a str,
    need: Option<&'a DependencyNeed>,
    lead: String,
    below: String,
    /// The nodes above it.
    above: Vec<&'a str>,
}

/// Lines of a tree at most.
const MAX_LINES: usize = 10_000;
/// How deep a tree goes.
const MAX_DEPTH: usize = 40;

struct Drawing<'g, 'a> {
    graph: &'g Graph<'a>,
    nodes: BTreeMap<&'a str, &'a DependencyNode>,
    needs: BTreeMap<&'a str, Vec<&'a DependencyNeed>>,
}

impl<'g, 'a> Drawing<'g, 'a> {
    fn new(graph: &'g Graph<'a>) -> Self {
        let mut needs: BTreeMap<&str, Vec<&DependencyNeed>> = BTreeMap::new();
        graph.edges.iter().for_each(|e| needs.entry(&e.need.by).or_default().push(e.need));
        Self { graph, nodes: graph.nodes.iter().map(|n| (n.name.as_str(), *n)).collect(), needs }
    }

    fn draw(&self, root: Option<&str>) -> Vec<String> {
        let mut written = BTreeSet::new();
        let mut lines = Vec::new();
        for root in self.roots(root) {
            if lines.len() >= MAX_LINES {
                lines.push("… and more: name a plugin, or `forgeone deps tree --json` shows all".to_owned());
                break;
            }
            self.below(root, &mut written, &mut lines);
        }
        if let Some(root) = root {
            let mut by: Vec<&str> =
                self.graph.edges.iter().filter(|e| e.need.on == root).map(|e| e.need.by.as_str()).collect();
            by.dedup();
            lines.extend((!by.is_empty()).then(|| format!("needed by {}", by.join(", "))));
        }
        lines
    }

    /// The plugins none needs, then the first of each circle none of those reaches.
    fn roots(&self, root: Option<&str>) -> Vec<&'a str> {
        let plugins = self.graph.nodes.iter().filter(|n| match root {
            Some(root) => n.name == root,
            None => matches!(n.kind, DependencyKind::Installed | DependencyKind::Offered),
        });
        let plugins: BTreeSet<&str> = plugins.map(|n| n.name.as_str()).collect();
        let needed: BTreeSet<&str> = self.graph.edges.iter().map(|e| e.need.on.as_str()).collect();
        let free = |name: &&&str| root.is_some() || !needed.contains(**name);
        let mut roots: Vec<&str> = plugins.iter().filter(free).copied().collect();
        let mut reached = BTreeSet::new();
        roots.iter().for_each(|r| self.reach(r, &mut reached));
        for name in plugins {
            if !reached.contains(name) {
                roots.push(name);
                self.reach(name, &mut reached);
            }
        }
        roots
    }

    fn reach(&self, from: &'a str, reached: &mut BTreeSet<&'a str>) {
        let mut open = vec![from];
        while let Some(name) = open.pop() {
            if reached.insert(name) {
                open.extend(self.needs.get(name).into_iter().flatten().map(|n| n.on.as_str()));
            }
        }
    }

    /// A plugin and what it needs. What a plugin needs is written once, so the lines are as many as the needs, up to [`MAX_LINES`].
    fn below(&self, root: &'a str, written: &mut BTreeSet<&'a str>, lines: &mut Vec<String>) {
        let empty = String::new;
        let mut open = vec![Branch { node: root, need: None, lead: empty(), below: empty(), above: vec![] }];
        while let Some(branch) = open.pop() {
            let needs = self.needs.get(branch.node).map(Vec::as_slice).unwrap_or_default();
            let circle = branch.above.contains(&branch.node);
            let again = !written.insert(branch.node) && !needs.is_empty();
            let note = match (circle, again) {
                (true, _) => ", which closes a circle",
                (false, true) => " (see above)",
                (false, false) => "",
            };
            lines.push(format!("{}{}{note}", branch.lead, self.text(branch.node, branch.need)));
            if circle || again || needs.is_empty() {
                continue;
            }
            if branch.above.len() >= MAX_DEPTH {
                lines.push(format!("{}└── … deeper: `forgeone deps tree {}`", branch.below, branch.node));
                continue;
            }
            let above: Vec<&str> = branch.above.iter().copied().chain([branch.node]).collect();
            let room = MAX_LINES.saturating_sub(lines.len() + open.len());
            let (needs, left) = needs.split_at(needs.len().min(room));
            if !left.is_empty() {
                lines.push(format!("{}… and {} more", branch.below, left.len()));
            }
            for (place, need) in needs.iter().enumerate().rev() {
                let (lead, below) =
                    if place + 1 == needs.len() { ("└── ", "    ") } else { ("├── ", "│   ") };
                open.push(Branch {
                    node: &need.on,
                    need: Some(need),
                    lead: format!("{}{lead}", branch.below),
                    below: format!("{}{below}", branch.below),
                    above: above.clone(),
                });
            }
        }
    }

    fn text(&self, name: &str, need: Option<&DependencyNeed>) -> String {
        let Some(node) = self.nodes.get(name) else { return name.to_owned() };
        let note = match node.kind {
            DependencyKind::Installed | DependencyKind::Missing => "",
            DependencyKind::Offered => " (offered)",
            DependencyKind::Host => " (host)",
        };
        let version = version_of(node);
        match need {
            None => format!("{name} {version}{note}"),
            Some(need) if need.met => format!("{name} {version}{note}, wanted {}", need.requirement),
            Some(need) if node.version.is_none() => format!("{name} MISSING, wanted {}", need.requirement),
            Some(need) => format!("{name} {version}{note} UNFIT, wanted {}", need.requirement),
        }
    }
}
