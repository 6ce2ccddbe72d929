//! A graph in Graphviz's language.

use super::model::{EdgeKind, Graph, version_of};
use plugin_manager::{DependencyKind, DependencyNode};
use std::fmt::Write;

/// The graph as DOT, for `dot -Tsvg` and its kin.
pub fn dot(graph: &Graph<'_>) -> String {
    let mut text = String::from(
        "digraph dependencies {\n  rankdir=LR;\n  node [shape=box, style=\"rounded\", fontname=\"sans-serif\"];\n  \
         edge [fontname=\"sans-serif\", fontsize=10];\n",
    );
    for node in &graph.nodes {
        let (name, label, style) = (quoted(&node.name), label(node), style(node.kind));
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {name} [label={label}{style}];");
    }
    for edge in &graph.edges {
        let style = match edge.kind() {
            EdgeKind::Met => "",
            EdgeKind::Unmet => ", color=\"#c62828\", fontcolor=\"#c62828\", style=dashed",
            EdgeKind::Circular => ", color=\"#c62828\", fontcolor=\"#c62828\"",
        };
        let (by, on, req) = (quoted(&edge.need.by), quoted(&edge.need.on), quoted(&edge.need.requirement));
        let _ = writeln!(text, "  {by} -> {on} [label={req}{style}];");
    }
    text.push_str("}\n");
    text
}

fn label(node: &DependencyNode) -> String {
    quoted(&format!("{}\n{}", node.name, version_of(node)))
}

const fn style(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Installed => "",
        DependencyKind::Offered => ", color=\"#1565c0\", penwidth=2",
        DependencyKind::Host => ", shape=ellipse, style=\"filled\", fillcolor=\"#eceff1\"",
        DependencyKind::Missing => ", color=\"#c62828\", fontcolor=\"#c62828\", style=\"rounded,dashed\"",
    }
}

/// A string of DOT: only quotes, backslashes and line ends need care.
fn quoted(text: &str) -> String {
    let inside = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{inside}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_inside_its_quotes() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
    }
}
