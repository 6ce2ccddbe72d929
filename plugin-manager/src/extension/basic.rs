//! `ping`, `time_now`, `time_monotonic`, `time_sleep`, `random`: what needs nothing but the call itself.

use super::service::{NO_TARGET, Service, invalid, limit, number, required};
use common::cancel::{CancelToken, OnCancel};
use common::clock::Clock;
use common::identity::IdentityContext;
use microkernel::syscall_bridge::{Call, CallError, Status, Target, list};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

/// Most bytes one `random` answers.
const RANDOM_BYTES: u64 = 64 << 10;
/// Longest one `time_sleep` waits, in nanoseconds. An instance that is to end is ended when it returns.
const SLEEP_NS: u64 = 100_000_000;

/// Answers `pong`.
pub(super) struct Ping;

impl Service for Ping {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        none(args)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        call.response.extend_from_slice(b"pong");
        Ok(())
    }
}

/// Answers the wall time, nanoseconds since 1970, as u64.
pub(super) struct TimeNow;

impl Service for TimeNow {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        none(args)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        call.response.extend_from_slice(&call.clock.wall_ns().to_le_bytes());
        Ok(())
    }
}

/// Answers the monotonic time, nanoseconds since a point that stays the same as long as the host runs, as u64.
pub(super) struct TimeMonotonic;

impl Service for TimeMonotonic {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        none(args)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        call.response.extend_from_slice(&call.clock.mono_ns().to_le_bytes());
        Ok(())
    }
}

/// Waits so many nanoseconds, at most [`SLEEP_NS`], or until the call's deadline or the end of its caller's patience.
pub(super) struct TimeSleep;

impl Service for TimeSleep {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [span] = list::<1>(args, 1)?;
        number(required(span)?).map(|_| NO_TARGET)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let [span] = list::<1>(call.args, 1)?;
        let span = number(required(span)?)?;
        if span > SLEEP_NS {
            return Err(limit("a longer sleep than one call waits"));
        }
        let span = Duration::from_nanos(span);
        let left = call.deadline.remaining(call.clock);
        let allowed = left.map_or(span, |left| span.min(left));
        let given_up = wait(allowed, call.cancel, call.clock);
        if given_up || allowed < span {
            return Err(CallError::new(Status::Timeout, "the call may not last as long"));
        }
        Ok(())
    }
}

/// Wakes the thread that waits.
struct Alarm {
    sleeper: Thread,
    rung: AtomicBool,
}

impl OnCancel for Alarm {
    fn cancelled(&self) {
        self.rung.store(true, Ordering::Release);
        self.sleeper.unpark();
    }
}

/// Waits so long by this clock, or until the token is given up; whether it was.
fn wait(span: Duration, cancel: Option<&CancelToken>, clock: &dyn Clock) -> bool {
    let alarm = Arc::new(Alarm { sleeper: std::thread::current(), rung: AtomicBool::new(false) });
    let _listening = cancel.map(|token| token.listen(alarm.clone()));
    let began = clock.mono_ns();
    loop {
        if alarm.rung.load(Ordering::Acquire) {
            return true;
        }
        let waited = Duration::from_nanos(clock.mono_ns().saturating_sub(began));
        match span.checked_sub(waited) {
            Some(left) if !left.is_zero() => std::thread::park_timeout(left),
            _ => return false,
        }
    }
}

/// Answers random bytes of the operating system.
pub(super) struct Random;

impl Service for Random {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [length] = list::<1>(args, 1)?;
        number(required(length)?).map(|_| NO_TARGET)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let [length] = list::<1>(call.args, 1)?;
        let length = number(required(length)?)?;
        if length > RANDOM_BYTES {
            return Err(limit("more than 64 KiB of random bytes"));
        }
        let length = usize::try_from(length).map_err(|_| limit("more than 64 KiB of random bytes"))?;
        call.response.resize(length, 0);
        common::crypto::random(call.response)
            .map_err(|_| CallError::new(Status::Unavailable, "the system has no randomness"))
    }
}

fn none(args: &[u8]) -> Result<Target<'static>, CallError> {
    if args.is_empty() { Ok(NO_TARGET) } else { Err(invalid("arguments where none are taken")) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Host, args, n};
    use super::*;
    use common::clock::SystemClock;

    #[test]
    fn ping_answers_pong_and_takes_no_arguments() {
        let host = Host::new();
        assert_eq!(host.call("ping", args()), Ok(b"pong".to_vec()));
        assert_eq!(host.call("ping", args().arg("x")), Err(Status::Invalid));
    }

    #[test]
    fn time_now_is_the_wall_clock_in_nanoseconds() {
        let host = Host::new();
        host.clock.jump_to(1_234_567_890_123_456_789);
        let expected = 1_234_567_890_123_456_789u64.to_le_bytes().to_vec();
        assert_eq!(host.call("time_now", args()), Ok(expected));
        assert_eq!(host.call("time_now", args().arg("")), Err(Status::Invalid));
    }

    #[test]
    fn monotonic_time_does_not_follow_the_wall_clock() {
        let host = Host::new();
        host.clock.advance(Duration::from_nanos(7));
        host.clock.jump_to(5);
        assert_eq!(host.call("time_monotonic", args()), Ok(7u64.to_le_bytes().to_vec()));
        assert_eq!(host.call("time_monotonic", args().arg("x")), Err(Status::Invalid));
    }

    #[test]
    fn a_sleep_lasts_its_time_and_ends_when_it_is_given_up() {
        let host = Host::new();
        assert_eq!(host.call("time_sleep", args().arg(n(0))), Ok(Vec::new()));
        assert_eq!(host.call("time_sleep", args()), Err(Status::Invalid));
        assert_eq!(host.call("time_sleep", args().arg(n(SLEEP_NS + 1))), Err(Status::Limit));
        let clock = SystemClock::start().unwrap();
        let before = clock.mono_ns();
        assert!(!wait(Duration::from_millis(3), Some(&CancelToken::new()), &*clock));
        assert!(clock.mono_ns() - before >= 3_000_000);
        let (token, long) = (CancelToken::new(), Duration::from_secs(3600));
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| wait(long, Some(&token), &*clock));
            token.cancel();
            assert!(sleeper.join().unwrap());
        });
        assert!(wait(long, Some(&token), &*clock), "given up before it began");
    }

    #[test]
    fn random_gives_the_bytes_asked_for_up_to_its_limit() {
        let host = Host::new();
        assert_eq!(host.call("random", args().arg(n(0))), Ok(Vec::new()));
        let most = host.call("random", args().arg(n(65_536))).unwrap();
        assert_eq!(most.len(), 65_536);
        assert_ne!(most, host.call("random", args().arg(n(65_536))).unwrap());
        assert_eq!(host.call("random", args().arg(n(65_537))), Err(Status::Limit));
        assert_eq!(host.call("random", args().arg(n(u64::MAX))), Err(Status::Limit));
        assert_eq!(host.call("random", args()), Err(Status::Invalid));
        assert_eq!(host.call("random", args().arg([1, 2, 3])), Err(Status::Invalid));
    }
}
