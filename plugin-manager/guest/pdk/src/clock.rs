//! The host's clock. Needs the permission `clock` now.

use forgeone_abi::names::syscall::TIME_NOW;
use forgeone_abi::wire::read_u64;

use crate::call::simple;
use crate::error::HostError;

/// Nanoseconds since 1970.
///
/// # Errors
/// The host's status.
pub fn now() -> Result<u64, HostError> {
    simple(TIME_NOW, &[], |response| read_u64(response).map_err(HostError::malformed(TIME_NOW)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn the_time_is_the_hosts() {
        let host = Host::install();
        host.set_time(42);
        assert_eq!(now().unwrap(), 42);
    }
}
