//! Who reviewed what is kept by digest and recorded; what nobody looked at for long is told everywhere.

use super::{Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::{PluginManager, ReviewStatus, ReviewSubject, TrustContext};
use common::identity::IdentityContext;
use std::time::Duration;

on_each_engine! {
    a_review_is_of_the_version_that_was_installed
    what_is_overdue_is_told_until_somebody_looks
}

fn plugin(name: &str) -> ReviewSubject {
    ReviewSubject::Plugin(name.to_owned())
}

fn of(host: &PluginManager, name: &str) -> ReviewStatus {
    host.status(name).unwrap().review.unwrap()
}

fn a_review_is_of_the_version_that_was_installed(engine: EngineKind) {
    let world = World::development(engine);
    let host = world.open();
    host.install(&Guest::new("a").package(), false).unwrap();
    assert_eq!((of(&host, "a").reviewer, of(&host, "a").overdue), (None, false));
    let reviewed = host.review(&plugin("a"), Some("ada"), Some("read it")).unwrap();
    assert_eq!(reviewed, of(&host, "a"));
    assert_eq!(reviewed.due_ns - reviewed.at_ns.unwrap(), 90 * 86_400 * 1_000_000_000);
    let digest = host.status("a").unwrap().digest.to_string();
    let ada = format!("\"reviewer\":\"{}\"", world.pseudonym("ada"));
    let parts = ["\"type\":\"review\"", "\"action\":\"review\"", "\"subject\":\"plugin a\"", &ada, &digest];
    assert_eq!(world.recorded(&host, &parts), 1);
    assert_eq!(world.recorded(&host, &["read it"]), 0);
    host.shutdown().unwrap();
    let host = world.open();
    assert_eq!(of(&host, "a").note.as_deref(), Some("read it"));
    // Another version was reviewed by nobody; the one before it still was.
    host.upgrade(&Guest::new("a").version("1.1.0").package(), &Default::default()).unwrap();
    assert_eq!(of(&host, "a").reviewer, None);
    host.rollback("a", None).unwrap();
    assert_eq!(of(&host, "a").reviewer.as_deref(), Some("ada"));
    host.remove("a", false).unwrap();
    host.install(&Guest::new("a").package(), false).unwrap();
    assert_eq!(of(&host, "a").reviewer, None);
}

fn what_is_overdue_is_told_until_somebody_looks(engine: EngineKind) {
    let world = World::with(engine, "  reviews: { every: 1s }\n");
    std::fs::create_dir_all(world.path("trust/policy")).unwrap();
    std::fs::write(world.path("trust/policy/a.cedar"), "permit(principal, action, resource);").unwrap();
    let host = world.open();
    host.install(&Guest::new("a").package(), false).unwrap();
    // The clock is the machine's: what is due in a second is waited for, by looking.
    let begun = std::time::Instant::now();
    while host.reviews().unwrap().iter().any(|review| !review.overdue) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::yield_now();
    }
    let probe = || host.doctor().into_iter().find(|probe| probe.name == "reviews").unwrap();
    assert_eq!(probe().verdict, "warning");
    assert!(probe().detail.contains("overdue: plugin a, policy"), "{}", probe().detail);
    assert!(host.metrics_text().contains("\nforgeone_reviews_overdue 2\n"));
    assert!(of(&host, "a").overdue);
    host.review(&plugin("a"), None, None).unwrap();
    host.review(&ReviewSubject::Policy, None, None).unwrap();
    assert_eq!(of(&host, "a").reviewer.as_deref(), Some("embedder"));
}

#[test]
fn a_review_of_the_policies_is_of_the_set_in_force() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    assert_eq!(code(host.review(&ReviewSubject::Policy, None, None)), "E5008");
    assert_eq!(host.policy_review().unwrap(), None);
    std::fs::write(world.path("trust/policy/a.cedar"), "permit(principal, action, resource);").unwrap();
    host.reload_policies().unwrap();
    let since = host.policy_review().unwrap().unwrap();
    assert_eq!(since.reviewer, None);
    let reviewed = host.review(&ReviewSubject::Policy, Some("ada"), None).unwrap();
    assert_eq!((reviewed.reviewer.as_deref(), reviewed.digest), (Some("ada"), since.digest));
    assert_eq!(
        world.recorded(&host, &["\"type\":\"review\"", "\"subject\":\"policy\"", &since.digest.to_string()]),
        1
    );
    std::fs::write(world.path("trust/policy/a.cedar"), "permit(principal, action, resource); ").unwrap();
    host.reload_policies().unwrap();
    let changed = host.policy_review().unwrap().unwrap();
    assert_ne!(changed.digest, since.digest);
    assert_eq!(changed.reviewer, None);
    // What was known before is known from when it was first in force, over openings.
    host.shutdown().unwrap();
    let host = world.open();
    assert_eq!(host.policy_review().unwrap().unwrap(), changed);
}

#[test]
fn a_review_that_cannot_be_kept_is_refused() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    host.install(&Guest::new("a").package(), false).unwrap();
    for name in ["", "a\nb", &"x".repeat(129)] {
        assert_eq!(code(host.review(&plugin("a"), Some(name), None)), "E0101", "{name}");
    }
    assert_eq!(code(host.review(&plugin("a"), None, Some(&"x".repeat(4097)))), "E0101");
    host.review(&plugin("a"), Some(&"\"".repeat(128)), Some(&"\u{1}".repeat(4096))).unwrap();
    assert_eq!(code(host.review(&plugin("nobody"), None, None)), "E5001");
}

#[test]
fn policies_decide_who_may_review() {
    let world = World::configured(&format!(
        "  environment: development\n  engine: {}\n  security: {{ verify_signatures: false, namespace_isolation: false }}\n",
        crate::runtime::available()[0]
    ));
    std::fs::create_dir_all(world.path("trust/policy")).unwrap();
    let text = "forbid(principal, action == Action::\"review\", resource) unless { principal in Role::\"reviewer\" };";
    std::fs::write(world.path("trust/policy/a.cedar"), text).unwrap();
    let host = world.open();
    host.install(&Guest::new("a").package(), false).unwrap();
    assert_eq!(code(host.review(&plugin("a"), None, None)), "E2001");
    assert_eq!(of(&host, "a").reviewer, None);
    let ada = IdentityContext::operator("ada").with_role("reviewer");
    let reviewed = host.acting_as(&TrustContext::new(&ada)).review(&plugin("a"), None, None).unwrap();
    assert_eq!(reviewed.reviewer.as_deref(), Some("ada"));
}
