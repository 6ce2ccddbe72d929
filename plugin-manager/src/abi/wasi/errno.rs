//! The error numbers of preview 1 that these functions answer, and what a status of the bridge becomes.

use crate::abi::OutOfBounds;
use crate::syscall::Status;

/// Why a function did not do it. The numbers are those of `wasi_snapshot_preview1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Errno {
    /// Policy or grants do not allow it.
    Access = 2,
    /// The descriptor is not open, or not for this.
    BadDescriptor = 8,
    /// It is there already.
    Exists = 20,
    /// A pointer or length outside memory.
    Fault = 21,
    /// The file would be larger than files can be.
    TooLarge = 22,
    /// An argument makes no sense.
    Invalid = 28,
    /// The host failed.
    Io = 29,
    /// A directory where a file is needed.
    IsDirectory = 31,
    /// The instance has as many descriptors as it may have.
    TooManyOpen = 33,
    /// A name is too long.
    NameTooLong = 37,
    /// There is no such file or directory.
    NotFound = 44,
    /// A quota or a rate is used up.
    NoSpace = 51,
    /// There is no such function here.
    NoFunction = 52,
    /// A file where a directory is needed.
    NotDirectory = 54,
    /// The directory is not empty.
    NotEmpty = 55,
    /// The function exists and plugins are not offered it.
    NotSupported = 58,
    /// A number does not fit.
    Overflow = 61,
    /// The descriptor has no position.
    NoSeek = 70,
    /// The deadline passed, or the call was given up.
    TimedOut = 73,
    /// The descriptor's rights, or its directory, do not reach that far.
    NotCapable = 76,
}

impl Errno {
    /// The number.
    pub(super) const fn number(self) -> i32 {
        self as i32
    }

    /// What is wrong with a call that was not understood or is not offered, so that it has to be recorded here:
    /// the rest the bridge has recorded, or nothing outside the instance was asked for.
    pub(super) const fn complaint(self) -> Option<&'static str> {
        match self {
            Self::Fault => Some("a pointer or length outside memory"),
            Self::NotSupported | Self::NoFunction => Some("not offered to plugins"),
            _ => None,
        }
    }
}

impl From<OutOfBounds> for Errno {
    fn from(_: OutOfBounds) -> Self {
        Self::Fault
    }
}

impl From<Status> for Errno {
    fn from(status: Status) -> Self {
        match status {
            Status::Denied => Self::Access,
            Status::NotFound => Self::NotFound,
            Status::Invalid => Self::Invalid,
            Status::Limit => Self::NoSpace,
            Status::Timeout => Self::TimedOut,
            Status::Unavailable | Status::Internal => Self::Io,
            Status::Unknown => Self::NoFunction,
            Status::Conflict => Self::Exists,
        }
    }
}
