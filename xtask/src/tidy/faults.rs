//! Each fault has its tests or the reason it has none; each test named after a fault is listed; the page is current.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Finding;
use super::source::{Source, tokens};
use crate::faults::{Fault, Faults, LIST, PAGE};

/// How many faults there are.
const LAST: u32 = 112;
/// Where the codes are.
const CODES: &str = "common/src/error/table.rs";

/// The list against the sources, and the page against the list.
pub fn check(root: &Path, sources: &[Source]) -> Vec<Finding> {
    let faults = match Faults::read(root) {
        Ok(faults) => faults,
        Err(error) => return vec![Finding::new(LIST, 0, format!("{error:#}"))],
    };
    let mut findings = check_list(&faults.fault, sources);
    if std::fs::read_to_string(root.join(PAGE)).ok() != Some(faults.page()) {
        findings.push(Finding::new(PAGE, 0, "does not say what the list says: run `cargo xtask faults`"));
    }
    findings
}

fn check_list(faults: &[Fault], sources: &[Source]) -> Vec<Finding> {
    let functions = functions(sources);
    let codes = sources.iter().find(|source| source.path == CODES).map_or("", |source| &source.code);
    let codes: BTreeSet<&str> = tokens(codes).into_iter().map(|token| token.text).collect();
    let mut whats = Vec::new();
    let mut listed: BTreeMap<u32, &Fault> = BTreeMap::new();
    for fault in faults {
        let number = fault.number;
        if !(1..=LAST).contains(&number) || listed.insert(number, fault).is_some() {
            whats.push(format!("fault {number} does not exist or is listed twice"));
        }
        whats.extend(check_fault(fault, &functions, &codes));
    }
    let missing = (1..=LAST).filter(|number| !listed.contains_key(number));
    whats.extend(missing.map(|number| format!("fault {number} is not listed")));
    for (name, number) in functions.iter().flat_map(|name| numbers(name).into_iter().map(move |n| (name, n)))
    {
        let known = listed.get(&number).is_some_and(|fault| fault.tests.iter().any(|test| test == name));
        if !known {
            whats.push(format!("the test {name} is not listed under fault {number}"));
        }
    }
    whats.into_iter().map(|what| Finding::new(LIST, 0, what)).collect()
}

/// One entry by itself.
fn check_fault(fault: &Fault, functions: &BTreeSet<&str>, codes: &BTreeSet<&str>) -> Vec<String> {
    let number = fault.number;
    let mut whats = Vec::new();
    let reason = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains("issue "));
    match (fault.tests.is_empty(), &fault.pending) {
        (true, None) => whats.push(format!("fault {number} has neither tests nor a reason to be pending")),
        (false, Some(_)) => whats.push(format!("fault {number} has tests and is pending")),
        (true, Some(_)) if !reason(&fault.pending) || fault.open.is_some() => {
            whats.push(format!("fault {number} is pending without naming the issue that brings it"));
        }
        _ => {}
    }
    if fault.open.is_some() && !reason(&fault.open) {
        whats.push(format!("fault {number} is open in part without naming the issue that brings the rest"));
    }
    for test in &fault.tests {
        if !functions.contains(test.as_str()) || !numbers(test).contains(&number) {
            whats.push(format!("there is no test {test} for fault {number}"));
        }
    }
    let unknown = fault.codes.iter().filter(|code| !codes.contains(code.as_str()));
    whats.extend(unknown.map(|code| format!("fault {number} ends in {code}, which is no code")));
    whats
}

/// The functions whose names begin with `fault_` and a number.
fn functions(sources: &[Source]) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for source in sources.iter().filter(|source| source.code.contains("fault_")) {
        let words = tokens(&source.code);
        let names = words.iter().zip(words.iter().skip(1));
        let names = names.filter(|(word, name)| word.text == "fn" && !numbers(name.text).is_empty());
        found.extend(names.map(|(_, name)| name.text));
    }
    found
}

