//! The only file that makes a [`Permit`].

/// Proof that an action was allowed. Cannot be made, copied or kept outside the kernel's two rooms.
#[derive(Debug)]
pub struct Permit {
    epoch: u64,
    policies: u32,
    cached: bool,
}

impl Permit {
    pub(super) const fn new(epoch: u64, policies: u32, cached: bool) -> Self {
        Self { epoch, policies, cached }
    }
    /// The policy epoch it was decided in.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }
    /// Which policies decided; `TrustEvaluator::policy_ids` gives their names.
    pub const fn policies(&self) -> u32 {
        self.policies
    }
    /// Whether the decision came from a cache.
    pub const fn cached(&self) -> bool {
        self.cached
    }
}
