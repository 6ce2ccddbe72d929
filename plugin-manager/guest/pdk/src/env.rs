//! Variables the operator configured for this plugin. Needs the permission `env` read.

use forgeone_abi::names::{STATE_VERSION_VARIABLE, import::ENV_GET};

use crate::call::{text, variable};
use crate::error::{HostError, found};

/// The value of a variable, or `None` when it is not set.
///
/// # Errors
/// The host's status.
pub fn get(key: &str) -> Result<Option<String>, HostError> {
    found(variable(key, text(ENV_GET)))
}

/// The version that saved the state given to [`Stateful::load`](crate::Stateful::load).
///
/// # Errors
/// The host's status.
pub fn state_version() -> Result<Option<String>, HostError> {
    get(STATE_VERSION_VARIABLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn variables_are_read() {
        let host = Host::install();
        host.set_env("FORGE_STATE_VERSION", "1.1.0");
        assert_eq!(state_version().unwrap().as_deref(), Some("1.1.0"));
        assert_eq!(get("HOME").unwrap(), None);
    }
}
