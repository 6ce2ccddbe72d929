//! Checks what the compiler does not: layers, forbidden names, file promises, sizes, unfinished words, faults.

mod codes;
mod faults;
mod fixtures;
mod layers;
mod names;
mod shape;
mod source;

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::project::root;
use layers::Table;
use source::Source;

/// Where the layer table stands.
const ARCHITECTURE: &str = "plugin-manager/ARCHITECTURE.md";
/// Directories whose sources are read.
const SCANNED: [&str; 7] =
    ["common", "fuzz", "microkernel", "plugin-manager", "sample-plugin", "tests", "xtask"];
/// Fewer sources than this mean that the scan itself is broken.
const MIN_FILES: usize = 30;

const STALE: &str = "is not what `cargo xtask errors` writes";

/// One thing that does not hold: where and what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

/// `cargo xtask tidy`.
pub fn run() -> Result<()> {
    let root = root()?;
    let mut sources = Vec::new();
    for directory in SCANNED {
        read(&root, &root.join(directory), &mut sources)?;
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let architecture = std::fs::read_to_string(root.join(ARCHITECTURE)).unwrap_or_default();
    let mut findings = check(&sources, &architecture);
    findings.extend(fixtures::check(&root, &sources)?);
    findings.extend(codes::check(&sources));
    findings.extend(crate::errors::stale(&root).into_iter().map(|path| Finding::new(&path, 0, STALE)));
    findings.extend(faults::check(&root, &sources));
    findings.sort();
    for finding in &findings {
        println!("{}:{}: {}", finding.path, finding.line, finding.what);
    }
    println!("tidy: {} files, {} findings", sources.len(), findings.len());
    match findings.len() {
        0 => Ok(()),
        count => bail!("{count} findings"),
    }
}

/// Everything that needs the sources alone.
fn check(sources: &[Source], architecture: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if sources.len() < MIN_FILES {
        let what = format!("only {} sources were scanned; there are at least {MIN_FILES}", sources.len());
        findings.push(Finding::new(".", 0, what));
    }
    match Table::parse(architecture) {
        Ok(table) => findings.extend(layers::check(sources, &table)),
        Err(what) => findings.push(Finding::new(ARCHITECTURE, 0, what.to_string())),
    }
    findings.extend(sources.iter().flat_map(names::check));
    findings.extend(sources.iter().flat_map(shape::check));
    findings
}

/// Sources below a directory; what is built and what is hidden is left out.
fn read(root: &Path, directory: &Path, sources: &mut Vec<Source>) -> Result<()> {
    let entries =
        std::fs::read_dir(directory).with_context(|| format!("{} is not there", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                read(root, &path, sources)?;
            }
        } else if name.ends_with(".rs") {
            let shown = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            sources.push(Source::new(&shown, std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_of_too_few_files_and_a_missing_table_are_findings() {
        let findings = check(&[], "no table");
        let whats: Vec<_> = findings.iter().map(|f| f.what.as_str()).collect();
        assert_eq!(whats.len(), 2);
        assert!(whats.iter().any(|what| what.contains("only 0 sources")));
        assert!(whats.iter().any(|what| what.contains("layer table")));
    }

    #[test]
    fn the_scan_finds_this_file() {
        let root = root().unwrap();
        let mut sources = Vec::new();
        read(&root, &root.join("xtask"), &mut sources).unwrap();
        assert!(sources.iter().any(|source| source.path == "xtask/src/tidy/mod.rs"));
    }
}
