//! A small log with known counts: every document says them, and nothing in a document acts.

use super::*;
use crate::export::Event;
use serde_json::{Value, json};

const DIGEST: &str = "sha256:aa";

fn record(seq: u64, t: &str, type_: &str, action: &str, more: Value) -> Event {
    let mut record = json!({
        "v": 1, "seq": seq, "t": t, "node": "n1", "boot": "b", "type": type_, "outcome": "ok", "mono_ns": 0,
        "actor": { "user": "ann" }, "action": action, "resource": { "kind": "plugin", "name": "good" }, "prev": "",
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    Event::parse(seq, &record.to_string()).unwrap()
}

fn call(seq: u64, t: &str, digest: &str, n: Option<u64>) -> Event {
    let actor =
        json!({ "plugin": "good", "version": "1", "digest": digest, "publisher": "acme", "instance": 0 });
    let mut more = json!({ "actor": actor, "resource": { "kind": "operation", "name": "" } });
    if let Some(n) = n {
        more["n"] = n.into();
    }
    record(seq, t, "host_call", "call:hello", more)
}

fn story() -> Vec<Event> {
    let (one, two) = ("2026-11-20T10:00:00.000Z", "2026-11-21T10:00:00.000Z");
    let details = |d: Value| json!({ "details": d });
    let plugin = json!({ "plugin": "good", "publisher": "<acme>", "digest": DIGEST });
    vec![
        record(0, one, "management", "open", details(json!({ "weakened": "" }))),
        record(1, one, "management", "install", details(json!({ "manifest": DIGEST }))),
        call(2, one, DIGEST, None),
        call(3, two, DIGEST, Some(41)),
        call(4, two, "sha256:bb", None),
        record(
            5,
            two,
            "denial",
            "kv_set",
            json!({ "outcome": "denied", "code": "E2002", "actor": plugin,
            "details": { "reason": "=1+1 <script>" }, "resource": { "kind": "key", "name": "" } }),
        ),
        record(6, two, "management", "open", details(json!({ "weakened": "security.verify_signatures" }))),
        call(7, two, DIGEST, Some(2)),
    ]
}

fn covered() -> Covered {
    Covered {
        origin: "n1".into(),
        records: 8,
        root: "cm9vdA==".into(),
        key: "n1+00000000+AQ==".into(),
        checkpoint: "n1\n8\ncm9vdA==\n\n— n1 AAAA\n".into(),
        as_of: "2026-11-21T10:00:00.000Z".into(),
    }
}

fn evidence(framework: Framework, since: Option<u64>) -> Evidence {
    let mut evidence =
        Evidence::new(Request { framework, since, until: None, incident: Some("good".into()) });
    story().iter().for_each(|event| evidence.hear(event));
    evidence
}

fn text(documents: &[Document], name: &str) -> String {
    let found = documents.iter().find(|d| d.name == name).unwrap();
    String::from_utf8(found.bytes.clone()).unwrap()
}

#[test]
fn an_execution_is_attested_when_its_package_was_installed_and_signatures_are_verified() {
    let evidence = evidence(Framework::Soc2, None);
    assert_eq!(evidence.unattested(), 3, "one of another package, two while signatures were not verified");
    let documents = evidence.documents(&covered());
    let figures = text(&documents, "figures.csv");
    assert!(figures.contains("\"executions\",\"Executions of plugin operations\",\"45\""), "{figures}");
    assert!(
        figures
            .contains("\"unattested-executions\",\"Executions without a valid attestation\",\"3\",\"CC6.8\"")
    );
    let series = text(&documents, "series.csv");
    assert!(series.contains(
        "\"executions\",\"day\",\"2026-11-20\",\"1\"\r\n\"executions\",\"day\",\"2026-11-21\",\"44\""
    ));
}

#[test]
fn a_span_counts_its_records_and_knows_what_was_installed_before() {
    let day = crate::export::Selection::moment("2026-11-21").unwrap();
    let evidence = evidence(Framework::Iso27001, Some(day));
    assert_eq!((evidence.records(), evidence.unattested()), (5, 3));
}

#[test]
fn every_figure_is_a_query_that_parses_and_every_control_names_figures_there_are() {
    for figure in &super::figure::ALL {
        assert_eq!(figure.conditions().len(), figure.query.len(), "{}", figure.id);
    }
    for control in Framework::ALL.iter().flat_map(|framework| framework.controls()) {
        assert!(control.figures.iter().all(|id| super::figure::by_id(id).is_some()), "{}", control.id);
    }
}

#[test]
fn the_report_runs_nothing_loads_nothing_and_shows_text_as_text() {
    let documents = evidence(Framework::Gdpr, None).documents(&covered());
    let report = text(&documents, "report.html");
    for forbidden in ["<script", "http://", "https://", "src=", "@import", "url("] {
        assert!(!report.contains(forbidden), "{forbidden}");
    }
    assert!(report.contains("&lt;script&gt;") && report.contains("&lt;acme&gt;"), "{report}");
    assert!(text(&documents, "timeline.csv").contains("\"'=1+1 <script>\""), "no cell is a formula");
    assert!(
        text(&documents, "processing.csv").contains("\"good\",\"<acme>\",\"kv_set\",\"key\",\"1\",\"1\"")
    );
}

#[test]
fn the_sums_list_every_other_file_and_are_the_same_for_the_same_log() {
    let documents = evidence(Framework::Soc2, None).documents(&covered());
    let sums = text(&documents, "SHA256SUMS");
    assert_eq!(sums.lines().count(), documents.len() - 1);
    for document in documents.iter().filter(|d| d.name != "SHA256SUMS") {
        assert!(sums.contains(&format!("{}  {}\n", document.sha256(), document.name)), "{}", document.name);
    }
    assert_eq!(sums, text(&evidence(Framework::Soc2, None).documents(&covered()), "SHA256SUMS"));
}

#[test]
fn a_finding_is_satisfied_when_its_figures_are_zero() {
    let states = |evidence: &Evidence| -> Vec<(String, String)> {
        let results: Value =
            serde_json::from_str(&text(&evidence.documents(&covered()), "assessment-results.json")).unwrap();
        let findings = results["assessment-results"]["results"][0]["findings"].as_array().unwrap().clone();
        let of = |f: &Value| {
            let target = &f["target"];
            (target["target-id"].as_str().unwrap().into(), target["status"]["state"].as_str().unwrap().into())
        };
        findings.iter().map(of).collect()
    };
    let with = states(&evidence(Framework::Soc2, None));
    assert!(with.contains(&("cc6.8".into(), "not-satisfied".into())), "{with:?}");
    let mut whole =
        Evidence::new(Request { framework: Framework::Soc2, since: None, until: None, incident: None });
    story().iter().take(4).for_each(|event| whole.hear(event));
    assert!(states(&whole).iter().all(|(_, state)| state == "satisfied"));
}

#[test]
fn plugins_beyond_those_told_apart_are_counted_together() {
    let mut evidence =
        Evidence::new(Request { framework: Framework::Soc2, since: None, until: None, incident: None });
    for n in 0..4_100 {
        let actor = json!({ "plugin": format!("p{n}"), "digest": DIGEST, "publisher": "acme" });
        evidence.hear(&record(
            n,
            "2026-11-20T10:00:00.000Z",
            "host_call",
            "call:x",
            json!({ "actor": actor }),
        ));
    }
    let series = text(&evidence.documents(&covered()), "series.csv");
    assert!(series.contains("\"executions\",\"plugin\",\"(others)\",\"100\""));
    assert!(series.contains("\"executions\",\"day\",\"2026-11-20\",\"4100\""));
}

/// Five weeks of three plugins: what a report of a host in use has in it.
fn weeks() -> Vec<Event> {
    let mut all = Vec::new();
    let mut add = |t: &str, type_: &str, action: &str, more: Value| {
        let seq = all.len() as u64;
        all.push(record(seq, t, type_, action, more));
    };
    let named = |name: &str| json!({ "kind": "plugin", "name": name });
    let by = |name: &str| json!({ "plugin": name, "version": "1.2.0", "digest": format!("sha256:{name}"), "publisher": "acme", "instance": 1 });
    let plugins = ["log-redactor", "invoice-parser-with-a-long-name", "geo-lookup"];
    add("2026-07-01T08:00:00.000Z", "management", "open", json!({ "details": { "weakened": "" } }));
    for name in plugins {
        let details = json!({ "manifest": format!("sha256:{name}"), "version": "1.2.0" });
        add(
            "2026-07-01T08:01:00.000Z",
            "management",
            "install",
            json!({ "resource": named(name), "details": details }),
        );
    }
    for day in 1..=35_u64 {
        let t = format!("2026-{:02}-{:02}T09:{:02}:07.120Z", 10 + day / 31, 1 + day % 30, day);
        for (at, name) in (1_u64..).zip(plugins) {
            let operation = json!({ "kind": "operation", "name": "" });
            add(
                &t,
                "host_call",
                "call:run",
                json!({ "actor": by(name), "resource": operation, "n": 900 * at + day * 37 }),
            );
            add(
                &t,
                "host_call",
                "kv_set",
                json!({ "actor": by(name), "resource": { "kind": "key", "name": "total" }, "n": 40 * at }),
            );
        }
        if day % 4 == 0 {
            let details = json!({ "reason": "no policy permits it", "missing": "permit(principal == Plugin::\"geo-lookup\", action == \
                Action::\"http_request\", resource == Host::\"collector.example.com:443\");" });
            let host = json!({ "kind": "host", "name": "collector.example.com:443" });
            add(
                &t,
                "denial",
                "http_request",
                json!({ "actor": by("geo-lookup"), "resource": host, "outcome": "denied",
                "code": "E2001", "details": details, "n": day, "decision": { "effect": "deny", "policies": ["net.cedar/no-collectors"] } }),
            );
        }
        if day == 29 {
            add(
                &t,
                "lifecycle",
                "quarantine",
                json!({ "actor": by("geo-lookup"), "resource": named("geo-lookup"),
                "details": { "from": "Running", "to": "Quarantined", "why": "its trust score fell to 180: denied 212 times in a minute" } }),
            );
            add(
                &t,
                "detection",
                "load_code",
                json!({ "actor": { "host": "manager" }, "outcome": "failed", "code": "E1502" }),
            );
        }
    }
    let review = json!({ "resource": named("log-redactor"), "details": { "digest": "sha256:log-redactor", "reviewer": "person-0a1b2c3d4e5f60718293" } });
    add("2026-11-06T10:00:00.000Z", "management", "review", review);
    all
}

#[test]
#[ignore = "run by cargo xtask interop: needs Chromium"]
fn interop_a_browser_draws_and_prints_the_report() {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        std::path::PathBuf::from,
    );
    let dir = target.join("interop/report");
    std::fs::create_dir_all(&dir).unwrap();
    for framework in Framework::ALL {
        let mut evidence = Evidence::new(Request {
            framework,
            since: Some(crate::export::Selection::moment("2026-10-01").unwrap()),
            until: None,
            incident: Some("geo-lookup".into()),
        });
        weeks().iter().for_each(|event| evidence.hear(event));
        let page = dir.join(format!("{framework}.html"));
        std::fs::write(&page, text(&evidence.documents(&covered()), "report.html")).unwrap();
        let profile = tempfile::tempdir().unwrap();
        for (option, name) in [("--screenshot", "png"), ("--print-to-pdf", "pdf")] {
            let drawn = dir.join(format!("{framework}.{name}"));
            let _ = std::fs::remove_file(&drawn);
            let out = std::process::Command::new("chromium")
                .args([
                    "--headless=new",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--hide-scrollbars",
                    "--no-pdf-header-footer",
                ])
                .args(["--window-size=900,4400", "--disable-dev-shm-usage"])
                .arg(format!("--user-data-dir={}", profile.path().display()))
                .arg(format!("{option}={}", drawn.display()))
                .arg(&page)
                .output()
                .expect("chromium");
            let size = std::fs::metadata(&drawn).map_or(0, |meta| meta.len());
            assert!(size > 20_000, "{}: {}", drawn.display(), String::from_utf8_lossy(&out.stderr));
        }
    }
}

#[test]
#[ignore = "run by cargo xtask interop: needs PyPI compliance-trestle"]
fn interop_the_oscal_documents_are_of_their_schema() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop/oscal.py");
    for framework in Framework::ALL {
        let dir = std::env::temp_dir().join(format!("oscal-{}-{framework}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for document in evidence(framework, None).documents(&covered()) {
            std::fs::write(dir.join(&document.name), &document.bytes).unwrap();
        }
        let out = std::process::Command::new("python").arg(script).arg(&dir).output().expect("python");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
