//! A trace of the program's: through plugins, into records, and no further than the call.

use super::rights::does;
use super::{GOOD, Guest, World, asks, on_each_engine};
use crate::runtime::EngineKind;
use crate::{CallOptions, PluginManager, TraceContext};
use std::pin::pin;
use std::task::{Context, Waker};

on_each_engine! {
    a_trace_goes_through_plugins_into_their_records
    a_span_that_is_left_open_ends_with_its_call
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn traced() -> CallOptions {
    let at: TraceContext = format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap();
    CallOptions::new().trace(at)
}

/// `inner` writes a value (`mark`) and opens a span (`open`); `outer` has it write one (`run`).
fn home(kind: EngineKind) -> (World, PluginManager) {
    let world = World::development(kind);
    let host = world.open();
    let (mark, open) = (does("mark", 512, "kv_set", &["k", "v"]), does("open", 640, "span_begin", &["left"]));
    let inner = Guest::new("inner")
        .body(&format!("{GOOD} {mark} {open}"))
        .tables("[permissions]\nstorage = [\"set\"]\nobservability = [\"trace\"]")
        .operation("mark")
        .operation("open");
    let ask = asks("inner").replace("echo", "mark");
    let run = r#"(func (export "run") (param i32) (result i32) (i32.lt_s (call $ask) (i32.const 0)))"#;
    let outer = Guest::new("outer")
        .body(&format!("{GOOD} {ask} {run}"))
        .tables("[permissions]\nplugins = [\"call:inner\"]\nstorage = [\"set\"]")
        .operation("run");
    host.install(&inner.package(), true).unwrap();
    host.install(&outer.package(), true).unwrap();
    (world, host)
}

fn a_trace_goes_through_plugins_into_their_records(kind: EngineKind) {
    let (world, host) = home(kind);
    let all = |action: &str| world.recorded(&host, &[&format!("\"action\":\"{action}\"")]);
    let of_it = |action: &str| world.recorded(&host, &[&format!("\"action\":\"{action}\""), TRACE]);
    host.call("outer", "run", Vec::new()).unwrap();
    assert_eq!((all("plugin_call"), all("kv_set")), (1, 1));
    assert_eq!((of_it("plugin_call"), of_it("kv_set")), (0, 0), "nobody traces");
    host.call_with("outer", "run", Vec::new(), &traced()).unwrap();
    assert_eq!((of_it("plugin_call"), of_it("kv_set")), (1, 1));
    let mut call = pin!(host.call_async_with("outer", "run", Vec::new(), traced()));
    let mut context = Context::from_waker(Waker::noop());
    while call.as_mut().poll(&mut context).is_pending() {
        std::thread::yield_now();
    }
    assert_eq!((of_it("plugin_call"), of_it("kv_set")), (2, 2));
    host.call("outer", "run", Vec::new()).unwrap();
    assert_eq!((all("kv_set"), of_it("kv_set")), (4, 2), "the next call is its own");
    host.shutdown().unwrap();
}

fn a_span_that_is_left_open_ends_with_its_call(kind: EngineKind) {
    let (world, host) = home(kind);
    let length = host.call("inner", "open", Vec::new()).unwrap();
    assert_eq!(length, 55i32.to_le_bytes(), "a traceparent");
    host.call("inner", "mark", Vec::new()).unwrap();
    let of_a_trace = world.recorded(&host, &["\"action\":\"kv_set\"", "trace_id"]);
    assert_eq!((world.recorded(&host, &["\"action\":\"kv_set\""]), of_a_trace), (1, 0));
    host.shutdown().unwrap();
}
