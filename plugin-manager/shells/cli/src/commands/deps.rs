//! `deps tree`, `deps check`, `deps graph`, `deps lock`: who needs whom among the installed plugins, and with packages that are
//! not installed yet.
//!
//! JSON of `tree`: `{"nodes","needs"}`; of `check`: `{"plugins","requirements","order"}`; of `graph`:
//! `{"format","file","bytes","picture","nodes","needs"}`; of `lock`: `{"plugins","was","file"}`, where `picture` is null when it went to `file`. Nodes are
//! `{"name","version","publisher","kind","replaces"}` with kind `installed`, `offered`, `host` or `missing`; needs
//! `{"by","on","requirement","found","met","circular"}`.

use super::needs::{NeedLine, NodeLine, Tree};
use crate::args::{Deps, DepsCheck, DepsGraph, DepsLock, DepsTree, PictureFormat};
use crate::context::Context;
use crate::failure::Failure;
use crate::files::{self, MAX_FILE};
use crate::graph::{self, Graph, MAX_NODES};
use crate::output::{Show, write_pairs};
use common::error::{ForgeError, codes};
use forgeone_api::{Parcel, asks};
use plugin_manager::{DependencyKind, DependencyReport, Manifest, Package, PackageLimits};
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Runs `deps`.
///
/// # Errors
/// E1601 to E1604 from `check` for what is not met, E1607 for a lock file that says something else; E5001 for a plugin that is not there; when a package is none,
/// or the home cannot be opened.
pub fn run(context: &Context, args: &Deps) -> Result<(), Failure> {
    match args {
        Deps::Tree(args) => tree(context, args),
        Deps::Check(args) => check(context, args),
        Deps::Graph(args) => graph(context, args),
        Deps::Lock(args) => lock(context, args),
    }
}

fn report(context: &Context, packages: &[PathBuf]) -> Result<DependencyReport, Failure> {
    let offered = manifests(packages)?;
    let (dependencies, _) = context.answer(asks::DependenciesOf::with(&offered))?;
    Ok(dependencies.into())
}

fn manifests(packages: &[PathBuf]) -> Result<Vec<Manifest>, ForgeError> {
    // Of each package only its manifest is kept.
    let load = |path: &PathBuf| {
        let bytes = files::read(path, MAX_FILE)?;
        let package = Package::load(&bytes, &PackageLimits::default()).map_err(ForgeError::from)?;
        Ok(package.manifest().clone())
    };
    packages.iter().map(load).collect()
}

fn tree(context: &Context, args: &DepsTree) -> Result<(), Failure> {
    let report = report(context, &args.packages)?;
    let name = args.name.as_deref();
    let graph = Graph::of(&report, name).ok_or_else(|| unknown(name.unwrap_or_default()))?;
    context.output().show(&Tree::new(&graph, name))
}

fn unknown(name: &str) -> ForgeError {
    ForgeError::new(&codes::E5001, format!("no plugin {name} is installed, offered or needed"))
}

/// What `check` found to be in order.
#[derive(Debug, Serialize)]
struct Checked {
    plugins: usize,
    requirements: usize,
    order: Vec<String>,
}

impl Show for Checked {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let order =
            if self.order.is_empty() { "nothing is installed".to_owned() } else { self.order.join(", ") };
        let met = format!("{}, all met", self.requirements);
        let plugins = self.plugins.to_string();
        write_pairs(out, &[("plugins", plugins), ("requirements", met), ("start order", order)])
    }
}

fn check(context: &Context, args: &DepsCheck) -> Result<(), Failure> {
    let report = report(context, &args.packages)?;
    report.verdict()?;
    context.ask(asks::CheckLock {})?;
    let plugin = |kind| matches!(kind, DependencyKind::Installed | DependencyKind::Offered);
    context.output().show(&Checked {
        plugins: report.nodes.iter().filter(|n| plugin(n.kind)).count(),
        requirements: report.needs.len(),
        order: report.order,
    })
}

/// A lock file that was written.
#[derive(Debug, Serialize)]
struct Locked<'a> {
    plugins: usize,
    was: Vec<String>,
    file: Option<&'a Path>,
}

