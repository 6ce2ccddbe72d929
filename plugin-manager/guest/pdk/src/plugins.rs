//! Operations of other plugins. Needs the permission `plugins` call.

use forgeone_abi::names::syscall::PLUGIN_CALL;

use crate::call::{bytes, simple};
use crate::error::HostError;

/// Calls an operation of another plugin and answers its output.
///
/// # Errors
/// The host's status: the callee's own failure is internal, its denial denied, and a call back into a plugin
/// that is already waiting on the chain a conflict.
pub fn call(plugin: &str, operation: &str, input: &[u8]) -> Result<Vec<u8>, HostError> {
    simple(PLUGIN_CALL, &[plugin.as_bytes(), operation.as_bytes(), input], bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;
    use forgeone_abi::Status;

    #[test]
    fn the_callee_answers_or_its_status_does() {
        let host = Host::install();
        host.plugin("rules", "count", |input| Ok(input.len().to_string().into_bytes()));
        host.plugin("rules", "back", |_| Err(Status::Conflict));
        assert_eq!(call("rules", "count", b"abc").unwrap(), b"3");
        assert_eq!(call("rules", "back", b"").unwrap_err().status(), Status::Conflict);
        assert_eq!(call("other", "count", b"").unwrap_err().status(), Status::NotFound);
    }
}
