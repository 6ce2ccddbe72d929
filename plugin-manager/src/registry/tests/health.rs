//! Health checks of supervised plugins: by an operation, and by their calls.

use super::keeping::{Bench, RULES};
use super::{Guest, World, on_each_engine};
use crate::EventKind;
use crate::runtime::EngineKind;

on_each_engine! {
    a_plugin_that_fails_its_check_too_often_is_started_again
    a_check_that_cannot_be_made_says_nothing
    calls_that_all_fail_are_unwell_and_none_say_nothing
}

fn checked(kind: EngineKind, health: &str) -> World {
    let rules = format!("  supervision: {{ {RULES}, health: {{ every: 10s, failures: 2, {health} }} }}\n");
    World::with(kind, &rules)
}

fn a_plugin_that_fails_its_check_too_often_is_started_again(kind: EngineKind) {
    let world = checked(kind, "operation: rule, timeout: 1s");
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    host.set_setting("a", "config", "rule", Some("1")).unwrap();
    let mut bench = Bench::over(&host);
    bench.settle();
    assert_eq!(host.status("a").unwrap().health, "unchecked");
    assert!(bench.after(9_999).is_empty());
    assert_eq!(bench.after(1), ["a"]);
    assert_eq!(host.status("a").unwrap().health, "well");
    host.set_setting("a", "config", "rule", None).unwrap();
    assert_eq!(bench.after(10_000), ["a"]);
    let status = host.status("a").unwrap();
    assert_eq!((status.state.as_str(), status.health, status.ready), ("Running", "unwell", false));
    host.set_setting("a", "config", "rule", Some("1")).unwrap();
    bench.after(10_000);
    assert_eq!((host.status("a").unwrap().health, bench.told("a").last()), ("well", Some(&EventKind::Well)));
    host.set_setting("a", "config", "rule", None).unwrap();
    bench.after(10_000);
    bench.after(10_000);
    bench.is("a", "Failed");
    let failure = host.status("a").unwrap().failure.unwrap();
    assert!(failure.contains("failed its health check 2 times in a row"), "{failure}");
    assert_eq!(world.recorded(&host, &["\"code\":\"E4032\""]), 1);
    assert!(host.metrics_text().contains("forgeone_plugin_health_failures_total{plugin=\"a\"} 3\n"));
    let told = bench.told("a");
    assert!(matches!(
        told.as_slice(),
        [
            EventKind::Unwell { failures: 1, .. },
            EventKind::Unwell { failures: 2, .. },
            EventKind::RestartDue { .. }
        ]
    ));
    bench.after(1000);
    bench.is("a", "Running");
}

fn a_check_that_cannot_be_made_says_nothing(kind: EngineKind) {
    let world = checked(kind, "operation: nonesuch");
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let mut bench = Bench::over(&host);
    bench.settle();
    for _ in 0..4 {
        assert_eq!(bench.after(10_000), ["a"]);
    }
    assert_eq!(host.status("a").unwrap().health, "unchecked");
    bench.is("a", "Running");
}

fn calls_that_all_fail_are_unwell_and_none_say_nothing(kind: EngineKind) {
    let world = checked(kind, "status: calls");
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let mut bench = Bench::over(&host);
    bench.settle();
    bench.after(10_000);
    assert_eq!(host.status("a").unwrap().health, "unchecked");
    host.call("a", "fail", vec![]).unwrap_err();
    host.call("a", "echo", vec![]).unwrap();
    bench.after(10_000);
    assert_eq!(host.status("a").unwrap().health, "well", "one of two succeeded");
    for _ in 0..2 {
        host.call("a", "fail", vec![]).unwrap_err();
        bench.after(10_000);
    }
    bench.is("a", "Failed");
}
