//! The port of an instance that repeats calls others have answered: it may look, and nothing it does leaves it.

use super::{LogLevel, Status, Surroundings, SyscallPort};
use common::clock::Deadline;
use microkernel::trust::Chain;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The host calls such an instance may make: those that change nothing, inside the host or outside. Every other, those
/// a host program added among them, is answered with [`Status::Unavailable`].
pub const SHADOW_CALLS: [&str; 11] = [
    "ping",
    "file_read",
    "file_stat",
    "file_list",
    "kv_get",
    "kv_list",
    "time_now",
    "time_monotonic",
    "time_sleep",
    "random",
    "config_get",
];

/// A port in front of another that lets [`SHADOW_CALLS`] and variables through, and nothing else. Log lines are dropped:
/// the instance that answered the call has written them.
pub struct ShadowPort {
    inner: Box<dyn SyscallPort>,
    suppressed: Arc<AtomicU64>,
}

impl std::fmt::Debug for ShadowPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShadowPort").field("suppressed", &self.suppressed).finish_non_exhaustive()
    }
}

impl ShadowPort {
    /// A port in front of `inner`. Host calls that it does not make are counted in `suppressed`.
    pub fn new(inner: Box<dyn SyscallPort>, suppressed: Arc<AtomicU64>) -> Self {
        Self { inner, suppressed }
    }
}

impl SyscallPort for ShadowPort {
    fn begin(&mut self, deadline: Deadline, chain: &Chain) {
        self.inner.begin(deadline, chain);
    }
    fn end(&mut self) {
        self.inner.end();
    }
    fn syscall(&mut self, name: &[u8], args: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        if SHADOW_CALLS.iter().any(|known| known.as_bytes() == name) {
            return self.inner.syscall(name, args, response);
        }
        response.clear();
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        Err(Status::Unavailable)
    }
    fn env_get(&mut self, key: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
        self.inner.env_get(key, response)
    }
    fn log(&mut self, _: LogLevel, _: &[u8]) {}
    fn invalid(&mut self, import: &'static str, what: &'static str) {
        self.inner.invalid(import, what);
    }
    fn limited(&mut self, import: &'static str, what: &'static str) {
        self.inner.limited(import, what);
    }
    fn surroundings(&self) -> Surroundings {
        self.inner.surroundings()
    }
    fn expired(&self) -> bool {
        self.inner.expired()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use microkernel::syscall_bridge::builtin_actions;

    /// Lets everything through and answers with the name.
    struct Open;

    impl SyscallPort for Open {
        fn begin(&mut self, _: Deadline, _: &Chain) {}
        fn end(&mut self) {}
        fn syscall(&mut self, name: &[u8], _: &[u8], response: &mut Vec<u8>) -> Result<(), Status> {
            response.splice(.., name.iter().copied());
            Ok(())
        }
        fn env_get(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<(), Status> {
            Ok(())
        }
        fn log(&mut self, _: LogLevel, _: &[u8]) {
            panic!("a line left the instance");
        }
        fn invalid(&mut self, _: &'static str, _: &'static str) {}
        fn expired(&self) -> bool {
            false
        }
    }

    #[test]
    fn calls_with_effects_and_calls_of_others_stay_inside_and_are_counted() {
        let suppressed = Arc::new(AtomicU64::new(0));
        let mut port = ShadowPort::new(Box::new(Open), suppressed.clone());
        let mut response = b"old".to_vec();
        for name in SHADOW_CALLS {
            port.syscall(name.as_bytes(), b"", &mut response).unwrap();
            assert_eq!(response, name.as_bytes());
        }
        assert_eq!(suppressed.load(Ordering::Relaxed), 0);
        let with_effects = [
            "file_write",
            "file_append",
            "file_delete",
            "kv_set",
            "kv_delete",
            "kv_cas",
            "http_request",
            "secret_reveal",
            "auth_verify",
            "metric_record",
            "event_emit",
            "plugin_call",
            "acme_added",
            "",
        ];
        for name in with_effects {
            assert_eq!(port.syscall(name.as_bytes(), b"", &mut response), Err(Status::Unavailable), "{name}");
            assert!(response.is_empty());
        }
        assert_eq!(suppressed.load(Ordering::Relaxed), with_effects.len() as u64);
        port.log(LogLevel::Error, b"line");
    }

    #[test]
    fn whatever_it_may_call_is_a_call_of_this_host() {
        let actions = builtin_actions();
        for name in SHADOW_CALLS {
            assert!(actions.iter().any(|action| action.name == name), "{name}");
        }
    }
}
