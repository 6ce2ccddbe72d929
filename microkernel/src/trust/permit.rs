//! The only file that makes a [`Permit`].

/// Proof that an action was allowed. Cannot be made, copied or kept outside the kernel's two rooms.
#[derive(Debug)]
pub struct Permit {
    epoch: u64,
    // The policies' number, and in the lowest bits whether it gives a secret and whether it was remembered. Two whole words: a permit is handed
    // up on every host call, and smaller fields are put back together there at several times the cost.
    mark: u64,
}

impl Permit {
    #[inline]
    pub(super) const fn new(epoch: u64, policies: u32, cached: bool) -> Self {
        Self { epoch, mark: (policies as u64) << 2 | cached as u64 }
    }
    /// The same, for an action that gives what a policy labels secret, when it does.
    #[inline]
    pub(super) const fn giving_secret(self, secret: bool) -> Self {
        Self { epoch: self.epoch, mark: self.mark | (secret as u64) << 1 }
    }
    /// The policy epoch it was decided in.
    #[inline]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }
    /// Which policies decided; `TrustEvaluator::policy_ids` gives their names.
    #[inline]
    pub const fn policies(&self) -> u32 {
        (self.mark >> 2) as u32
    }
    /// Whether the action gives what a policy labels secret.
    #[inline]
    pub const fn gives_secret(&self) -> bool {
        self.mark & 2 == 2
    }
    /// Whether the decision came from a cache.
    #[inline]
    pub const fn cached(&self) -> bool {
        self.mark & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_says_what_it_was_made_of() {
        for (policies, cached) in [(0, false), (0, true), (u32::MAX, false), (u32::MAX, true)] {
            for secret in [false, true] {
                let permit = Permit::new(7, policies, cached).giving_secret(secret);
                assert_eq!((permit.epoch(), permit.policies(), permit.cached()), (7, policies, cached));
                assert_eq!(permit.gives_secret(), secret);
            }
        }
    }
}
