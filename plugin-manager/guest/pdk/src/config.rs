//! The plugin's own section of the configuration. Needs no permission.

use forgeone_abi::names::syscall::CONFIG_GET;

use crate::call::{simple, text};
use crate::error::{HostError, found};

/// The value of a key of the plugin's own section, or `None` when it is not set.
///
/// # Errors
/// The host's status.
pub fn get(key: &str) -> Result<Option<String>, HostError> {
    found(simple(CONFIG_GET, &[key.as_bytes()], text(CONFIG_GET)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn settings_are_read() {
        let host = Host::install();
        host.set_config("mask", "[x]");
        assert_eq!(get("mask").unwrap().as_deref(), Some("[x]"));
        assert_eq!(get("rules").unwrap(), None);
    }
}
