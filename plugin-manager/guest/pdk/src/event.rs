//! Events others may listen to. Needs the permission `observability` event.

use forgeone_abi::names::syscall::EVENT_EMIT;

use crate::call::{nothing, simple};
use crate::error::HostError;

/// Emits an event of a type, with its details as a JSON text.
///
/// # Errors
/// The host's status.
pub fn emit(kind: &str, json: &str) -> Result<(), HostError> {
    simple(EVENT_EMIT, &[kind.as_bytes(), json.as_bytes()], nothing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn events_reach_the_host() {
        let host = Host::install();
        emit("done", "{}").unwrap();
        assert_eq!(host.events(), [("done".to_owned(), "{}".to_owned())]);
    }
}
