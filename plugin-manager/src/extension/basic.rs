//! `ping`, `time_now`, `random`: what needs nothing but the call itself.

use super::service::{NO_TARGET, Service, invalid, limit, number, required};
use common::identity::IdentityContext;
use microkernel::syscall_bridge::{Call, CallError, Status, Target, list};

/// Most bytes one `random` answers.
const RANDOM_BYTES: u64 = 64 << 10;

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
