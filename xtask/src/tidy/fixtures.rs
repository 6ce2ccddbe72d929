//! Fixtures and faults: each fixture is named by a test, each fault has its test or the reason it has none yet.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::Finding;
use super::source::{Source, tokens};

/// The list of faults: `[tests]` with `13 = "fault_013_pax_path_override"`, `[pending]` with `14 = "reason"`.
const FAULTS: &str = "tests/faults.toml";
/// How many faults there are.
const LAST_FAULT: u32 = 112;
const FIXTURES: &str = "tests/fixtures";

/// Both lists against the sources.
pub fn check(root: &Path, sources: &[Source]) -> Result<Vec<Finding>> {
    let mut findings = match std::fs::read_to_string(root.join(FAULTS)) {
        Ok(list) => check_faults(&list, sources),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
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

fn check_faults(list: &str, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut listed: BTreeMap<u32, usize> = BTreeMap::new();
    let mut section = "";
    for (index, line) in list.lines().enumerate() {
        let mut find = |what: String| findings.push(Finding::new(FAULTS, index + 1, what));
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "[tests]" || line == "[pending]" {
            section = line;
            continue;
        }
        let Some((number, value)) = entry(line) else {
            find("not `number = \"text\"`".into());
            continue;
        };
        if !(1..=LAST_FAULT).contains(&number) || listed.insert(number, index).is_some() {
            find(format!("fault {number} does not exist or is listed twice"));
        }
        match section {
            "[tests]" if is_function(value, sources) && value.starts_with(&format!("fault_{number:03}_")) => {
            }
            "[tests]" => find(format!("there is no test {value} for fault {number}")),
            "[pending]" if !value.trim().is_empty() => {}
            _ => find("stands neither under [tests] nor, with a reason, under [pending]".into()),
        }
    }
    let missing = (1..=LAST_FAULT).filter(|number| !listed.contains_key(number));
    findings.extend(missing.map(|number| Finding::new(FAULTS, 0, format!("fault {number} is not listed"))));
    findings
}

fn entry(line: &str) -> Option<(u32, &str)> {
    let (number, value) = line.split_once('=')?;
    let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
    Some((number.trim().parse().ok()?, value))
}

fn is_function(name: &str, sources: &[Source]) -> bool {
    sources.iter().filter(|source| source.text.contains(name)).any(|source| {
        let words = tokens(&source.code);
        words.iter().zip(words.iter().skip(1)).any(|(word, next)| word.text == "fn" && next.text == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        vec![Source::new(
            "tests/it/a.rs",
            "fn fault_001_x() { open(\"bad.wat\"); } // fn fault_002_y() {}".into(),
        )]
    }

    fn all_but(skip: u32, first: &str) -> String {
        let rest =
            (2..=LAST_FAULT).filter(|n| *n != skip).map(|n| format!("{n} = \"later\"\n")).collect::<String>();
        format!("[tests]\n1 = \"{first}\"\n[pending]\n{rest}")
    }

    #[test]
    fn a_complete_list_holds() {
        assert_eq!(check_faults(&all_but(0, "fault_001_x"), &sources()), []);
    }

    #[test]
    fn unlisted_faults_and_tests_that_do_not_exist_are_found() {
        let missing = check_faults(&all_but(7, "fault_001_x"), &sources());
        assert_eq!(missing, [Finding::new(FAULTS, 0, "fault 7 is not listed")]);
        for name in ["fault_001_y", "fault_002_y", "x"] {
            assert_eq!(check_faults(&all_but(0, name), &sources()).len(), 1, "{name}");
        }
    }

    #[test]
    fn entries_out_of_place_are_found() {
        for extra in ["1 = \"again\"", "500 = \"no such\"", "5 =", "x = \"y\"", "2 = \"\""] {
            let list = format!("{}{extra}\n", all_but(2, "fault_001_x"));
            assert!(!check_faults(&list, &sources()).is_empty(), "{extra}");
        }
        assert!(!check_faults("1 = \"before any section\"", &sources()).is_empty());
    }

    #[test]
    fn a_fixture_no_test_names_is_found() {
        assert_eq!(check_fixture("bad.wat", &sources()), None);
        assert!(check_fixture("other.wat", &sources()).is_some());
    }
}
