//! The negative statuses a host function may return, and the levels of `log_at`.

/// Why a host function refused, as the guest sees it. Every status is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
pub enum Status {
    /// Policy, or the manifest's permissions, do not allow it.
    Denied = -1,
    /// There is no such key, file, variable or plugin.
    NotFound = -2,
    /// A pointer, length, argument list or value is malformed.
    Invalid = -3,
    /// A limit or a quota is used up.
    Limit = -4,
    /// The deadline passed.
    Timeout = -5,
    /// The service exists and cannot answer now.
    Unavailable = -6,
    /// The host failed.
    Internal = -7,
    /// This build has no system call of that name.
    UnknownSyscall = -8,
    /// The state is not the expected one.
    Conflict = -9,
}

/// [`Status::Denied`] as a number.
pub const DENIED: i32 = Status::Denied.code();
/// [`Status::NotFound`] as a number.
pub const NOT_FOUND: i32 = Status::NotFound.code();
/// [`Status::Invalid`] as a number.
pub const INVALID: i32 = Status::Invalid.code();
/// [`Status::Limit`] as a number.
pub const LIMIT: i32 = Status::Limit.code();
/// [`Status::Timeout`] as a number.
pub const TIMEOUT: i32 = Status::Timeout.code();
/// [`Status::Unavailable`] as a number.
pub const UNAVAILABLE: i32 = Status::Unavailable.code();
/// [`Status::Internal`] as a number.
pub const INTERNAL: i32 = Status::Internal.code();
/// [`Status::UnknownSyscall`] as a number.
pub const UNKNOWN_SYSCALL: i32 = Status::UnknownSyscall.code();
/// [`Status::Conflict`] as a number.
pub const CONFLICT: i32 = Status::Conflict.code();

impl Status {
    /// Every status, from -1 downwards.
    pub const ALL: [Self; 9] = [
        Self::Denied,
        Self::NotFound,
        Self::Invalid,
        Self::Limit,
        Self::Timeout,
        Self::Unavailable,
        Self::Internal,
        Self::UnknownSyscall,
        Self::Conflict,
    ];

    /// The number that crosses the boundary: -1 to -9.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status with this number, if ABI 1 has one.
    pub const fn from_code(code: i32) -> Option<Self> {
        Some(match code {
            -1 => Self::Denied,
            -2 => Self::NotFound,
            -3 => Self::Invalid,
            -4 => Self::Limit,
            -5 => Self::Timeout,
            -6 => Self::Unavailable,
            -7 => Self::Internal,
            -8 => Self::UnknownSyscall,
            -9 => Self::Conflict,
            _ => return None,
        })
    }

    /// The word used in records and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotFound => "not found",
            Self::Invalid => "invalid",
            Self::Limit => "limit",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::UnknownSyscall => "unknown syscall",
            Self::Conflict => "conflict",
        }
    }
}

impl core::fmt::Display for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Status {}

/// The level of one log line, in rising severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
pub enum LogLevel {
    /// 0: every step.
    Trace = 0,
    /// 1: what helps its author.
    Debug = 1,
    /// 2: what an operator may want to see. The level of `log`.
    Info = 2,
    /// 3: something is off, the call goes on.
    Warn = 3,
    /// 4: the call failed.
    Error = 4,
}

impl LogLevel {
    /// Every level, from 0 upwards.
    pub const ALL: [Self; 5] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The number that crosses the boundary: 0 to 4.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The level with this number, if there is one.
    pub const fn from_code(code: i32) -> Option<Self> {
        Some(match code {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            _ => return None,
        })
    }

    /// The word used in log files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn statuses_have_the_numbers_of_the_contract() {
        let contract = [
            (DENIED, -1, "denied"),
            (NOT_FOUND, -2, "not found"),
            (INVALID, -3, "invalid"),
            (LIMIT, -4, "limit"),
            (TIMEOUT, -5, "timeout"),
            (UNAVAILABLE, -6, "unavailable"),
            (INTERNAL, -7, "internal"),
            (UNKNOWN_SYSCALL, -8, "unknown syscall"),
            (CONFLICT, -9, "conflict"),
        ];
        assert_eq!(contract.len(), Status::ALL.len());
        for ((constant, number, name), status) in contract.into_iter().zip(Status::ALL) {
            assert_eq!(constant, number);
            assert_eq!(status.code(), number);
            assert_eq!(Status::from_code(number), Some(status));
            assert_eq!(status.to_string(), name);
        }
        for other in [0, 1, -10, i32::MIN, i32::MAX] {
            assert_eq!(Status::from_code(other), None);
        }
    }

    #[test]
    fn levels_have_the_numbers_of_the_contract() {
        let names = ["trace", "debug", "info", "warn", "error"];
        for (number, level) in (0..).zip(LogLevel::ALL) {
            assert_eq!(level.code(), number);
            assert_eq!(LogLevel::from_code(number), Some(level));
        }
        assert_eq!(LogLevel::ALL.map(LogLevel::name), names);
        assert_eq!(LogLevel::from_code(5), None);
        assert_eq!(LogLevel::from_code(-1), None);
    }
}
