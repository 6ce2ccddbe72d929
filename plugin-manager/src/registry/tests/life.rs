//! Operating installed plugins: desired states, failures that stay, plugins that call one another.

use super::{GOOD, Guest, World, asks, code, on_each_engine};
use crate::PluginManager;
use crate::runtime::EngineKind;

on_each_engine! {
    what_is_desired_outlasts_the_process
    moves_the_table_does_not_have_are_e5002
    a_plugin_that_cannot_start_stays_failed_until_it_is_started_again
    a_spent_restart_budget_stays_when_the_process_is_gone
    a_state_that_is_refused_does_not_brick_the_plugin
    plugins_whose_init_call_each_other_do_not_wait_for_each_other
    a_called_plugin_that_fails_tells_its_own_log
    after_shutdown_nothing_is_brought_up_and_the_home_is_free
    a_handle_follows_the_plugin_through_stop_and_start
}

fn state(host: &PluginManager, name: &str) -> (String, String) {
    let status = host.status(name).unwrap();
    (status.state, status.desired)
}

fn is(host: &PluginManager, name: &str, is: &str, desired: &str) {
    assert_eq!(state(host, name), (is.to_owned(), desired.to_owned()));
}

fn what_is_desired_outlasts_the_process(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    host.pause("a").unwrap();
    is(&host, "a", "Paused", "paused");
    assert_eq!(code(host.call("a", "echo", vec![])), "E5003");
    host.shutdown().unwrap();
    let host = world.open();
    is(&host, "a", "Paused", "paused");
    assert_eq!(code(host.call("a", "echo", vec![])), "E5003");
    host.resume("a").unwrap();
    assert_eq!(host.call("a", "echo", b"x".to_vec()).unwrap(), b"x");
    host.stop("a").unwrap();
    host.shutdown().unwrap();
    let host = world.open();
    is(&host, "a", "Stopped", "stopped");
    assert_eq!(code(host.call("a", "echo", vec![])), "E5003");
    host.start("a").unwrap();
    is(&host, "a", "Running", "running");
}

fn moves_the_table_does_not_have_are_e5002(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let says = |result: Result<_, common::error::ForgeError>, states: [&str; 2]| {
        let error = result.map(|_: crate::PluginStatus| ()).unwrap_err();
        assert_eq!(error.code().id, "E5002");
        assert!(states.iter().all(|s| error.to_string().contains(s)), "{error}");
    };
    says(host.start("a"), ["Running", "Initializing"]);
    says(host.resume("a"), ["Running", "Running"]);
    host.pause("a").unwrap();
    says(host.pause("a"), ["Paused", "Paused"]);
    says(host.start("a"), ["Paused", "Initializing"]);
    host.stop("a").unwrap();
    says(host.stop("a"), ["Stopped", "Stopping"]);
    says(host.pause("a"), ["Stopped", "Paused"]);
    says(host.resume("a"), ["Stopped", "Running"]);
    for unknown in [host.start("b"), host.stop("b"), host.pause("../b"), host.resume("")] {
        assert_eq!(code(unknown), "E5001");
    }
}

fn a_plugin_that_cannot_start_stays_failed_until_it_is_started_again(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    // Starts once the setting `rule` is there.
    let body = r#"(func (export "init") (result i32)
          (i32.lt_s (call $syscall (i32.const 96) (i32.const 10) (i32.const 112) (i32.const 8) (i32.const 0) (i32.const 0)) (i32.const 0)))
        (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)"#;
    assert_eq!(code(host.install(&Guest::new("a").body(body).package(), true)), "E4002");
    is(&host, "a", "Failed", "running");
    assert_eq!(code(host.call("a", "echo", vec![])), "E5003");
    host.shutdown().unwrap();
    let host = world.open();
    is(&host, "a", "Failed", "running");
    let error = host.call("a", "echo", vec![]).unwrap_err();
    assert_eq!(error.code().id, "E5003");
    assert!(error.reasons()[0].contains("init returned status 1"), "{:?}", error.reasons());
    assert_eq!(code(host.pause("a")), "E5002");
    assert_eq!(code(host.start("a")), "E4002");
    host.stop("a").unwrap();
    is(&host, "a", "Failed", "stopped");
    host.set_setting("a", "config", "rule", Some("1")).unwrap();
    assert_eq!(code(host.call("a", "echo", vec![])), "E5003", "it is not started by itself");
    host.start("a").unwrap();
    is(&host, "a", "Running", "running");
    assert_eq!(host.status("a").unwrap().failure, None);
    host.call("a", "echo", vec![]).unwrap();
    assert_eq!(world.recorded(&host, &["\"from\":\"Failed\"", "\"to\":\"Initializing\""]), 2);
}

fn a_spent_restart_budget_stays_when_the_process_is_gone(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    for _ in 0..5 {
        assert_eq!(code(host.call("a", "trap", vec![])), "E4001");
    }
    is(&host, "a", "Failed", "running");
    let error = host.call("a", "echo", vec![]).unwrap_err();
    assert!(error.code().id == "E5003" && error.reasons()[0].contains("lost 5 instances"), "{error:?}");
    host.shutdown().unwrap();
    let host = world.open();
    is(&host, "a", "Failed", "running");
    host.start("a").unwrap();
    host.call("a", "echo", vec![]).unwrap();
    for _ in 0..5 {
        host.call("a", "trap", vec![]).unwrap_err();
    }
    host.start("a").unwrap();
    is(&host, "a", "Running", "running");
    host.shutdown().unwrap();
    is(&world.open(), "a", "Stopped", "running");
}

