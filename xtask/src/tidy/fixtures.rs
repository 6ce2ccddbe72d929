//! Each fixture is named by a test.

use std::path::Path;

use anyhow::Result;

use super::Finding;
use super::source::Source;

const FIXTURES: &str = "tests/fixtures";

/// The fixtures against the sources.
pub fn check(root: &Path, sources: &[Source]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(root.join(FIXTURES)).into_iter().flatten() {
        let name = entry?.file_name().to_string_lossy().into_owned();
        findings.extend(check_fixture(&name, sources));
    }
    Ok(findings)
}

fn check_fixture(name: &str, sources: &[Source]) -> Option<Finding> {
    let named = sources.iter().any(|source| source.text.contains(name));
    (!named).then(|| Finding::new(&format!("{FIXTURES}/{name}"), 0, "no test names this fixture"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_no_test_names_is_found() {
        let sources = [Source::new("tests/it/a.rs", "fn x() { open(\"bad.wat\"); }".into())];
        assert_eq!(check_fixture("bad.wat", &sources), None);
        assert!(check_fixture("other.wat", &sources).is_some());
    }
}
