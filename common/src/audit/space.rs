//! How much room the disk of a log has, and what that allows.

use super::error::AuditError;
use super::options::AuditOptions;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Whether the disk of a log has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Space {
    /// Enough.
    #[default]
    Ample,
    /// Less than [`AuditOptions::warn_free`]: this many bytes.
    Low(u64),
    /// Less than [`AuditOptions::refuse_free`]: this many bytes. Class A is refused.
    Exhausted(u64),
}

impl Space {
    /// The action of the record that says so.
    pub(super) const fn action(self) -> &'static str {
        match self {
            Self::Ample => "disk_ample",
            Self::Low(_) => "disk_low",
            Self::Exhausted(_) => "disk_exhausted",
        }
    }

    fn of(free: u64, options: &AuditOptions) -> Self {
        if free < options.refuse_free {
            Self::Exhausted(free)
        } else if free < options.warn_free {
            Self::Low(free)
        } else {
            Self::Ample
        }
    }
}

/// What the committer last saw.
#[derive(Debug)]
pub(super) struct SpaceGauge {
    free: AtomicU64,
    space: Mutex<Space>,
}

impl Default for SpaceGauge {
    fn default() -> Self {
        Self { free: AtomicU64::new(u64::MAX), space: Mutex::default() }
    }
}

impl SpaceGauge {
    /// Notes what is free. The new state when it is another than before.
    pub(super) fn look(&self, free: u64, options: &AuditOptions) -> Option<Space> {
        self.free.store(free, Relaxed);
        let now = Space::of(free, options);
        let mut space = self.space.lock();
        let changed = std::mem::discriminant(&now) != std::mem::discriminant(&space);
        *space = now;
        changed.then_some(now)
    }

    pub(super) fn now(&self) -> Space {
        *self.space.lock()
    }

    pub(super) fn free(&self) -> u64 {
        self.free.load(Relaxed)
    }

    /// Whether a privileged action may be recorded.
    pub(super) fn check(&self, least: u64) -> Result<(), AuditError> {
        let free = self.free();
        if free >= least {
            return Ok(());
        }
        Err(AuditError::Refused(format!(
            "{free} bytes are free on its disk, {least} are kept for what protects"
        )))
    }
}
