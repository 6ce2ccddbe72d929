//! The list of bad inputs and faults: read from `tests/faults.toml`, written as `plugin-manager/docs/faults.md`.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::project::root;

/// Where every fault is listed.
pub const LIST: &str = "tests/faults.toml";
/// The list as a page.
pub const PAGE: &str = "plugin-manager/docs/faults.md";

const HEAD: &str = "\
# Bad inputs and faults

Written by `cargo xtask faults` from `tests/faults.toml`; `cargo xtask tidy` fails when the two differ, when a number
is not listed, when a listed test does not exist, and when a test named after a fault is not listed. The codes are
those the operator, or the record of the event, is given; `–` where the fault changes nothing anyone is told of.
`cargo test --workspace --features forgeone-cli/wasmer-runtime fault` runs them all.

Parts A (1–22) and B (23–54) are besides taken through `install` and `call` on both engines, in
`plugin-manager/src/registry/tests/faults`: of each is expected its code, a record, a home that is as it was, another plugin
that answers, and that the mended package installs.

| | fault | tests | code |
|---|---|---|---|
";

/// Every fault, in the order of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    #[serde(default)]
    pub fault: Vec<Fault>,
}

/// One fault: tested, tested in part, or pending.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub number: u32,
    /// What is done.
    pub title: String,
    /// Tests that show what comes of it.
    #[serde(default)]
    pub tests: Vec<String>,
    /// The codes it ends in.
    #[serde(default)]
    pub codes: Vec<String>,
    /// What of it no test shows, why, and the issue that brings it.
    pub open: Option<String>,
    /// Why there is no test at all, and the issue that brings it.
    pub pending: Option<String>,
}

impl Faults {
    /// The list of this workspace.
    pub fn read(root: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(root.join(LIST)).with_context(|| format!("{LIST} is not there"))?;
        toml::from_str(&text).with_context(|| format!("{LIST} is not valid"))
    }

    /// The page.
    pub fn page(&self) -> String {
        let mut page = HEAD.to_owned();
        for fault in &self.fault {
            let title = fault.title.replace('|', "\\|");
            let tests = fault.tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>();
            let notes = [("open", &fault.open), ("pending", &fault.pending)];
            let notes = notes.iter().filter_map(|(word, note)| Some(format!("*{word}:* {}", note.as_ref()?)));
            let tests = tests.into_iter().chain(notes).collect::<Vec<_>>().join("<br>");
            let codes = match fault.codes.as_slice() {
                [] => "–".to_owned(),
                codes => codes.join(", "),
            };
            let _ = writeln!(page, "| {} | {title} | {tests} | {codes} |", fault.number);
        }
        page
    }
}

/// `cargo xtask faults`: writes the page.
pub fn run() -> Result<()> {
    let root = root()?;
    let faults = Faults::read(&root)?;
    std::fs::write(root.join(PAGE), faults.page()).with_context(|| format!("{PAGE} cannot be written"))?;
    let count = |chosen: fn(&Fault) -> bool| faults.fault.iter().filter(|fault| chosen(fault)).count();
    println!(
        "{PAGE}: {} faults, {} tested, {} of them in part, {} pending",
        faults.fault.len(),
        count(|fault| fault.pending.is_none()),
        count(|fault| fault.open.is_some()),
        count(|fault| fault.pending.is_some())
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_row_of_the_page() {
        let text = r#"
            [[fault]]
            number = 1
            title = "`a|b`"
            tests = ["fault_001_x", "fault_001_y"]
            codes = ["E1003", "E1004"]
            open = "z: issue 9"
            [[fault]]
            number = 2
            title = "c"
            pending = "issue 9"
        "#;
        let faults: Faults = toml::from_str(text).unwrap();
        let page = faults.page();
        let rows: Vec<&str> = page.lines().skip_while(|line| !line.starts_with("|---")).skip(1).collect();
        assert_eq!(
            rows,
            [
                "| 1 | `a\\|b` | `fault_001_x`<br>`fault_001_y`<br>*open:* z: issue 9 | E1003, E1004 |",
                "| 2 | c | *pending:* issue 9 | – |"
            ]
        );
        assert!(toml::from_str::<Faults>("[[fault]]\nnumber = 1\ntitle = \"a\"\ntest = \"b\"").is_err());
    }
}
