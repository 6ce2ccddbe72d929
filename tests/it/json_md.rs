//! `plugin-manager/docs/json.md` names every field of every snapshot of JSON, with its type, and no other field.

use forgeone_tests::workspace_root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Types by path, such as `plugins[].name`.
type Fields = BTreeMap<String, BTreeSet<String>>;

/// One section of the document: its snapshots, and the fields its table has.
struct Section {
    title: String,
    snapshots: Vec<String>,
    fields: Fields,
}

fn document() -> Vec<Section> {
    let text =
        std::fs::read_to_string(workspace_root().join("plugin-manager/docs/json.md")).expect("json.md");
    text.split("\n## ").skip(1).map(section).collect()
}

fn section(text: &str) -> Section {
    let names = text.lines().find_map(|l| l.strip_prefix("Snapshots: ")).unwrap_or_default();
    let snapshots = names.split(", ").map(|n| n.trim_matches(['`', '.']).to_owned()).collect();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let path = cells.next()?.trim_end_matches('`').to_owned();
        let types = cells.next()?.split(", ").map(str::to_owned).collect();
        assert!(cells.next().is_some_and(|meaning| meaning.len() > 3), "no meaning: {line}");
        Some((path, types))
    };
    Section {
        title: text.lines().next().unwrap_or_default().to_owned(),
        snapshots,
        fields: text.lines().filter_map(row).collect(),
    }
}

/// The value a snapshot of this name holds; nothing for one that is no JSON.
fn snapshot(name: &str) -> Option<Value> {
    let path = workspace_root().join(format!("tests/it/snapshots/{name}.snap"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let body = text.splitn(3, "---\n").nth(2).expect("a body").replace("[NUMBER]", "0");
    serde_json::from_str(&body).ok()
}

fn snapshots() -> Vec<String> {
    let files = std::fs::read_dir(workspace_root().join("tests/it/snapshots")).expect("snapshots");
    let names = files.filter_map(|f| f.ok()?.file_name().to_str()?.strip_suffix(".snap").map(str::to_owned));
    names.collect()
}

/// Collects the fields of a value. Where the document has `PATH.*`, the keys are data and not fields.
fn fields(value: &Value, path: &str, known: &Fields, into: &mut Fields) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    if !path.is_empty() && !path.ends_with("[]") || !value.is_object() {
        into.entry(path.to_owned()).or_default().insert(kind.to_owned());
    }
    match value {
        Value::Object(map) => {
            let data = known.contains_key(&format!("{path}.*"));
            for (key, below) in map {
                let key = if data { "*" } else { key };
                let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                fields(below, &path, known, into);
            }
        }
        Value::Array(list) => list.iter().for_each(|v| fields(v, &format!("{path}[]"), known, into)),
        _ => {}
    }
}

#[test]
fn every_snapshot_of_json_is_documented_in_one_section() {
    let sections = document();
    let mut named: Vec<&String> = sections.iter().flat_map(|s| &s.snapshots).collect();
    named.sort_unstable();
    let mut there: Vec<String> = snapshots().into_iter().filter(|n| snapshot(n).is_some()).collect();
    there.sort_unstable();
    assert_eq!(named, there.iter().collect::<Vec<_>>());
}

#[test]
fn the_fields_and_types_of_each_section_are_those_of_its_snapshots() {
    for section in document() {
        let mut found = Fields::new();
        for name in &section.snapshots {
            fields(&snapshot(name).expect("JSON"), "", &section.fields, &mut found);
        }
        for (path, types) in &found {
            let documented = section.fields.get(path);
            let documented =
                documented.unwrap_or_else(|| panic!("{}: {path} is not documented", section.title));
            assert!(types.is_subset(documented), "{}: {path} is {types:?}", section.title);
        }
        for (path, types) in &section.fields {
            let seen = found.contains_key(path) || types.contains("not always there");
            // An empty list shows no item.
            let empty = path.strip_suffix("[]").is_some_and(|list| found.contains_key(list));
            assert!(seen || empty, "{}: {path} is in no snapshot", section.title);
        }
    }
}
