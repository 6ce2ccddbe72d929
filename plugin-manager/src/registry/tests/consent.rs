//! Consent: what asks for more waits, and only what was shown of exactly that package is let in.

use super::{Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::store::PENDING_VERSIONS;
use crate::{PluginManager, UpgradeOptions};
use common::identity::{Digest, IdentityContext};
use microkernel::trust::TrustContext;

on_each_engine! {
    fault_068_what_asks_for_more_waits_until_it_is_approved
    fault_068_consent_is_for_what_was_shown_and_no_more
    a_rejected_version_is_gone
    what_waits_is_bounded_and_goes_with_the_plugin
    an_approved_version_that_fails_goes_on_waiting
}

fn asking(version: &str, permissions: &str) -> Guest {
    Guest::new("a").version(version).tables(&format!("[permissions]\nstorage = [{permissions}]"))
}

fn offer(host: &PluginManager, package: &[u8]) {
    assert_eq!(code(host.upgrade(package, &UpgradeOptions::default())), "E1407");
}

fn waiting(host: &PluginManager) -> Vec<String> {
    let all = host.pending(Some("a")).unwrap();
    assert_eq!(host.status("a").unwrap().pending.len(), all.len());
    all.into_iter().map(|p| p.version).collect()
}

fn fault_068_what_asks_for_more_waits_until_it_is_approved(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&asking("1.0.0", r#""get""#).package(), true).unwrap();
    let more = asking("1.1.0", r#""get", "set""#).package();
    offer(&host, &more);
    assert_eq!(world.recorded(&host, &["\"action\":\"offer\"", "storage set"]), 1);
    // It outlives the process, and the same offer changes nothing.
    host.shutdown().unwrap();
    let host = world.open();
    offer(&host, &more);
    let shown = host.pending(None).unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].version.as_str(), shown[0].installed.as_str()), ("1.1.0", "1.0.0"));
    assert_eq!(
        (shown[0].added.as_slice(), shown[0].package),
        (["storage set".to_owned()].as_slice(), Digest::of(&more))
    );
    let ada = host.acting_as(&TrustContext::new(&IdentityContext::operator("ada")));
    let report = ada.approve("a", None).unwrap();
    assert_eq!(
        (report.now.version.as_str(), report.added.as_slice()),
        ("1.1.0", ["storage set".to_owned()].as_slice())
    );
    assert_eq!(host.status("a").unwrap().version, "1.1.0");
    assert_eq!(
        world.recorded(
            &host,
            &["\"action\":\"approve\"", &world.pseudonym("ada"), "\"accepted_permissions\":\"storage set\""]
        ),
        1
    );
    assert_eq!(waiting(&host), [] as [&str; 0]);
    assert_eq!(code(host.approve("a", None)), "E5021");
    assert_eq!(code(host.approve("b", None)), "E5001");
}

fn fault_068_consent_is_for_what_was_shown_and_no_more(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&asking("1.0.0", "").package(), true).unwrap();
    let accept = UpgradeOptions { accept_permissions: true, ..UpgradeOptions::default() };
    host.upgrade(&asking("1.1.0", r#""get""#).package(), &accept).unwrap();
    offer(&host, &asking("1.2.0", r#""get", "set""#).package());
    // Other bytes do not slip in under the version that was looked at.
    let other = asking("1.2.0", r#""get", "set", "delete""#).package();
    assert_eq!(code(host.upgrade(&other, &UpgradeOptions::default())), "E5004");
    // What it adds depends on what is installed: that has changed, and so has what there is to accept.
    host.rollback("a", None).unwrap();
    assert_eq!(code(host.approve("a", None)), "E1407");
    assert_eq!(host.status("a").unwrap().version, "1.0.0");
    assert_eq!(host.pending(Some("a")).unwrap()[0].added, ["storage get", "storage set"]);
    host.approve("a", Some("1.2.0")).unwrap();
    // A package that is no longer what was offered is not let in.
    let more = asking("1.3.0", r#""get", "set", "list""#).package();
    offer(&host, &more);
    std::fs::write(world.path("store/sha256").join(Digest::of(&more).hex()), b"other").unwrap();
    assert_eq!(code(host.approve("a", None)), "E1503");
    assert_eq!(host.status("a").unwrap().version, "1.2.0");
}

fn a_rejected_version_is_gone(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&asking("1.0.0", "").package(), true).unwrap();
    let packages = || std::fs::read_dir(world.path("store/sha256")).unwrap().count();
    offer(&host, &asking("1.1.0", r#""get""#).package());
    offer(&host, &asking("1.2.0", r#""set""#).package());
    let error = host.approve("a", None).unwrap_err();
    assert_eq!(
        (error.code().id, error.reasons()),
        ("E5021", ["waiting: 1.1.0, 1.2.0".to_owned()].as_slice())
    );
    assert_eq!(code(host.reject("a", Some("2.0.0"))), "E5021");
    assert_eq!(host.reject("a", Some("1.1.0")).unwrap().added, ["storage get"]);
    assert_eq!((waiting(&host), packages()), (vec!["1.2.0".to_owned()], 2));
    assert_eq!(world.recorded(&host, &["\"action\":\"approve\"", "\"verdict\":\"rejected\"", "1.1.0"]), 1);
    host.reject("a", None).unwrap();
    assert_eq!((waiting(&host).len(), packages()), (0, 1));
}

fn what_waits_is_bounded_and_goes_with_the_plugin(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&asking("1.0.0", "").package(), true).unwrap();
    for i in 1..=PENDING_VERSIONS + 1 {
        offer(&host, &asking(&format!("1.{i}.0"), r#""get""#).package());
    }
    assert_eq!(waiting(&host), ["1.2.0", "1.3.0", "1.4.0"]);
    // Consent by the other way ends the wait too.
    let accept = UpgradeOptions { accept_permissions: true, ..UpgradeOptions::default() };
    host.upgrade(&asking("1.3.0", r#""get""#).package(), &accept).unwrap();
    assert_eq!(waiting(&host), ["1.2.0", "1.4.0"]);
    assert_eq!(code(host.approve("a", Some("1.2.0"))), "E1406", "it is lower now");
    host.remove("a", false).unwrap();
    assert_eq!(host.pending(None).unwrap(), []);
    assert_eq!(std::fs::read_dir(world.path("store/sha256")).unwrap().count(), 0);
}

fn an_approved_version_that_fails_goes_on_waiting(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&asking("1.0.0", "").package(), true).unwrap();
    let broken =
        super::GOOD.replace("\"init\") (result i32) i32.const 0", "\"init\") (result i32) i32.const 7");
    offer(&host, &asking("1.1.0", r#""get""#).body(&broken).package());
    assert_eq!(code(host.approve("a", None)), "E4002");
    assert_eq!(
        (host.status("a").unwrap().version.as_str(), waiting(&host)),
        ("1.0.0", vec!["1.1.0".to_owned()])
    );
    assert_eq!(world.recorded(&host, &["\"action\":\"approve\"", "\"outcome\":\"ok\""]), 0);
}
