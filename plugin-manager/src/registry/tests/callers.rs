//! Callers that do not lend their thread, bound their calls, and give them up.

use super::{GOOD, Guest, World, asks, code, on_each_engine};
use crate::runtime::EngineKind;
use crate::{CallOptions, CancelToken, ExtensionCall, PluginManager, SyscallExtension};
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{Receiver, channel};
use std::task::{Context, Waker};
use std::time::Duration;

on_each_engine! {
    an_executor_goes_on_while_a_guest_spins_and_dropping_the_future_ends_the_guest
    of_a_thousand_calls_as_many_wait_as_may_and_the_others_are_refused_at_once
    calls_between_plugins_need_no_thread_of_their_own
    whoever_gives_up_a_call_gives_up_the_calls_it_made
    a_callers_deadline_ends_its_call_and_costs_the_plugin_nothing
    futures_dropped_at_any_moment_leave_nothing_behind
    shutting_down_answers_whoever_waits
}

/// Tells that it runs, and does not end.
const SPIN: &str = r#"(data (i32.const 512) "spinning")
    (func (export "spin") (param i32) (result i32)
      (drop (call $syscall (i32.const 512) (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
      (loop $l (br $l)) i32.const 0)"#;

fn spinner(name: &str, tables: &str) -> Vec<u8> {
    Guest::new(name).body(&format!("{GOOD} {SPIN}")).tables(tables).operation("spin").package()
}

/// A home with these limits, whose plugin `a` can spin, and who hears when it does.
fn home(kind: EngineKind, limits: &str, tables: &str) -> (World, PluginManager, Receiver<()>) {
    let world = World::with(kind, &format!("  limits: {{ {limits} }}\n"));
    let (tell, told) = channel();
    let spinning = SyscallExtension::new("spinning", move |_: &mut ExtensionCall<'_>| {
        // Whether anybody listens is the test's business.
        tell.send(()).unwrap_or_default();
        Ok(())
    });
    let host = PluginManager::builder().home(world.path("")).extension(spinning).open().unwrap();
    host.install(&spinner("a", tables), true).unwrap();
    (world, host, told)
}

fn executor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

const PATIENT: &str = "[limits]\ntimeout = \"2s\"";

fn an_executor_goes_on_while_a_guest_spins_and_dropping_the_future_ends_the_guest(kind: EngineKind) {
    let (world, host, told) = home(kind, "call_threads: 2", PATIENT);
    executor().block_on(async {
        let spins = tokio::spawn(host.call_async("a", "spin", vec![]));
        while told.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        // One thread polls everything here: had it entered the guest, none of these could happen before the end of it.
        let mut beats = 0;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            beats += u32::from(!spins.is_finished());
        }
        assert_eq!(beats, 100);
        spins.abort();
        assert!(spins.await.unwrap_err().is_cancelled());
        // The only instance is free again long before the guest's own timeout.
        let echo =
            host.call_async_with("a", "echo", vec![7], CallOptions::new().timeout(Duration::from_secs(1)));
        assert_eq!(echo.await.unwrap(), [7]);
    });
    assert_eq!(world.recorded(&host, &["E4031", "operation spin"]), 1);
    assert_eq!(host.status("a").unwrap().state, "Running");
    host.shutdown().unwrap();
}

fn of_a_thousand_calls_as_many_wait_as_may_and_the_others_are_refused_at_once(kind: EngineKind) {
    let (_world, host, told) = home(kind, "call_threads: 2, call_queue: 100", PATIENT);
    let runtime = executor();
    let token = CancelToken::new();
    runtime.block_on(async {
        let spins = host.call_async_with("a", "spin", vec![], CallOptions::new().cancel(token.clone()));
        let spins = tokio::spawn(spins);
        while told.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        let calls: Vec<_> = (0..1000).map(|_| tokio::spawn(host.call_async("a", "echo", vec![1]))).collect();
        let mut refused = 0;
        while refused < 900 {
            tokio::task::yield_now().await;
            refused = calls.iter().filter(|call| call.is_finished()).count();
        }
        let text = host.metrics_text();
        for line in ["forgeone_call_queue_depth 100", "forgeone_call_queue_refused_total 900"] {
            assert!(text.contains(&format!("\n{line}\n")), "{text}");
        }
        token.cancel();
        assert_eq!(code(spins.await.unwrap()), "E4031");
        let (mut answered, mut turned_away) = (0, 0);
        for call in calls {
            match call.await.unwrap() {
                Ok(output) => answered += usize::from(output == [1]),
                Err(error) => turned_away += usize::from(error.code().id == "E4030"),
            }
        }
        assert_eq!((answered, turned_away), (100, 900));
    });
    host.shutdown().unwrap();
}

/// A plugin whose `run` calls another's operation and answers with the status.
fn asking(name: &str, other: &str, operation: &str) -> Vec<u8> {
    let ask = asks(other).replace("echo", operation);
    let body = format!(
        "{GOOD} {ask} (func (export \"run\") (param i32) (result i32) (i32.store (i32.const 0) (call $ask)) (call $output (i32.const 0) (i32.const 4)))"
    );
    let tables = format!("[permissions]\nplugins = [\"call:{other}\"]");
    Guest::new(name).body(&body).tables(&tables).operation("run").package()
}

fn calls_between_plugins_need_no_thread_of_their_own(kind: EngineKind) {
    let (_world, host, _told) = home(kind, "call_threads: 1", "");
    host.install(&asking("asker", "a", "echo"), true).unwrap();
    executor().block_on(async {
        let calls: Vec<_> = (0..20).map(|_| tokio::spawn(host.call_async("asker", "run", vec![]))).collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), [0; 4]);
        }
    });
    host.shutdown().unwrap();
}

