//! Staging runs: what passes is attested and believed elsewhere, what fails is told and is not, and the home they are
//! made in stays as it was.

use super::trust::Trusting;
use super::{GOOD, Guest, World, asks, code, on_each_engine};
use crate::attestation::trust::{Environment, Requirement};
use crate::keys::IssueRequest;
use crate::runtime::EngineKind;
use crate::{CancelToken, PluginManager, SoakLength, StageReport, StageRequest, verify, with_staging};
use common::crypto::Algorithm;
use common::error::ForgeError;
use common::identity::{Name, Publisher};
use std::time::{Duration, Instant};

on_each_engine! {
    what_passes_is_attested_and_production_believes_it
    a_test_that_ends_otherwise_than_it_says_is_told_and_nothing_is_attested
    a_test_has_the_settings_it_asks_for_and_no_other
    a_soak_finds_what_one_call_does_not
    what_a_package_needs_is_taken_from_what_is_installed
    a_run_that_is_given_up_leaves_nothing
    an_attestation_that_ran_out_stops_nothing_that_runs
}

const STAGING: &str = r#"{"tests": [{"name": "echoes", "operation": "echo", "input": {"text": "hi"},
    "expect": {"output": {"text": "hi"}}}]}"#;

fn tested(name: &str) -> Guest {
    Guest::new(name).asset("tests/a.json", STAGING)
}

fn request(calls: u64) -> StageRequest {
    StageRequest { soak: SoakLength::Calls(calls), stager: None }
}

fn tried(host: &PluginManager, package: &[u8], calls: u64) -> Result<StageReport, ForgeError> {
    host.stage(package, &request(calls), &CancelToken::new())
}

fn problems(report: &StageReport) -> Vec<String> {
    assert_eq!(code(report.verdict()), "E5031");
    report.verdict().unwrap_err().reasons().to_vec()
}

/// A staging home with the signer `qa`, who stages.
fn staging(engine: EngineKind) -> Trusting {
    let home = Trusting::new(engine);
    let request = IssueRequest {
        publisher: Publisher::new("qa").unwrap(),
        algorithm: Algorithm::EcdsaP256Sha256,
        days: 10,
        development: false,
        packages: vec![],
    };
    home.ring().issue_signer(&request, &[Name::new("staging").unwrap()]).unwrap();
    home
}

/// A production home with the trust of this one, that requires staging.
fn production(of: &Trusting) -> World {
    let production = World::configured("  environment: production\n");
    std::fs::create_dir_all(production.path("trust/roots")).unwrap();
    for file in ["trust/trust.toml", "trust/roots/root.pem"] {
        std::fs::copy(of.world.path(file), production.path(file)).unwrap();
    }
    production
}

fn judged(home: &World, package: &[u8]) -> Result<(), ForgeError> {
    verify(&home.path(""), None, package).map(drop)
}

fn what_passes_is_attested_and_production_believes_it(engine: EngineKind) {
    let home = staging(engine);
    // The same trust serves both: a staging home does not demand what it is to attest.
    home.change(|trust| {
        trust.require.insert(Requirement::Staging);
    });
    let production = production(&home);
    let package = home.signed(&tested("a"));
    assert_eq!(code(judged(&production, &package)), "E1405");
    let host = home.world.open();
    let stager = host.stager(None).unwrap();
    let request = StageRequest { soak: SoakLength::Calls(50), stager: Some(stager) };
    let report = host.stage(&package, &request, &CancelToken::new()).unwrap();
    report.verdict().unwrap();
    assert_eq!((report.name.as_str(), report.engine.as_str()), ("a", engine.name()));
    assert_eq!(report.stager.as_deref(), Some("forgeone://root/qa"));
    let soak = report.soak.as_ref().unwrap();
    assert_eq!((soak.calls, soak.failures, soak.traps, soak.denials), (50, 0, 0, 0));
    assert!(soak.p50 > Duration::ZERO && soak.p50 <= soak.p99);
    let attested = with_staging(&package, report.attestation.as_ref().unwrap()).unwrap();
    judged(&production, &attested).unwrap();
    // It is of this package alone.
    let other = home.signed(&tested("a").version("1.0.1"));
    let moved = with_staging(&other, report.attestation.as_ref().unwrap()).unwrap();
    assert_eq!(code(judged(&production, &moved)), "E1405");
    // Nothing was installed here, and the run's home is gone; the log says what was done.
    assert!(host.list().unwrap().is_empty());
    assert!(!home.world.path("tmp/staging/stage").exists());
    for verdict in ["begun", "passed"] {
        let parts = ["\"action\":\"stage\"", &format!("\"verdict\":\"{verdict}\""), "\"name\":\"a\""];
        assert_eq!(home.world.recorded(&host, &parts), 1, "{verdict}");
    }
}

