//! A dependency report as it crosses the socket: the client makes the library's own report of it again.

use crate::error::Told;
use plugin_manager::{DependencyKind, DependencyNeed, DependencyNode, DependencyReport};
use serde::{Deserialize, Serialize};

/// Who needs whom.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dependencies {
    nodes: Vec<Node>,
    needs: Vec<Need>,
    order: Vec<String>,
    faults: Vec<Told>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Node {
    name: String,
    version: Option<String>,
    publisher: Option<String>,
    kind: Kind,
    replaces: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    Installed,
    Offered,
    Host,
    Missing,
}

#[derive(Debug, Serialize, Deserialize)]
struct Need {
    by: String,
    on: String,
    requirement: String,
    found: Option<String>,
    met: bool,
    circular: bool,
}

impl From<DependencyNode> for Node {
    fn from(n: DependencyNode) -> Self {
        let kind = match n.kind {
            DependencyKind::Installed => Kind::Installed,
            DependencyKind::Offered => Kind::Offered,
            DependencyKind::Host => Kind::Host,
            DependencyKind::Missing => Kind::Missing,
        };
        Self { name: n.name, version: n.version, publisher: n.publisher, kind, replaces: n.replaces }
    }
}

impl From<Node> for DependencyNode {
    fn from(n: Node) -> Self {
        let kind = match n.kind {
            Kind::Installed => DependencyKind::Installed,
            Kind::Offered => DependencyKind::Offered,
            Kind::Host => DependencyKind::Host,
            Kind::Missing => DependencyKind::Missing,
        };
        Self { name: n.name, version: n.version, publisher: n.publisher, kind, replaces: n.replaces }
    }
}

impl From<DependencyNeed> for Need {
    fn from(n: DependencyNeed) -> Self {
        let DependencyNeed { by, on, requirement, found, met, circular } = n;
        Self { by, on, requirement, found, met, circular }
    }
}

impl From<Need> for DependencyNeed {
    fn from(n: Need) -> Self {
        let Need { by, on, requirement, found, met, circular } = n;
        Self { by, on, requirement, found, met, circular }
    }
}

impl From<DependencyReport> for Dependencies {
    fn from(r: DependencyReport) -> Self {
        Self {
            nodes: r.nodes.into_iter().map(Node::from).collect(),
            needs: r.needs.into_iter().map(Need::from).collect(),
            order: r.order,
            faults: r.faults.iter().map(Told::of).collect(),
        }
    }
}

impl From<Dependencies> for DependencyReport {
    fn from(d: Dependencies) -> Self {
        Self {
            nodes: d.nodes.into_iter().map(DependencyNode::from).collect(),
            needs: d.needs.into_iter().map(DependencyNeed::from).collect(),
            order: d.order,
            faults: d.faults.into_iter().map(Told::into_error).collect(),
        }
    }
}
