//! What records, `status` and `doctor` tell: of the policies in force, of what was granted and by whose signature, of
//! what a service denied, of files that are not read.

use super::{GOOD, Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::{Denied, HeldBy, PluginManager, explain_denial};
use common::error::codes;

on_each_engine! {
    opening_and_reading_policies_record_which_are_in_force
    a_denied_reading_records_file_line_and_reason
    an_install_records_what_was_granted_of_which_package
    what_a_service_denies_is_explained_by_its_cause
    doctor_tells_of_policy_files_that_are_not_read
}

const RULE: &str = "@id(\"r\") forbid(principal, action == Action::\"kv_set\", resource);";

fn policy(world: &World, name: &str, text: &str) {
    std::fs::write(world.path("trust/policy").join(name), text).unwrap();
}

fn epoch(host: &PluginManager) -> String {
    format!("\"epoch\":\"{}\"", host.host().bridge.evaluator().epoch())
}

fn opening_and_reading_policies_record_which_are_in_force(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    assert_eq!(world.recorded(&host, &["\"action\":\"open\"", "\"files\":\"0\"", &epoch(&host)]), 1);
    policy(&world, "site.cedar", RULE);
    host.reload_policies().unwrap();
    let digest = host.host().policy_files.set().digest;
    assert!(digest.starts_with("sha256:"), "{digest}");
    let named = ["\"names\":\"site.cedar\"", digest.as_str()];
    assert_eq!(world.recorded(&host, &[&named[..], &["\"change\":\"policies\""]].concat()), 1);
    let now = epoch(&host);
    let in_force = [&named[..], &["\"action\":\"reload_policies\"", now.as_str()]].concat();
    assert_eq!(world.recorded(&host, &in_force), 1);
    host.shutdown().unwrap();
    let host = world.open();
    assert_eq!(world.recorded(&host, &[&named[..], &["\"action\":\"open\"", &epoch(&host)]].concat()), 1);
}

fn a_denied_reading_records_file_line_and_reason(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    policy(&world, "site.cedar", "permit(principal, action == Action::\"kv_st\", resource);");
    assert_eq!(code(host.reload_policies()), "E2004");
    let told = ["\"change\":\"policies\"", "E2004", "site.cedar is not valid", "line 1", "kv_st"];
    assert_eq!(world.recorded(&host, &told), 1);
}

fn an_install_records_what_was_granted_of_which_package(kind: EngineKind) {
    let world = World::with(kind, "  sandbox: { network_access: none }\n");
    let host = world.open();
    let asks = "[permissions]\nstorage = [\"get\"]\nnetwork = [\"connect:example.com:443\"]";
    let package = Guest::new("a").tables(asks).package();
    host.install(&package, true).unwrap();
    let digest = common::identity::Digest::of(&package).to_string();
    let engine = format!("\"engine\":\"{kind}\"");
    let told = ["\"granted\":\"storage get\"", "\"signer\":\"\"", "\"serial\":\"\"", &engine, &digest];
    assert_eq!(world.recorded(&host, &[&told[..], &["\"action\":\"install\""]].concat()), 1);
}

/// A plain request, which policies permit here and the service does not make.
fn what_a_service_denies_is_explained_by_its_cause(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let argument = |text: &str| format!("\\{:02x}\\00\\00\\00{text}", text.len());
    let arguments = argument("GET") + &argument("http://example.com/") + &argument("") + &argument("");
    let ask = format!(
        r#"(data (i32.const 512) "http_request") (data (i32.const 544) "{arguments}")
        (func (export "go") (param i32) (result i32)
          (call $syscall (i32.const 512) (i32.const 12) (i32.const 544) (i32.const 38) (i32.const 2048) (i32.const 64)))"#
    );
    let guest = Guest::new("a").body(&format!("{GOOD}{ask}")).operation("go");
    host.install(&guest.tables("[permissions]\nnetwork = [\"connect:example.com:80\"]").package(), true)
        .unwrap();
    assert_eq!(code(host.call("a", "go", vec![])), codes::E4002.id);
    assert_eq!(world.recorded(&host, &["E2007", "\"action\":\"http_request\"", "\"decision\":{"]), 0);
    host.shutdown().unwrap();
    let told = explain_denial(&world.path(""), None, &Denied::LastOf("a".into())).unwrap();
    assert_eq!((told.held_by, told.code.as_str(), told.rules.len()), (HeldBy::Service, "E2007", 0));
    assert!(told.reason.contains("http"), "{}", told.reason);
    assert_eq!(told.smallest, None);
}

fn doctor_tells_of_policy_files_that_are_not_read(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let probe = || host.doctor().into_iter().find(|probe| probe.name == "policies").unwrap();
    assert_eq!(probe().verdict, "ok");
    policy(&world, "a.cedar~", RULE);
    policy(&world, "B.CEDAR", RULE);
    std::fs::create_dir(world.path("trust/policy/sub")).unwrap();
    let told = probe();
    assert!(told.verdict == "warning" && told.detail.ends_with("B.CEDAR, a.cedar~, sub"), "{told:?}");
}