fn a_test_that_ends_otherwise_than_it_says_is_told_and_nothing_is_attested(engine: EngineKind) {
    let home = staging(engine);
    let host = home.world.open();
    let tests = r#"{"tests": [
        {"name": "good", "operation": "fail", "expect": {"status": 3, "failure": "no way"}},
        {"name": "json", "operation": "echo", "input": {"json": {"b": 1, "a": [2]}},
         "expect": {"output": {"json": {"a": [2], "b": 1}}}},
        {"name": "part", "operation": "echo", "input": {"text": "hello"}, "expect": {"output": {"contains": "ell"}}},
        {"name": "output", "operation": "echo", "input": {"text": "hi"}, "expect": {"output": {"text": "ho"}}},
        {"name": "status", "operation": "fail"},
        {"name": "why", "operation": "fail", "expect": {"status": 3, "failure": "other"}},
        {"name": "trap", "operation": "trap"},
        {"name": "denied", "operation": "ask"},
        {"name": "denied as it says", "operation": "ask", "expect": {"denials": 1}}
    ]}"#;
    let body = format!(
        "{GOOD} {} (func (export \"ask\") (param i32) (result i32) (drop (call $ask)) i32.const 0)",
        asks("nobody")
    );
    let guest = Guest::new("bad").body(&body).operation("ask").asset("tests/a.json", tests);
    let stager = host.stager(None).unwrap();
    let request = StageRequest { soak: SoakLength::Calls(10), stager: Some(stager) };
    let report = host.stage(&home.signed(&guest), &request, &CancelToken::new()).unwrap();
    assert!(report.attestation.is_none() && report.stager.is_none() && report.soak.is_none());
    let failed: Vec<&str> =
        report.tests.iter().filter(|t| !t.problems.is_empty()).map(|t| t.name.as_str()).collect();
    assert_eq!(failed, ["output", "status", "why", "trap", "denied"]);
    let told = problems(&report);
    for (at, part) in [
        (0, "test \"output\" wrote \"hi\", not \"ho\""),
        (1, "returned 3, not 0: \"no way\""),
        (2, "failed with \"no way\", without \"other\""),
        (3, "did not return: E4001"),
        (4, "was denied 1 host calls, not 0"),
    ] {
        assert!(told[at].contains(part), "{part}: {told:?}");
    }
    assert_eq!(home.world.recorded(&host, &["\"verdict\":\"failed\"", "E5031"]), 1);
}

fn a_test_has_the_settings_it_asks_for_and_no_other(engine: EngineKind) {
    let world = World::development(engine);
    let host = world.open();
    let tests = r#"{"tests": [
        {"name": "set", "operation": "rule", "config": {"rule": "mask"}, "expect": {"output": {"text": "mask"}}, "soak": false},
        {"name": "not set", "operation": "rule", "expect": {"status": -2}}
    ]}"#;
    let report = tried(&host, &Guest::new("a").asset("tests/a.json", tests).package(), 5).unwrap();
    assert_eq!(report.verdict().map_err(|e| e.reasons().to_vec()), Ok(()));
    assert_eq!(report.soak.unwrap().failures, 0);
}

