//! What is damaged or denied: found before it runs, recorded, and where possible mended.

use super::{Guest, World, code, on_each_engine};
use crate::runtime::EngineKind;
use microkernel::trust::PolicySource;

on_each_engine! {
    a_package_that_was_changed_in_the_store_is_not_run
}

fn a_package_that_was_changed_in_the_store_is_not_run(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    host.shutdown().unwrap();
    world.damage("store/sha256");
    let host = world.open();
    assert_eq!(code(host.call("a", "echo", vec![])), "E1503");
    assert_eq!(code(host.start("a")), "E1503");
    assert_eq!(world.recorded(&host, &["E1503"]), 2);
    assert_eq!(host.status("a").unwrap().state, "Stopped");
    host.remove("a", false).unwrap();
    host.install(&Guest::new("a").package(), true).unwrap();
    host.call("a", "echo", vec![]).unwrap();
}

#[test]
fn what_a_policy_denies_is_not_done_and_is_recorded() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    host.install(&Guest::new("b").package(), false).unwrap();
    let mut echo = host.handle("a").unwrap().operation("echo").unwrap();
    echo.call(&mut vec![1], &mut vec![]).unwrap();
    let text = r#"forbid(principal is Operator, action in Action::"management.*", resource);"#;
    let evaluator = host.host().parts().bridge.evaluator();
    evaluator.publish(&[PolicySource { name: "none".into(), text: text.into() }]).unwrap();
    let denied = [
        code(host.call("a", "echo", vec![])),
        code(echo.call(&mut vec![1], &mut vec![])),
        code(host.call("b", "echo", vec![])),
        code(host.stop("a")),
        code(host.start("b")),
        code(host.pause("a")),
        code(host.remove("a", false)),
        code(host.install(&Guest::new("c").package(), true)),
        code(host.set_setting("a", "config", "k", Some("v"))),
        code(host.status("a")),
        code(host.list()),
        code(host.logs("a", 1)),
        code(host.keys().map(drop)),
    ];
    assert_eq!(denied, ["E2001"; 13]);
    evaluator.publish(&[]).unwrap();
    assert_eq!(world.recorded(&host, &["\"outcome\":\"denied\"", "E2001"]), 13);
    let states: Vec<_> = host.list().unwrap().into_iter().map(|p| (p.name, p.state, p.calls)).collect();
    let expected = [("a".to_owned(), "Running".to_owned(), 1), ("b".to_owned(), "Stopped".to_owned(), 0)];
    assert_eq!(states, expected);
    echo.call(&mut vec![1], &mut vec![]).unwrap();
}

#[test]
fn a_doctor_sees_engines_home_log_and_what_is_weakened() {
    let world = World::development(crate::runtime::available()[0]);
    let host = world.open();
    let probes = host.doctor();
    for kind in crate::runtime::available() {
        assert!(probes.iter().any(|p| p.name == format!("engine {kind}") && p.verdict == "ok"), "{probes:?}");
    }
    for (name, verdict) in [("home", "ok"), ("audit log", "ok"), ("isolation", "warning")] {
        assert!(probes.iter().any(|p| p.name == name && p.verdict == verdict), "{name}: {probes:?}");
    }
    assert!(probes.iter().any(|p| p.name.contains("verify_signatures")), "{probes:?}");
}