/// The faults a test is named after: `fault_029_and_030_large_beginnings` after two.
fn numbers(name: &str) -> Vec<u32> {
    let Some(rest) = name.strip_prefix("fault_") else { return Vec::new() };
    let words = rest.split('_').filter(|word| *word != "and");
    let numbers = words.map_while(|word| if word.len() == 3 { word.parse().ok() } else { None });
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let code =
            "fn fault_001_x() {} fn fault_002_and_003_y() {} // fn fault_004_z() {}\nfn fault_in_none() {}";
        vec![
            Source::new("tests/it/a.rs", code.into()),
            Source::new(CODES, "table! { E1003 Refused \"E1004\" }".into()),
        ]
    }

    fn tested(number: u32, test: &str) -> Fault {
        Fault { number, title: "t".into(), tests: vec![test.into()], ..Fault::default() }
    }

    fn good() -> Vec<Fault> {
        let pending = Some("issue 9 brings it".to_owned());
        let mut faults: Vec<Fault> =
            (1..=LAST).map(|number| Fault { number, pending: pending.clone(), ..Fault::default() }).collect();
        faults[0] = tested(1, "fault_001_x");
        faults[1] = tested(2, "fault_002_and_003_y");
        faults[2] = tested(3, "fault_002_and_003_y");
        faults
    }

    /// The findings once the list is bent.
    #[track_caller]
    fn finds(bend: impl FnOnce(&mut Vec<Fault>), whats: &[&str]) {
        let mut faults = good();
        bend(&mut faults);
        let found = check_list(&faults, &sources());
        let found: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(found, whats);
    }

    #[test]
    fn a_complete_list_holds() {
        finds(|_| {}, &[]);
        finds(|f| f[0].codes.push("E1003".into()), &[]);
        finds(|f| f[0].open = Some("the rest: issue 9".into()), &[]);
    }

    #[test]
    fn a_fault_that_is_unlisted_twice_listed_or_unheard_of_is_found() {
        finds(|f| drop(f.remove(6)), &["fault 7 is not listed"]);
        finds(|f| f.push(f[6].clone()), &["fault 7 does not exist or is listed twice"]);
        let beyond = Fault { number: 113, ..good()[6].clone() };
        finds(|f| f.push(beyond), &["fault 113 does not exist or is listed twice"]);
    }

    #[test]
    fn a_listed_test_that_does_not_exist_is_found() {
        finds(|f| f[6] = tested(7, "fault_007_absent"), &["there is no test fault_007_absent for fault 7"]);
        finds(|f| f[3] = tested(4, "fault_004_z"), &["there is no test fault_004_z for fault 4"]);
        finds(|f| f[6] = tested(7, "fault_001_x"), &["there is no test fault_001_x for fault 7"]);
    }

    #[test]
    fn a_fault_with_tests_is_not_pending_and_one_without_has_a_reason() {
        finds(|f| f[0].pending = Some("issue 9".into()), &["fault 1 has tests and is pending"]);
        finds(|f| f[6].pending = None, &["fault 7 has neither tests nor a reason to be pending"]);
        let unnamed = "fault 7 is pending without naming the issue that brings it";
        finds(|f| f[6].pending = Some("some day".into()), &[unnamed]);
        let open = "fault 1 is open in part without naming the issue that brings the rest";
        finds(|f| f[0].open = Some("some".into()), &[open]);
    }

    #[test]
    fn a_test_named_after_a_fault_that_does_not_list_it_is_found() {
        let unlisted = "the test fault_002_and_003_y is not listed under fault 3";
        finds(
            |f| f[2] = f[3].clone(),
            &["fault 4 does not exist or is listed twice", "fault 3 is not listed", unlisted],
        );
        finds(|f| f[2] = Fault { number: 3, ..f[3].clone() }, &[unlisted]);
    }

    #[test]
    fn a_code_that_does_not_exist_is_found() {
        for code in ["E1004", "e1003", ""] {
            finds(|f| f[0].codes.push(code.into()), &[&format!("fault 1 ends in {code}, which is no code")]);
        }
    }

    #[test]
    fn names_begin_with_their_numbers() {
        assert_eq!(numbers("fault_036_037_wild"), [36, 37]);
        assert_eq!(numbers("fault_029_and_030_large"), [29, 30]);
        assert_eq!(numbers("fault_1_x"), [0_u32; 0]);
        assert_eq!(numbers("a_fault_001"), [0_u32; 0]);
    }
}
