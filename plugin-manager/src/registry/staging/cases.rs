//! `assets/tests/*.json` of a package as its author's tests: read strictly, bounded, by file name and then in their order.

use super::error::StagingError;
use crate::loader::Package;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Where a package has its tests.
pub(super) const FOLDER: &str = "assets/tests/";
/// Bytes of one file of tests at most.
pub(super) const MAX_FILE: usize = 1 << 20;
/// Tests of one package at most.
pub(super) const MAX_TESTS: usize = 1000;
/// Characters of a test's name at most.
const MAX_NAME: usize = 120;

/// One call, and what must come of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub file: String,
    pub name: String,
    pub operation: String,
    pub settings: Settings,
    pub input: Vec<u8>,
    pub expect: Expect,
    /// Whether it may be repeated.
    pub soak: bool,
}

/// What the operator's configuration is to say while a test runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub config: BTreeMap<String, String>,
    pub env: BTreeMap<String, String>,
}

/// What must come of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expect {
    /// What the operation returns.
    pub status: i32,
    /// What it writes; anything when `None`.
    pub output: Option<Output>,
    /// What stands in the text it gives to `fail`.
    pub failure: Option<String>,
    /// How many of its host calls are denied.
    pub denials: u64,
}

/// What an output must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A JSON document of this value, however it is written.
    Json(Value),
    /// Text with this in it.
    Contains(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    tests: Vec<RawCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    operation: String,
    #[serde(default)]
    config: BTreeMap<String, String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    input: Option<RawInput>,
    #[serde(default)]
    expect: RawExpect,
    #[serde(default = "yes")]
    soak: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawInput {
    Text(String),
    Base64(String),
    Json(Value),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawExpect {
    status: i32,
    output: Option<RawOutput>,
    failure: Option<String>,
    denials: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawOutput {
    Text(String),
    Base64(String),
    Json(Value),
    Contains(String),
}

/// The tests of a package.
///
/// # Errors
/// E1018 for the first that cannot be run as it is written; when there are none, or too many.
pub(super) fn of(package: &Package) -> Result<Vec<Case>, StagingError> {
    let operations: BTreeSet<&str> =
        package.manifest().operations.iter().map(|op| op.name.as_str()).collect();
    let mut cases = Vec::new();
    let files = package.contents().filter(|(name, _)| name.starts_with(FOLDER) && name.ends_with(".json"));
    for (name, file) in files {
        if file.bytes().len() > MAX_FILE {
            return Err(StagingError::Large(name.to_owned()));
        }
        let raw: RawFile = serde_json::from_slice(file.bytes())
            .map_err(|source| StagingError::Format { file: name.to_owned(), source })?;
        if cases.len() + raw.tests.len() > MAX_TESTS {
            return Err(StagingError::Many);
        }
        let mut names = BTreeSet::new();
        for test in raw.tests {
            let refused = |test: &str, problem: String| StagingError::Test {
                file: name.to_owned(),
                test: test.chars().take(MAX_NAME).collect(),
                problem,
            };
            let named = test.name.clone();
            let case = case(name, test, &operations).map_err(|problem| refused(&named, problem))?;
            if !names.insert(case.name.clone()) {
                return Err(refused(&named, "is there twice".to_owned()));
            }
            cases.push(case);
        }
    }
    match cases.is_empty() {
        true => Err(StagingError::NoTests),
        false => Ok(cases),
    }
}

fn case(file: &str, raw: RawCase, operations: &BTreeSet<&str>) -> Result<Case, String> {
    if raw.name.is_empty() || raw.name.chars().count() > MAX_NAME || raw.name.contains(char::is_control) {
        return Err(format!(
            "must have a name of 1 to {MAX_NAME} characters, none of them a control character"
        ));
    }
    if !operations.contains(raw.operation.as_str()) {
        return Err(format!("calls \"{}\", which the manifest does not declare", raw.operation));
    }
    let expect = expect(raw.expect)?;
    let input = match raw.input {
        None => Vec::new(),
        Some(RawInput::Text(text)) => text.into_bytes(),
        Some(RawInput::Base64(text)) => bytes(&text)?,
        Some(RawInput::Json(value)) => value.to_string().into_bytes(),
    };
    let settings = Settings { config: raw.config, env: raw.env };
    let file = file.to_owned();
    Ok(Case { file, name: raw.name, operation: raw.operation, settings, input, expect, soak: raw.soak })
}

fn expect(raw: RawExpect) -> Result<Expect, String> {
    if raw.status != 0 && raw.output.is_some() {
        return Err("expects an output, which is discarded where the status is not 0".to_owned());
    }
    if raw.status == 0 && raw.failure.is_some() {
        return Err("expects a failure, which is given only where the status is not 0".to_owned());
    }
    let output = match raw.output {
        None => None,
        Some(RawOutput::Text(text)) => Some(Output::Bytes(text.into_bytes())),
        Some(RawOutput::Base64(text)) => Some(Output::Bytes(bytes(&text)?)),
        Some(RawOutput::Json(value)) => Some(Output::Json(value)),
        Some(RawOutput::Contains(text)) => Some(Output::Contains(text)),
    };
    Ok(Expect { status: raw.status, output, failure: raw.failure, denials: raw.denials })
}

fn bytes(base64: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(base64).map_err(|e| format!("has base64 that is none: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::testing::{TOML, WAT, wasm};
    use crate::loader::{Asset, PackageLimits, Source, pack};
    use common::error::Coded;
    use proptest::prelude::*;

    fn with(files: &[(&str, &str)]) -> Result<Vec<Case>, StagingError> {
        let asset = |(name, text): &(&str, &str)| Asset {
            name: format!("assets/{name}"),
            bytes: text.as_bytes().to_vec(),
        };
        let assets: Vec<Asset> = files.iter().map(asset).collect();
        let module = wasm(WAT);
        let source = Source { plugin_toml: TOML, publisher: None, module: &module, assets: &assets };
        let limits = PackageLimits::default();
        of(&Package::load(&pack(&source, &limits).unwrap(), &limits).unwrap())
    }

    fn one(test: &str) -> Result<Case, StagingError> {
        let file = format!("{{\"tests\": [{test}]}}");
        with(&[("tests/a.json", &file)]).map(|mut cases| cases.remove(0))
    }

    #[test]
    fn a_test_is_read_with_its_defaults_and_in_full() {
        let least = one(r#"{"name": "n", "operation": "greet"}"#).unwrap();
        let expect = Expect { status: 0, output: None, failure: None, denials: 0 };
        assert_eq!((least.input.len(), &least.expect, least.soak), (0, &expect, true));
        let full = one(
            r#"{"name": "n", "operation": "greet", "config": {"a": "b"}, "env": {"C": "d"}, "soak": false,
                "input": {"base64": "AAE="}, "expect": {"status": 3, "failure": "no", "denials": 2}}"#,
        )
        .unwrap();
        assert_eq!(full.input, [0, 1]);
        assert_eq!((full.expect.status, full.expect.denials, full.soak), (3, 2, false));
        assert_eq!((full.settings.config["a"].as_str(), full.settings.env["C"].as_str()), ("b", "d"));
        let json =
            one(r#"{"name": "n", "operation": "greet", "input": {"json": [1, {"a": null}]}}"#).unwrap();
        assert_eq!(json.input, br#"[1,{"a":null}]"#);
    }

    #[test]
    fn files_are_taken_by_name_and_others_are_no_tests() {
        let test = |name: &str| format!(r#"{{"tests": [{{"name": "{name}", "operation": "greet"}}]}}"#);
        let cases = with(&[
            ("tests/b.json", &test("second")),
            ("tests/a.json", &test("first")),
            ("tests/note.txt", "no test"),
            ("other.json", "no test"),
        ])
        .unwrap();
        let names: Vec<&str> = cases.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
    }

    #[test]
    fn what_is_no_list_of_tests_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"name": "n"}"#,
            r#"{"name": "n", "operation": "greet", "input": {"text": "a", "json": 1}}"#,
            r#"{"name": "n", "operation": "greet", "input": {"hex": "00"}}"#,
            r#"{"name": "n", "operation": "greet", "expects": {}}"#,
            r#"{"name": "n", "operation": "greet", "expect": {"statsu": 1}}"#,
            r#"{"name": "", "operation": "greet"}"#,
            r#"{"name": "n", "operation": "goodbye"}"#,
            r#"{"name": "n", "operation": "greet", "input": {"base64": "?"}}"#,
            r#"{"name": "n", "operation": "greet", "expect": {"status": 1, "output": {"text": ""}}}"#,
            r#"{"name": "n", "operation": "greet", "expect": {"failure": "why"}}"#,
            r#"{"name": "n", "operation": "greet"}, {"name": "n", "operation": "greet"}"#,
        ] {
            assert_eq!(one(bad).unwrap_err().code().id, "E1018", "{bad}");
        }
        assert!(matches!(with(&[]), Err(StagingError::NoTests)));
    }

    #[test]
    fn tests_are_bounded_in_number_and_size() {
        let test = |i: usize| format!(r#"{{"name": "{i}", "operation": "greet"}}"#);
        let file =
            |tests: usize| format!("{{\"tests\": [{}]}}", (0..tests).map(test).collect::<Vec<_>>().join(","));
        assert_eq!(with(&[("tests/a.json", &file(MAX_TESTS))]).unwrap().len(), MAX_TESTS);
        let more = with(&[("tests/a.json", &file(MAX_TESTS)), ("tests/b.json", &file(1))]);
        assert!(matches!(more, Err(StagingError::Many)));
        // Text that does not shrink so far that the package would be refused for that.
        let noise =
            |i: usize| char::from(b'a' + u8::try_from(i.wrapping_mul(2_654_435_761) >> 9 & 15).unwrap());
        let large = file(1) + &(0..MAX_FILE).map(noise).collect::<String>();
        assert!(matches!(with(&[("tests/a.json", &large)]), Err(StagingError::Large(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[\\[\\]{}\":,a-z0-9]{0,60}") {
            drop(one(&text));
        }
    }
}