fn whoever_gives_up_a_call_gives_up_the_calls_it_made(kind: EngineKind) {
    let (world, host, told) = home(kind, "call_threads: 1", PATIENT);
    host.install(&asking("asker", "a", "spin"), true).unwrap();
    let token = CancelToken::new();
    std::thread::scope(|scope| {
        let options = CallOptions::new().cancel(token.clone());
        let caller = scope.spawn(|| host.call_with("asker", "run", vec![], &{ options }));
        told.recv().unwrap();
        token.cancel();
        assert_eq!(code(caller.join().unwrap()), "E4031");
    });
    // Both guests were ended: the one that spun, and the one that waited for it.
    assert_eq!(world.recorded(&host, &["E4031", "operation spin"]), 1);
    assert_eq!(world.recorded(&host, &["E4031", "operation run"]), 1);
    assert_eq!(host.call("a", "echo", vec![3]).unwrap(), [3]);
    host.shutdown().unwrap();
}

fn a_callers_deadline_ends_its_call_and_costs_the_plugin_nothing(kind: EngineKind) {
    let (_world, host, _told) = home(kind, "", PATIENT);
    let brief = CallOptions::new().timeout(Duration::from_millis(20));
    for _ in 0..7 {
        assert_eq!(code(host.call_with("a", "spin", vec![], &brief)), "E4010");
    }
    let mut echo = host.handle("a").unwrap().operation("echo").unwrap();
    let (mut output, token) = (Vec::new(), CancelToken::new());
    let options = CallOptions::new().timeout(Duration::from_secs(2)).cancel(token.clone());
    echo.call_with(&mut vec![9], &mut output, &options).unwrap();
    assert_eq!(output, [9]);
    token.cancel();
    assert_eq!(code(echo.call_with(&mut vec![9], &mut output, &options)), "E4031");
    assert_eq!(executor().block_on(echo.call_async(vec![8])).unwrap(), [8]);
    assert_eq!(host.status("a").unwrap().state, "Running");
    host.shutdown().unwrap();
}

fn futures_dropped_at_any_moment_leave_nothing_behind(kind: EngineKind) {
    let pooled = format!("{PATIENT}\n[instances]\nmode = \"pooled\"\nmax = 2\nwarm = 2");
    let (_world, host, told) = home(kind, "call_threads: 4, call_queue: 8", &pooled);
    // Never polled: nothing is called.
    drop(host.call_async("a", "spin", vec![]));
    for round in 0..200_u32 {
        let mut futures: Vec<_> =
            (0..round % 7).map(|_| Box::pin(host.call_async("a", "spin", vec![]))).collect();
        for future in &mut futures {
            drop(future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        }
        (0..round % 50).for_each(|_| std::thread::yield_now());
    }
    drop(told);
    let brief = CallOptions::new().timeout(Duration::from_secs(1));
    for _ in 0..4 {
        assert_eq!(host.call_with("a", "echo", vec![5], &brief).unwrap(), [5]);
    }
    executor().block_on(async {
        // The queue in front of it has been worked off when this is answered.
        assert_eq!(host.call_async("a", "echo", vec![6]).await.unwrap(), [6]);
    });
    let threads = host.hall().call_threads.threads();
    assert!((1..=4).contains(&threads), "{threads}");
    let text = host.metrics_text();
    assert!(text.contains("\nforgeone_call_queue_depth 0\n"), "{text}");
    assert!(text.contains("forgeone_plugin_queue_depth{plugin=\"a\"} 0\n"), "{text}");
    host.shutdown().unwrap();
}

fn shutting_down_answers_whoever_waits(kind: EngineKind) {
    let (_world, host, told) = home(kind, "call_threads: 1", "[limits]\ntimeout = \"300ms\"");
    let waker = Context::from_waker(Waker::noop());
    let mut context = waker;
    let mut spins = pin!(host.call_async("a", "spin", vec![]));
    let mut waits = pin!(host.call_async("a", "echo", vec![1]));
    assert!(spins.as_mut().poll(&mut context).is_pending());
    told.recv().unwrap();
    assert!(waits.as_mut().poll(&mut context).is_pending());
    host.clone().shutdown().unwrap();
    let late = executor().block_on(host.call_async("a", "echo", vec![1]));
    let (spun, waited) = (executor().block_on(spins), executor().block_on(waits));
    assert_eq!((code(spun), code(waited), code(late)), ("E4010", "E5003", "E5003"));
    assert_eq!(host.hall().call_threads.threads(), 0);
}
