//! A graph in Mermaid's language, as pages of forges show it.

use super::model::{EdgeKind, Graph, version_of};
use plugin_manager::{DependencyKind, DependencyNode};
use std::fmt::Write;

const CLASSES: &str = "  classDef offered stroke:#1565c0,stroke-width:2px
  classDef host fill:#eceff1,stroke:#90a4ae,color:#37474f
  classDef missing stroke:#c62828,color:#c62828,stroke-dasharray:5 4
";

/// The graph as a Mermaid flowchart.
pub fn mermaid(graph: &Graph<'_>) -> String {
    let mut text = String::from("flowchart LR\n");
    for (number, node) in graph.nodes.iter().enumerate() {
        // Names may be words of the language, so nodes are numbered. Writing to a text cannot fail.
        let _ = writeln!(text, "  n{number}{}{}", shape(node), class(node.kind));
    }
    let mut alarming = Vec::new();
    for (number, edge) in graph.edges.iter().enumerate() {
        let arrow = if edge.kind() == EdgeKind::Unmet { "-.->" } else { "-->" };
        let requirement = quoted(&edge.need.requirement);
        let _ = writeln!(text, "  n{} {arrow}|{requirement}| n{}", edge.from, edge.to);
        if edge.kind() != EdgeKind::Met {
            alarming.push(number.to_string());
        }
    }
    if !alarming.is_empty() {
        let _ = writeln!(text, "  linkStyle {} stroke:#c62828,color:#c62828", alarming.join(","));
    }
    text.push_str(CLASSES);
    text
}

fn shape(node: &DependencyNode) -> String {
    let label = quoted(&format!("{}\n{}", node.name, version_of(node)));
    match node.kind {
        DependencyKind::Host => format!("([{label}])"),
        _ => format!("[{label}]"),
    }
}

const fn class(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Installed => "",
        DependencyKind::Offered => ":::offered",
        DependencyKind::Host => ":::host",
        DependencyKind::Missing => ":::missing",
    }
}

/// A text of Mermaid: entities for what would end it or be taken for markup.
fn quoted(text: &str) -> String {
    let mut inside = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => inside.push_str("<br/>"),
            '"' | '#' | '<' | '>' | '&' | '`' | '*' => {
                let _ = write!(inside, "#{};", u32::from(c));
            }
            other => inside.push(other),
        }
    }
    format!("\"{inside}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_label_or_mark_it_up() {
        assert_eq!(quoted(">=1, <2\n\"*\""), "\"#62;=1, #60;2<br/>#34;#42;#34;\"");
    }
}
