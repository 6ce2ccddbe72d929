//! What to mask and with what, parsed once from the configuration. A mask that could itself be masked is refused.

use std::fmt;

use crate::redact::{Masked, redact};
use forgeone_pdk::Error;

/// Longest mask accepted, in bytes.
const MAX_MASK: usize = 64;

/// A kind of data that is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An e-mail address; `%40` counts as the at sign.
    Email,
    /// An IPv4 address in dotted form.
    Ipv4,
    /// An IPv6 address, with an IPv4 tail or without.
    Ipv6,
    /// A payment card number of 13 to 19 digits that passes Luhn.
    Card,
    /// The token after `Bearer`.
    Bearer,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Email, Self::Ipv4, Self::Ipv6, Self::Card, Self::Bearer];

    /// Its name in the configuration, the mask, the metrics and the statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Card => "card",
            Self::Bearer => "bearer",
        }
    }

    fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::from(format!("rules: there is no rule \"{}\"; the rules are {known}", name.escape_debug()))
        })
    }

    const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// The kinds to mask and the text put in place of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    kinds: u8,
    mask: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self { kinds: Kind::ALL.into_iter().fold(0, |bits, kind| bits | kind.bit()), mask: "[{kind}]".into() }
    }
}

impl Rules {
    /// From the configured `rules` and `mask`; what is not configured is the default.
    ///
    /// # Errors
    /// On an unknown or empty list of rules, and on a mask that is empty, longer than 64 bytes, has control
    /// characters, does not begin and end with a bracket, `*` or `#`, or looks like what it masks.
    pub fn parse(rules: Option<&str>, mask: Option<&str>) -> Result<Self, Error> {
        let mut parsed = Self::default();
        if let Some(mask) = mask {
            parsed.mask = check_mask(mask)?;
        }
        if let Some(rules) = rules {
            parsed.kinds = 0;
            for name in rules.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                parsed.kinds |= Kind::parse(name)?.bit();
            }
        }
        if parsed.kinds == 0 {
            return Err(Error::from("rules: none is named"));
        }
        Ok(parsed)
    }

    /// Whether this kind is masked.
    pub const fn masks(&self, kind: Kind) -> bool {
        self.kinds & kind.bit() != 0
    }

    /// The text put in place of this kind.
    pub fn mask(&self, kind: Kind) -> String {
        self.mask.replace("{kind}", kind.name())
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Kind::ALL.into_iter().filter(|kind| self.masks(*kind)).map(Kind::name).collect();
        write!(f, "{} with {}", names.join(", "), self.mask)
    }
}

/// The ends of a mask are characters no match can contain or touch, so masking a masked text changes nothing.
fn check_mask(mask: &str) -> Result<String, Error> {
    let refuse = |why: &str| Err(Error::from(format!("mask: {why}")));
    if mask.is_empty() || mask.len() > MAX_MASK || mask.contains(char::is_control) {
        return refuse("it is 1 to 64 bytes without control characters");
    }
    if !mask.starts_with(['[', '(', '{', '<', '*', '#']) || !mask.ends_with([']', ')', '}', '>', '*', '#']) {
        return refuse("it begins and ends with a bracket, `*` or `#`");
    }
    let rules = Rules { mask: mask.to_owned(), ..Rules::default() };
    for kind in Kind::ALL {
        let mut again = Vec::new();
        if redact(rules.mask(kind).as_bytes(), &rules, &mut again) != Masked::default() {
            return refuse("it looks like what it is to mask");
        }
    }
    // `{kind}` at an end would put a letter there.
    match mask.starts_with("{kind}") || mask.ends_with("{kind}") {
        true => refuse("`{kind}` stands between other characters"),
        false => Ok(mask.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_masks_every_kind() {
        let rules = Rules::parse(None, None).unwrap();
        assert!(Kind::ALL.into_iter().all(|kind| rules.masks(kind)));
        assert_eq!(rules.mask(Kind::Email), "[email]");
        assert_eq!(rules.to_string(), "email, ipv4, ipv6, card, bearer with [{kind}]");
    }

    #[test]
    fn a_choice_of_rules_masks_only_those() {
        let rules = Rules::parse(Some(" card , email,"), Some("***")).unwrap();
        let chosen: Vec<_> = Kind::ALL.into_iter().filter(|kind| rules.masks(*kind)).collect();
        assert_eq!(chosen, [Kind::Email, Kind::Card]);
        assert_eq!(rules.mask(Kind::Card), "***");
    }

    #[test]
    fn unknown_rules_and_no_rules_are_refused() {
        assert!(Rules::parse(Some("email,phone"), None).unwrap_err().message().contains("\"phone\""));
        assert!(Rules::parse(Some(" , "), None).is_err());
    }

    #[test]
    fn masks_that_could_be_masked_again_are_refused() {
        let long = format!("[{}]", "x".repeat(MAX_MASK));
        for bad in [
            "",
            "x",
            "[x",
            "x]",
            "{kind}",
            "[a@example.com]",
            "<192.0.2.1>",
            "[\n]",
            long.as_str(),
            "{kind}]",
        ] {
            assert!(Rules::parse(None, Some(bad)).is_err(), "{bad:?}");
        }
        for good in ["[x]", "*", "<removed {kind}>", "#{kind}#", "[{kind}]", "(\u{2026})"] {
            assert!(Rules::parse(None, Some(good)).is_ok(), "{good:?}");
        }
    }
}
