//! The plugin's own section of the configuration. Needs no permission.

use std::fmt;
use std::str::FromStr;

use forgeone_abi::names::syscall::CONFIG_GET;

use crate::call::{simple, text};
use crate::error::{Error, HostError, found};

/// The value of a key of the plugin's own section, or `None` when it is not set.
///
/// # Errors
/// The host's status.
pub fn get(key: &str) -> Result<Option<String>, HostError> {
    found(simple(CONFIG_GET, &[key.as_bytes()], text(CONFIG_GET)))
}

/// The value of a key as a number, a truth value or whatever else is read from text; `None` when it is not set.
///
/// # Errors
/// The host's status, or that the value is none: with the key, the value and why.
pub fn parse<T>(key: &str) -> Result<Option<T>, Error>
where
    T: FromStr<Err: fmt::Display>,
{
    let Some(text) = get(key)? else { return Ok(None) };
    text.parse().map(Some).map_err(|error| {
        Error::new(Error::GENERAL, format_args!("the setting `{key}` cannot be {text:?}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn settings_are_parsed_or_say_why_not() {
        let host = Host::install();
        host.set_config("most", "12");
        assert_eq!(parse::<u64>("most").unwrap(), Some(12));
        assert_eq!(parse::<u64>("least").unwrap(), None);
        let error = parse::<bool>("most").unwrap_err();
        assert!(error.message().starts_with("the setting `most` cannot be \"12\": "), "{error}");
    }

    #[test]
    fn settings_are_read() {
        let host = Host::install();
        host.set_config("mask", "[x]");
        assert_eq!(get("mask").unwrap().as_deref(), Some("[x]"));
        assert_eq!(get("rules").unwrap(), None);
    }
}