fn a_soak_finds_what_one_call_does_not(engine: EngineKind) {
    let world = World::development(engine);
    let host = world.open();
    let soaked = |operation: &str| {
        let tests = format!(r#"{{"tests": [{{"name": "t", "operation": "{operation}"}}]}}"#);
        let body = format!(
            "{GOOD} (global $n (mut i32) (i32.const 0))
             (func (export \"leak\") (param i32) (result i32) (drop (memory.grow (i32.const 1))) i32.const 0)
             (func (export \"wear\") (param i32) (result i32)
               (global.set $n (i32.add (global.get $n) (i32.const 1)))
               (i32.gt_u (global.get $n) (i32.const 30)))
             (func (export \"break\") (param i32) (result i32)
               (global.set $n (i32.add (global.get $n) (i32.const 1)))
               (if (i32.gt_u (global.get $n) (i32.const 30)) (then unreachable)) i32.const 0)"
        );
        let guest = Guest::new("a").body(&body).asset("tests/a.json", &tests);
        let guest = guest.operation("leak").operation("wear").operation("break");
        tried(&host, &guest.package(), 100).unwrap()
    };
    let leak = problems(&soaked("leak"));
    assert!(leak[0].contains("soak: memory grew from"), "{leak:?}");
    let worn = soaked("wear");
    let told = problems(&worn);
    assert!(told[0].contains("soak: call 30 of test \"t\" returned 1, not 0"), "{told:?}");
    assert_eq!((told.len(), worn.soak.unwrap().failures), (6, 71));
    let broken = soaked("break");
    assert!(problems(&broken)[0].contains("did not return: E4001"));
    assert!(broken.soak.unwrap().traps >= 1);
}

fn what_a_package_needs_is_taken_from_what_is_installed(engine: EngineKind) {
    let world = World::development(engine);
    let host = world.open();
    let tests = r#"{"tests": [{"name": "asks", "operation": "run"}]}"#;
    let run = r#"(func (export "run") (param i32) (result i32) (call $ask))"#;
    let guest = Guest::new("front")
        .body(&format!("{GOOD} {} {run}", asks("back")))
        .tables("[dependencies]\nback = \"^1\"\n[permissions]\nplugins = [\"call:back\"]")
        .operation("run")
        .asset("tests/a.json", tests);
    assert_eq!(code(tried(&host, &guest.package(), 5)), "E1602");
    host.install(&Guest::new("back").package(), false).unwrap();
    let report = tried(&host, &guest.package(), 5).unwrap();
    assert_eq!(report.verdict().map_err(|e| e.reasons().to_vec()), Ok(()));
}

fn a_run_that_is_given_up_leaves_nothing(engine: EngineKind) {
    let world = World::development(engine);
    let host = world.open();
    let tests = r#"{"tests": [{"name": "spins", "operation": "spin"}]}"#;
    let spin = "(func (export \"spin\") (param i32) (result i32) (loop $l (br $l)) i32.const 0)";
    let guest = Guest::new("a")
        .body(&format!("{GOOD}{spin}"))
        .operation("spin")
        .asset("tests/a.json", tests)
        .package();
    let unwanted = CancelToken::new();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| host.stage(&guest, &request(5), &unwanted));
        while world.recorded(&host, &["\"verdict\":\"begun\""]) == 0 {
            std::thread::yield_now();
        }
        // One at a time.
        assert_eq!(code(tried(&host, &guest, 5)), "E4030");
        unwanted.cancel();
        assert_eq!(code(run.join().unwrap()), "E4031");
    });
    assert!(!world.path("tmp/staging/stage").exists());
    let good = tested("a").package();
    tried(&host, &good, 5).unwrap().verdict().unwrap();
}

fn an_attestation_that_ran_out_stops_nothing_that_runs(engine: EngineKind) {
    let home = staging(engine);
    let host = home.world.open();
    let stager = host.stager(None).unwrap();
    let package = home.signed(&tested("a"));
    let request = StageRequest { stager: Some(stager), ..request(5) };
    let attestation = host.stage(&package, &request, &CancelToken::new()).unwrap().attestation.unwrap();
    // Judged as in production, where no plugin runs with this build.
    home.change(|trust| {
        trust.mode = Some(Environment::Production);
        trust.require.insert(Requirement::Staging);
    });
    assert_eq!(code(host.install(&package, true)), "E1405");
    host.install(&with_staging(&package, &attestation).unwrap(), true).unwrap();
    assert_eq!(host.call("a", "echo", b"hi".to_vec()).unwrap(), b"hi");
    let begun = Instant::now();
    home.change(|trust| trust.staging.max_age = Some(Duration::from_secs(1)));
    while !host.trust_of("a").is_err_and(|e| e.code().id == "E1417") {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    host.reload_trust().unwrap();
    assert_eq!(host.status("a").unwrap().state, "Running");
    assert_eq!(host.call("a", "echo", b"hi".to_vec()).unwrap(), b"hi");
    host.stop("a").unwrap();
    assert_eq!(code(host.start("a")), "E1417");
}

#[test]
fn only_a_staging_home_attests_and_production_does_not_even_try() {
    let engine = crate::runtime::available()[0];
    let home = staging(engine);
    let host = home.world.open();
    let stager = host.stager(None).unwrap();
    let package = home.signed(&tested("a"));
    drop(host);
    let attested = StageRequest { stager: Some(stager), ..request(5) };
    let world = World::development(engine);
    let development = world.open();
    assert_eq!(code(development.stage(&package, &attested, &CancelToken::new())), "E0109");
    tried(&development, &package, 5).unwrap().verdict().unwrap();
    let production = World::configured(&format!("  engine: {engine}\n"));
    let host = production.open();
    assert_eq!(code(tried(&host, &package, 5)), "E0109");
    assert_eq!(code(host.stage(&package, &attested, &CancelToken::new())), "E0109");
}

#[test]
fn what_cannot_be_staged_is_told_before_anything_runs() {
    let engine = crate::runtime::available()[0];
    let home = Trusting::new(engine);
    let host = home.world.open();
    assert_eq!(code(host.stager(None)), "E5008");
    assert_eq!(code(tried(&host, &home.signed(&Guest::new("a")), 5)), "E1018");
    assert_eq!(code(tried(&host, &tested("a").package(), 5)), "E1201");
    assert_eq!(code(tried(&host, b"no package", 5)), "E1002");
    assert_eq!(code(tried(&host, &home.signed(&tested("a")), 0)), "E0101");
    let never = STAGING.replacen("{\"name\"", "{\"soak\": false, \"name\"", 1);
    let guest = Guest::new("a").asset("tests/a.json", &never);
    assert_eq!(code(tried(&host, &home.signed(&guest), 5)), "E1018");
    assert_eq!(home.world.recorded(&host, &["\"action\":\"stage\"", "E1018"]), 2);
    assert_eq!(home.world.recorded(&host, &["\"verdict\":\"begun\""]), 0);
}
