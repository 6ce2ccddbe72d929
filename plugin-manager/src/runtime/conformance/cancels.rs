//! Calls their callers give up: before they begin, while guest code runs, while the host works for it.

use super::{Bench, Running, conformance};
use crate::runtime::{Lifecycle, RuntimeError, Terms, Trap};
use crate::syscall::Chain;
use common::cancel::CancelToken;
use common::clock::Deadline;
use std::time::Duration;

conformance! {
    a_guest_that_does_not_end_ends_when_its_call_is_given_up
    a_guest_that_lives_in_host_calls_ends_when_its_call_is_given_up
    a_call_given_up_before_it_begins_leaves_the_instance_as_it_is
    a_token_ends_no_call_but_its_own
    a_call_that_can_be_given_up_still_has_its_deadline
    what_is_answered_before_it_is_given_up_is_answered
    a_start_function_that_does_not_end_ends_when_it_is_given_up
    many_calls_given_up_at_any_moment_end_as_one_or_the_other
}

/// Longer than a test may take.
const LONG: Duration = Duration::from_secs(120);

/// Operation 0 tells that it runs and does not end; operation 1 counts up to its input's length and answers.
const SPINS: &str = r#"(data (i32.const 64) "ping")
    (func $tell (drop (call $syscall (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
    (func (export "op_a") (param i32) (result i32) (call $tell) (loop $l (br $l)) (i32.const 0))
    (func (export "op_b") (param $n i32) (result i32)
      (loop $l (br_if $l (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0)))) (i32.const 0))
    (func (export "op_c") (param i32) (result i32) (loop $l (call $tell) (br $l)) (i32.const 0))"#;

fn spins<'a>(bench: &'a Bench, told: impl Fn() + Send + 'static) -> Running<'a> {
    let port = |port: crate::syscall::testing::FakePort| {
        port.answering("ping", move |_| {
            told();
            Ok(Vec::new())
        })
    };
    bench.guest(SPINS).limits(|l| l.timeout = LONG).port(port).run()
}

/// Calls operation `index` under this token.
fn call(guest: &mut Running<'_>, index: u16, input: &[u8], token: &CancelToken) -> Result<i32, Trap> {
    let (mut input, mut output) = (input.to_vec(), Vec::new());
    let chain = Chain::new();
    let terms = Terms::new(Deadline::after(&*guest.bench.clock, guest.timeout), &chain);
    let terms = terms.cancelled_by(Some(token));
    guest.execution.operation(index, &mut input, &mut output, terms).map(|outcome| outcome.status)
}

fn a_guest_that_does_not_end_ends_when_its_call_is_given_up(bench: &Bench) {
    let token = CancelToken::new();
    let (tell, told) = std::sync::mpsc::channel();
    let mut guest = spins(bench, move || tell.send(()).unwrap());
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| call(&mut guest, 0, b"", &token));
        told.recv().unwrap();
        token.cancel();
        assert_eq!(caller.join().unwrap(), Err(Trap::Cancelled));
    });
    assert_eq!(guest.status(), Err(Trap::Dropped));
}

fn a_guest_that_lives_in_host_calls_ends_when_its_call_is_given_up(bench: &Bench) {
    let token = CancelToken::new();
    let other = token.clone();
    // From inside the host call itself.
    let mut guest = spins(bench, move || other.cancel());
    assert_eq!(call(&mut guest, 2, b"", &token), Err(Trap::Cancelled));
}

fn a_call_given_up_before_it_begins_leaves_the_instance_as_it_is(bench: &Bench) {
    let token = CancelToken::new();
    token.cancel();
    let mut guest = spins(bench, || ());
    assert_eq!(call(&mut guest, 0, b"", &token), Err(Trap::Unwanted));
    assert_eq!(call(&mut guest, 1, b"abc", &CancelToken::new()), Ok(0));
    assert_eq!(guest.call(1, b"abc").unwrap().0.status, 0, "the token of an earlier call is forgotten");
}

fn a_token_ends_no_call_but_its_own(bench: &Bench) {
    let (first, second) = (CancelToken::new(), CancelToken::new());
    let mut guest = spins(bench, || ());
    assert_eq!(call(&mut guest, 1, b"a", &first), Ok(0));
    first.cancel();
    assert_eq!(call(&mut guest, 1, &[0; 1_000_000], &second), Ok(0));
}

fn a_call_that_can_be_given_up_still_has_its_deadline(bench: &Bench) {
    let mut guest = spins(bench, || ());
    guest.timeout = Duration::from_millis(50);
    assert_eq!(call(&mut guest, 0, b"", &CancelToken::new()), Err(Trap::Deadline));
}

fn what_is_answered_before_it_is_given_up_is_answered(bench: &Bench) {
    let mut guest = spins(bench, || ());
    // Long enough to be looked at many times on the way.
    assert_eq!(call(&mut guest, 1, &[0; 10_000_000], &CancelToken::new()), Ok(0));
    assert!(guest.execution.is_alive());
}

fn a_start_function_that_does_not_end_ends_when_it_is_given_up(bench: &Bench) {
    let wat =
        format!("(module {} {} (func $f (loop $l (br $l))) (start $f))", super::MEMORY, super::LIFECYCLE);
    let module = bench.compile(&wat).unwrap();
    let plan = super::plan_of(&wat);
    let (chain, token) = (Chain::new(), CancelToken::new());
    let terms = Terms::new(Deadline::after(&*bench.clock, LONG), &chain).cancelled_by(Some(&token));
    let port = crate::syscall::testing::FakePort::new(bench.clock.clone());
    std::thread::scope(|scope| {
        let made = scope.spawn(move || {
            let limits = crate::sandbox::Limits { timeout: LONG, ..Default::default() };
            super::Execution::new(
                &*bench.engine,
                &module,
                &plan,
                &limits,
                Box::new(port),
                &CancelToken::new(),
                terms,
            )
            .err()
        });
        token.cancel();
        let trap = match made.join().unwrap() {
            Some(RuntimeError::Instantiate(trap)) => trap,
            other => panic!("{other:?}"),
        };
        assert!(matches!(trap, Trap::Cancelled | Trap::Unwanted), "{trap}");
    });
}

/// The race: short calls that are given up at about their end, on an instance that is used as long as it lives.
fn many_calls_given_up_at_any_moment_end_as_one_or_the_other(bench: &Bench) {
    let mut guest = spins(bench, || ());
    let (mut answered, mut ended) = (0, 0);
    let (send, receive) = std::sync::mpsc::channel::<CancelToken>();
    let canceller = std::thread::spawn(move || receive.into_iter().for_each(|token| token.cancel()));
    for round in 0..600_usize {
        let token = CancelToken::new();
        send.send(token.clone()).unwrap();
        match call(&mut guest, 1, &vec![0; round * 500], &token) {
            Ok(0) => answered += 1,
            Err(Trap::Unwanted) => ended += 1,
            Err(Trap::Cancelled) => {
                ended += 1;
                guest = spins(bench, || ());
            }
            other => panic!("{other:?}"),
        }
        // Nobody can give this one up.
        assert_eq!(guest.call(1, b"abc").unwrap().0.status, 0);
    }
    drop(send);
    canceller.join().unwrap();
    assert_eq!(answered + ended, 600);
    assert!(guest.lifecycle(Lifecycle::Stop).is_ok());
}