impl Show for Locked<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let was = if self.was.is_empty() { "as it is".to_owned() } else { self.was.join("; ") };
        let mut pairs = vec![("plugins", self.plugins.to_string()), ("it was", was)];
        pairs.extend(self.file.map(|file| ("copy", file.display().to_string())));
        write_pairs(out, &pairs)
    }
}

fn lock(context: &Context, args: &DepsLock) -> Result<(), Failure> {
    let answer = context.ask_to_the_end(asks::Relock {}.into())?;
    answer.ended?;
    let Parcel { head: asks::Relocked { was, plugins }, body: text } = answer.parcel;
    let file = args.output.as_deref();
    if let Some(file) = file {
        files::write(file, &text, 0o644)?;
    }
    context.output().show(&Locked { plugins, was, file })
}

/// A picture that was drawn.
#[derive(Debug, Serialize)]
struct Drawn<'a> {
    format: &'static str,
    file: Option<&'a Path>,
    bytes: usize,
    picture: Option<String>,
    nodes: Vec<NodeLine<'a>>,
    needs: Vec<NeedLine<'a>>,
}

impl Show for Drawn<'_> {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(picture) = &self.picture {
            return out.write_all(picture.as_bytes());
        }
        let file = self.file.map_or_else(String::new, |f| f.display().to_string());
        let shown = format!("{} nodes, {} requirements", self.nodes.len(), self.needs.len());
        write_pairs(
            out,
            &[("drawn", shown), ("file", format!("{file} ({}, {} bytes)", self.format, self.bytes))],
        )
    }
}

fn graph(context: &Context, args: &DepsGraph) -> Result<(), Failure> {
    let format = args.format.map_or_else(|| by_name(args.output.as_deref()), Ok)?;
    let report = report(context, &args.packages)?;
    let about = args.about.as_deref();
    let graph = Graph::of(&report, about).ok_or_else(|| unknown(about.unwrap_or_default()))?;
    let (format, picture) = match format {
        PictureFormat::Dot => ("dot", graph::dot(&graph)),
        PictureFormat::Mermaid => ("mermaid", graph::mermaid(&graph)),
        PictureFormat::Svg => ("svg", graph::svg(&graph).ok_or_else(|| too_large(&graph))?),
    };
    let file = args.output.as_deref();
    if let Some(file) = file {
        files::write(file, picture.as_bytes(), 0o644)?;
    }
    context.output().show(&Drawn {
        format,
        file,
        bytes: picture.len(),
        picture: file.is_none().then_some(picture),
        nodes: graph.nodes.iter().map(|n| NodeLine::from(*n)).collect(),
        needs: graph.edges.iter().map(|e| NeedLine::from(e.need)).collect(),
    })
}

/// The format a file's name asks for.
fn by_name(file: Option<&Path>) -> Result<PictureFormat, ForgeError> {
    let Some(file) = file else { return Ok(PictureFormat::Dot) };
    match file.extension().and_then(|e| e.to_str()) {
        Some("svg") => Ok(PictureFormat::Svg),
        Some("mmd" | "mermaid") => Ok(PictureFormat::Mermaid),
        Some("dot" | "gv") => Ok(PictureFormat::Dot),
        _ => {
            Err(ForgeError::new(&codes::E0101, format!("the name {} says no picture format", file.display()))
                .with_help("end it in .dot, .gv, .mmd, .mermaid or .svg, or name one with --format"))
        }
    }
}

fn too_large(graph: &Graph<'_>) -> ForgeError {
    let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
    let what = format!(
        "{nodes} nodes and {edges} requirements are too many for one SVG of at most {MAX_NODES} nodes"
    );
    ForgeError::new(&codes::E0101, what)
        .with_help("draw what is around one plugin with --about NAME, or use --format dot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_names_the_format() {
        let of = |name: &str| by_name(Some(Path::new(name))).unwrap();
        assert_eq!(of("a.svg"), PictureFormat::Svg);
        assert_eq!(of("a.mmd"), PictureFormat::Mermaid);
        assert_eq!(of("a.dot"), PictureFormat::Dot);
        assert_eq!(by_name(None).unwrap(), PictureFormat::Dot);
        for name in ["plugins.txt", "svg", "plugins.SVG.png"] {
            assert_eq!(by_name(Some(Path::new(name))).unwrap_err().code().id, "E0101", "{name}");
        }
    }
}
