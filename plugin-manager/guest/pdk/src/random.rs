//! Random bytes of the host. Needs the permission `random` bytes.

use forgeone_abi::Status;
use forgeone_abi::names::syscall::RANDOM;

use crate::call::simple;
use crate::error::HostError;

/// Fills `buffer`, at most 64 KiB.
///
/// # Errors
/// The host's status; [`Status::Internal`] when it answers another number of bytes.
pub fn fill(buffer: &mut [u8]) -> Result<(), HostError> {
    let length = u64::try_from(buffer.len()).map_err(|_| HostError::new(RANDOM, Status::Limit))?;
    simple(RANDOM, &[&length.to_le_bytes()], |response| {
        if response.len() != buffer.len() {
            return Err(HostError::new(RANDOM, Status::Internal));
        }
        buffer.copy_from_slice(response);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn the_buffer_is_filled_or_left_alone() {
        let host = Host::install();
        let mut buffer = [0; 32];
        fill(&mut buffer).unwrap();
        assert_ne!(buffer, [0; 32]);
        let mut long = vec![0; 64 * 1024 + 1];
        assert_eq!(fill(&mut long).unwrap_err().status(), Status::Limit);
        host.deny("random");
        let before = buffer;
        assert_eq!(fill(&mut buffer).unwrap_err().status(), Status::Denied);
        assert_eq!(buffer, before);
    }
}
