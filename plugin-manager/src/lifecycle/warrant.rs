//! Whether a plugin may still be run: asked before each instance is made, and once it is over, over for good.

use common::cancel::CancelToken;
use common::error::Code;

/// Why a plugin may not be run, or not any more.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct Withdrawn {
    /// The stable code of the reason.
    pub code: &'static Code,
    /// The reason, with its causes.
    pub why: String,
}

/// The right to run one plugin.
pub trait Warrant: Send + Sync {
    /// Whether an instance may be made now.
    ///
    /// # Errors
    /// Why not.
    fn holds(&self) -> Result<(), Withdrawn>;
    /// Cancelled when the right is gone for good: calls in flight end, and none begins.
    fn over(&self) -> &CancelToken;
}

/// The right to run code of the host's own program, which nobody withdraws.
#[derive(Debug, Default)]
pub struct Unconditional(CancelToken);

impl Warrant for Unconditional {
    fn holds(&self) -> Result<(), Withdrawn> {
        Ok(())
    }
    fn over(&self) -> &CancelToken {
        &self.0
    }
}
