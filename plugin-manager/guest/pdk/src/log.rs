//! Log lines of the plugin: they go to the host's file for this plugin, never to the audit log.

use std::fmt;

use forgeone_abi::LogLevel;

use crate::host;

/// Writes one line at `level`. The macros [`trace!`](crate::trace), [`debug!`](crate::debug),
/// [`info!`](crate::info), [`warn!`](crate::warn) and [`error!`](crate::error) call this.
pub fn write(level: LogLevel, line: fmt::Arguments<'_>) {
    match line.as_str() {
        Some(text) => host::log_at(level.code(), text),
        None => host::log_at(level.code(), &line.to_string()),
    }
}

/// Logs a line at trace level, formatted as `format!` does.
#[macro_export]
macro_rules! trace {
    ($($line:tt)+) => { $crate::log::write($crate::LogLevel::Trace, ::core::format_args!($($line)+)) };
}

/// Logs a line at debug level, formatted as `format!` does.
#[macro_export]
macro_rules! debug {
    ($($line:tt)+) => { $crate::log::write($crate::LogLevel::Debug, ::core::format_args!($($line)+)) };
}

/// Logs a line at info level, formatted as `format!` does.
#[macro_export]
macro_rules! info {
    ($($line:tt)+) => { $crate::log::write($crate::LogLevel::Info, ::core::format_args!($($line)+)) };
}

/// Logs a line at warn level, formatted as `format!` does.
#[macro_export]
macro_rules! warn {
    ($($line:tt)+) => { $crate::log::write($crate::LogLevel::Warn, ::core::format_args!($($line)+)) };
}

/// Logs a line at error level, formatted as `format!` does.
#[macro_export]
macro_rules! error {
    ($($line:tt)+) => { $crate::log::write($crate::LogLevel::Error, ::core::format_args!($($line)+)) };
}

#[cfg(test)]
mod tests {
    use crate::testing::Host;
    use forgeone_abi::LogLevel;

    #[test]
    fn every_level_reaches_the_host() {
        let host = Host::install();
        let n = 2;
        crate::trace!("one");
        crate::debug!("{n}");
        crate::info!("{}", 3);
        crate::warn!("four");
        crate::error!("five");
        let texts = ["one", "2", "3", "four", "five"].map(String::from);
        assert_eq!(host.logs(), LogLevel::ALL.into_iter().zip(texts).collect::<Vec<_>>());
    }
}