fn a_state_that_is_refused_does_not_brick_the_plugin(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let state = r#"(func (export "state_save") (result i32) (call $output (i32.const 64) (i32.const 2)))
        (func (export "state_load") (param i32) (result i32) i32.const 8)"#;
    host.install(&Guest::new("a").body(&format!("{GOOD}{state}")).package(), true).unwrap();
    host.stop("a").unwrap();
    assert_eq!(code(host.start("a")), "E4002");
    is(&host, "a", "Failed", "running");
    host.start("a").unwrap();
    host.call("a", "echo", vec![]).unwrap();
    assert_eq!(world.recorded(&host, &["discard_state"]), 1);
}

fn plugins_whose_init_call_each_other_do_not_wait_for_each_other(kind: EngineKind) {
    let world = World::with(kind, "");
    let host = world.open();
    let knot = |name: &str, other: &str| {
        let body = format!(
            r#"{} (global $status (mut i32) (i32.const 0))
            (func (export "init") (result i32) (global.set $status (call $ask)) i32.const 0)
            (func (export "start") (result i32) i32.const 0) (func (export "stop") (result i32) i32.const 0)
            (func (export "status") (param i32) (result i32)
              (i32.store8 (i32.const 0) (global.get $status)) (call $output (i32.const 0) (i32.const 1)))"#,
            asks(other)
        );
        let permissions = format!("[permissions]\nplugins = [\"call:{other}\"]");
        Guest::new(name).body(&body).tables(&permissions).operation("status")
    };
    host.install(&knot("a", "b").package(), false).unwrap();
    host.install(&knot("b", "a").package(), false).unwrap();
    assert_eq!(code(host.call("a", "status", vec![])), "E5003");
    // `a` is started while `b` is to stay stopped: -6. Then `b` finds `a` running.
    host.start("a").unwrap();
    assert_eq!(host.call("a", "status", vec![]).unwrap(), [(-6_i8).cast_unsigned()]);
    host.start("b").unwrap();
    assert_eq!(host.call("b", "status", vec![]).unwrap(), [0]);
    host.shutdown().unwrap();
    // Now each brings the other up from its `init`; the one that is on the chain already is not waited for.
    let host = world.open();
    assert_eq!(host.call("a", "status", vec![]).unwrap(), [0]);
    assert_eq!(host.call("b", "status", vec![]).unwrap(), [(-9_i8).cast_unsigned()]);
    host.shutdown().unwrap();
}

fn a_called_plugin_that_fails_tells_its_own_log(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    let asking = format!(
        "{GOOD} {} (func (export \"ask\") (param i32) (result i32) (call $ask))",
        asks("callee").replace("echo", "fail")
    );
    let permissions = "[permissions]\nplugins = [\"call:callee\"]";
    host.install(&Guest::new("callee").package(), true).unwrap();
    host.install(&Guest::new("asker").body(&asking).tables(permissions).operation("ask").package(), true)
        .unwrap();
    let error = host.call("asker", "ask", vec![]).unwrap_err();
    assert!(error.to_string().contains("status -7") && !error.to_string().contains("no way"), "{error}");
    let lines = host.logs("callee", 9).unwrap();
    assert!(lines[0].contains("asker") && lines[0].ends_with("status 3: no way"), "{lines:?}");
    host.stop("callee").unwrap();
    assert!(host.call("asker", "ask", vec![]).unwrap_err().to_string().contains("status -6"));
    assert_eq!(host.status("callee").unwrap().state, "Stopped");
}

fn after_shutdown_nothing_is_brought_up_and_the_home_is_free(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let clone = host.clone();
    let mut echo = clone.handle("a").unwrap().operation("echo").unwrap();
    echo.call(&mut vec![1], &mut vec![]).unwrap();
    host.shutdown().unwrap();
    assert_eq!(code(clone.call("a", "echo", vec![])), "E5003");
    assert_eq!(code(echo.call(&mut vec![1], &mut vec![])), "E5003");
    assert_eq!(code(clone.start("a")), "E5003");
    drop((clone, echo));
    let host = world.open();
    is(&host, "a", "Stopped", "running");
    host.call("a", "echo", vec![]).unwrap();
}

fn a_handle_follows_the_plugin_through_stop_and_start(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    assert_eq!(code(host.handle("a")), "E5001");
    host.install(&Guest::new("a").package(), true).unwrap();
    let handle = host.handle("a").unwrap();
    assert_eq!(code(handle.operation("init")), "E5005");
    let mut echo = handle.operation("echo").unwrap();
    let (mut input, mut output) = (b"abc".to_vec(), b"old".to_vec());
    echo.call(&mut input, &mut output).unwrap();
    assert_eq!((input.as_slice(), output.as_slice()), (b"abc".as_slice(), b"abc".as_slice()));
    let mut buffers = std::collections::BTreeSet::new();
    for _ in 0..20 {
        echo.call(&mut input, &mut output).unwrap();
        buffers.extend([input.as_ptr(), output.as_ptr()]);
    }
    assert!(buffers.len() <= 4, "the same buffers go round: {buffers:?}");
    host.stop("a").unwrap();
    assert_eq!(code(echo.call(&mut input, &mut output)), "E5003");
    assert!(output.is_empty());
    host.start("a").unwrap();
    echo.call(&mut input, &mut output).unwrap();
    host.pause("a").unwrap();
    assert_eq!(code(echo.call(&mut input, &mut output)), "E5003");
    host.resume("a").unwrap();
    echo.clone().call(&mut input, &mut output).unwrap();
    host.remove("a", false).unwrap();
    assert_eq!(code(echo.call(&mut input, &mut output)), "E5001");
    host.install(&Guest::new("a").version("1.1.0").package(), true).unwrap();
    echo.call(&mut input, &mut output).unwrap();
    assert_eq!(output, b"abc");
}
