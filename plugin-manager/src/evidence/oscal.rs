//! OSCAL 1.1: assessment results with an observation for each figure and a finding where a figure should be zero, and
//! a component definition.

use super::bundle::{Covered, Request};
use super::counting::{Counted, Counting};
use super::framework::Control;
use super::ids::uuid;
use serde_json::{Value, json};

const VERSION: &str = "1.1.3";
const NS: &str = "https://forgeone.dev/ns/oscal";

/// Who writes, about what, in which version.
fn metadata(title: &str, covered: &Covered) -> Value {
    json!({
        "title": title, "last-modified": covered.as_of, "version": covered.records.to_string(),
        "oscal-version": VERSION,
        "remarks": "Computed from the audit log of a ForgeOne host. last-modified is the time of the last record that was counted; version is the number of records under the checkpoint.",
    })
}

/// The assessment results.
pub(super) fn results(
    counting: &Counting,
    request: &Request,
    covered: &Covered,
    hashes: &[(String, String)],
) -> Value {
    let id = |name: &str| uuid(&covered.root, &format!("{}/{name}", request.framework));
    let resources: Vec<Value> = hashes
        .iter()
        .map(|(name, sha256)| {
            json!({ "uuid": id(name), "title": name,
                "rlinks": [{ "href": name, "hashes": [{ "algorithm": "SHA-256", "value": sha256 }] }] })
        })
        .collect();
    let evidence = format!("#{}", id("figures.csv"));
    let observations: Vec<Value> =
        counting.figures.iter().map(|c| observation(c, &id, covered, &evidence)).collect();
    let findings: Vec<Value> =
        request.framework.controls().iter().filter_map(|c| finding(c, counting, &id)).collect();
    let controls: Vec<Value> =
        request.framework.controls().iter().map(|c| json!({ "control-id": c.token })).collect();
    let (start, end) =
        counting.span.clone().unwrap_or_else(|| (covered.as_of.clone(), covered.as_of.clone()));
    let mut result = json!({
        "uuid": id("result"), "title": format!("Figures for {}", request.framework.title()),
        "description": "Counted from every record of the audit log in the span that the checkpoint covers. Whether a control is met is for the assessor to say.",
        "start": start, "end": end,
        "props": [
            { "name": "checkpoint-records", "ns": NS, "value": covered.records.to_string() },
            { "name": "checkpoint-root", "ns": NS, "value": covered.root },
            { "name": "log-origin", "ns": NS, "value": covered.origin },
        ],
        "reviewed-controls": { "control-selections": [{ "include-controls": controls }] },
        "observations": observations,
    });
    if let Some(result) = result.as_object_mut().filter(|_| !findings.is_empty()) {
        result.insert("findings".to_owned(), Value::Array(findings));
    }
    json!({ "assessment-results": {
        "uuid": id("assessment-results"),
        "metadata": metadata(&format!("ForgeOne evidence for {}", request.framework.title()), covered),
        "import-ap": { "href": format!("#{}", id("figures.csv")), "remarks": "There is no assessment plan: the figures and their queries are in figures.csv." },
        "results": [result],
        "back-matter": { "resources": resources },
    }})
}

fn observation(counted: &Counted, id: &dyn Fn(&str) -> String, covered: &Covered, evidence: &str) -> Value {
    json!({
        "uuid": id(counted.figure.id), "title": counted.figure.title,
        "description": format!("{}: {}. Query: {}", counted.figure.title, counted.value, counted.figure.query_text()),
        "methods": ["EXAMINE"], "collected": covered.as_of,
        "props": [
            { "name": "figure", "ns": NS, "value": counted.figure.id },
            { "name": "value", "ns": NS, "value": counted.value.to_string() },
        ],
        "relevant-evidence": [{ "href": evidence, "description": "The figure with its query." }],
    })
}

/// A finding for a control with figures that should be zero.
fn finding(control: &Control, counting: &Counting, id: &dyn Fn(&str) -> String) -> Option<Value> {
    let wanted: Vec<&Counted> = control
        .figures
        .iter()
        .filter_map(|figure| counting.of(figure))
        .filter(|counted| counted.figure.wants_zero)
        .collect();
    if wanted.is_empty() {
        return None;
    }
    let told: Vec<String> = wanted.iter().map(|c| format!("{}: {}", c.figure.title, c.value)).collect();
    let state = if wanted.iter().all(|c| c.value == 0) { "satisfied" } else { "not-satisfied" };
    let related: Vec<Value> = wanted.iter().map(|c| json!({ "observation-uuid": id(c.figure.id) })).collect();
    Some(json!({
        "uuid": id(control.id), "title": format!("{}: {}", control.id, control.title),
        "description": told.join("; "),
        "target": { "type": "objective-id", "target-id": control.token, "status": { "state": state,
            "remarks": "Of these figures alone: satisfied means that each is zero." } },
        "related-observations": related,
    }))
}

/// What this software does for which control.
pub(super) fn component(request: &Request, covered: &Covered) -> Value {
    let id = |name: &str| uuid(&covered.root, &format!("{}/component/{name}", request.framework));
    let requirements: Vec<Value> = request
        .framework
        .controls()
        .iter()
        .map(|control| {
            let figures = if control.figures.is_empty() {
                "Records carry the host's clock and a clock that only grows; no figure is counted.".to_owned()
            } else {
                format!("Figures that speak to it: {}.", control.figures.join(", "))
            };
            json!({ "uuid": id(control.id), "control-id": control.token,
                "description": format!("{}. {figures}", control.title) })
        })
        .collect();
    json!({ "component-definition": {
        "uuid": id("definition"),
        "metadata": metadata("ForgeOne Plugin Manager as a component", covered),
        "components": [{
            "uuid": id("component"), "type": "software", "title": "ForgeOne Plugin Manager",
            "description": "A host for signed WebAssembly plugins that proves packages, grants permissions and records actions in a tamper-evident log.",
            "props": [{ "name": "version", "value": env!("CARGO_PKG_VERSION") }],
            "control-implementations": [{
                "uuid": id("implementation"), "source": format!("{NS}/{}", request.framework),
                "description": format!("What it does towards {}. It supports an organisation in meeting these; it does not meet them by itself.", request.framework.title()),
                "implemented-requirements": requirements,
            }],
        }],
    }})
}
