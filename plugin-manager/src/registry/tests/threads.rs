//! Calls from many threads beside every step an operator can take.

use super::{Guest, World, on_each_engine};
use crate::runtime::EngineKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

on_each_engine! {
    calls_beside_every_step_answer_or_are_refused
    plugins_that_are_brought_up_at_once_come_up_once
}

/// Ends the calls however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn calls_beside_every_step_answer_or_are_refused(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("a").package(), true).unwrap();
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let _over = Over(&over);
        for i in 0..8 {
            let (host, over, answered) = (&host, &over, &answered);
            scope.spawn(move || {
                let mut echo = host.handle("a").unwrap().operation("echo").unwrap();
                let mut output = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    let done = if i % 2 == 0 {
                        host.call("a", "echo", vec![7]).map(|out| output = out)
                    } else {
                        echo.call(&mut vec![7], &mut output)
                    };
                    match done {
                        Ok(()) => {
                            assert_eq!(output, [7]);
                            answered.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => assert!(["E5003", "E4010"].contains(&error.code().id), "{error}"),
                    }
                }
            });
        }
        for _ in 0..12 {
            let before = answered.load(Ordering::SeqCst);
            while answered.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
            assert_eq!(host.pause("a").unwrap().state, "Paused");
            assert_eq!(host.resume("a").unwrap().state, "Running");
            assert_eq!(host.stop("a").unwrap().state, "Stopped");
            // A call may have brought it up between the wish and the start; either way it runs then.
            assert_eq!(host.start("a").unwrap().state, "Running");
        }
    });
    let status = host.status("a").unwrap();
    assert_eq!(
        (status.state.as_str(), status.desired.as_str(), status.failure),
        ("Running", "running", None)
    );
    host.call("a", "echo", vec![]).unwrap();
    host.shutdown().unwrap();
}

fn plugins_that_are_brought_up_at_once_come_up_once(kind: EngineKind) {
    let world = World::development(kind);
    let host = world.open();
    host.install(&Guest::new("base").package(), true).unwrap();
    for name in ["p0", "p1", "p2"] {
        let guest = Guest::new(name).tables("[dependencies]\nbase = \"^1\"");
        host.install(&guest.package(), true).unwrap();
    }
    host.shutdown().unwrap();
    let host = world.open();
    let before = world.recorded(&host, &["\"to\":\"Running\""]);
    std::thread::scope(|scope| {
        for i in 0..8 {
            let host = &host;
            scope.spawn(move || host.call(&format!("p{}", i % 3), "echo", vec![]).unwrap());
        }
    });
    assert_eq!(world.recorded(&host, &["\"to\":\"Running\""]) - before, 4);
    assert!(host.list().unwrap().iter().all(|p| p.state == "Running"));
    host.shutdown().unwrap();
}
