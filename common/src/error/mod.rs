//! One error shape at every boundary: a stable code, its class, what happened, why, and what to try next.
//!
//! Each room has its own error enum. At a public boundary it becomes a [`ForgeError`]. Only a shell ends a
//! process or answers a request with what a class stands for.

use std::error::Error;
use std::fmt;

mod explain;
mod table;
pub use explain::{Explanation, RESERVED, explain, explanations, index};
pub use table::{ALL, codes};

/// What kind of failure a code stands for. Exactly one class belongs to each code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// A fault of the host or of input and output. Exit 1.
    Internal,
    /// Bad usage or bad configuration. Exit 2.
    Usage,
    /// A package, its integrity, signature, certificate or trust was refused. Exit 3.
    Refused,
    /// Denied by policy. Exit 4.
    Denied,
    /// The plugin failed: a nonzero status or a trap. Exit 5.
    Plugin,
    /// A limit or a timeout. Exit 6.
    Limit,
    /// Not found, or in conflict with the current state. Exit 7.
    State,
    /// The audit log is damaged or unavailable. Exit 8.
    Audit,
}

impl ErrorClass {
    /// The word used in `--json` output and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Plugin => "plugin",
            Self::Limit => "limit",
            Self::State => "state",
            Self::Audit => "audit",
        }
    }
}

/// A stable error code: an entry of the one table from which messages, help and error pages are made.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// `E1204` and the like.
    pub id: &'static str,
    /// The class every error with this code has.
    pub class: ErrorClass,
    /// What the code means, in a few words, lower case.
    pub title: &'static str,
    /// The next thing to try, as a sentence without a full stop.
    pub help: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// A room's error that can say its code.
///
/// The `Display` text is the message; the chain of `source()` gives the reasons.
pub trait Coded: Error + Send + Sync + 'static {
    /// The code of this error.
    fn code(&self) -> &'static Code;

    /// The next thing to try, where this error knows better than its code.
    fn help(&self) -> Option<String> {
        None
    }

    /// Reasons beyond the source chain: one line each.
    fn reasons(&self) -> Vec<String> {
        Vec::new()
    }
}

/// An error as a caller outside a room sees it.
///
/// ```
/// use common::error::{ForgeError, codes, ErrorClass};
/// let e = ForgeError::new(&codes::E1201, "package log-redactor 1.2.0 is not signed")
///     .reason("production refuses unsigned packages");
/// assert_eq!(e.class(), ErrorClass::Refused);
/// assert_eq!(e.code().id, "E1201");
/// ```
///
/// `Debug` is the whole of it in words, for a `main` that returns it prints that.
pub struct ForgeError(Box<Inner>);

struct Inner {
    code: &'static Code,
    message: String,
    reasons: Vec<String>,
    help: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ForgeError {
    /// An error with this code and message.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), reasons: Vec::new(), help: None, source: None }))
    }

    /// Adds one reason line.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.0.reasons.push(reason.into());
        self
    }

    /// Replaces the code's own advice on what to try next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The same error for another caller: its code, message, reasons and help, without the source itself.
    pub fn again(&self) -> Self {
        let Inner { code, message, reasons, help, .. } = &*self.0;
        let (message, reasons, help) = (message.clone(), reasons.clone(), help.clone());
        Self(Box::new(Inner { code, message, reasons, help, source: None }))
    }

    /// The stable code.
    pub fn code(&self) -> &'static Code {
        self.0.code
    }

    /// The class of the code.
    pub fn class(&self) -> ErrorClass {
        self.0.code.class
    }

    /// What happened, without code or reasons.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Why, one line each; the chain of sources is included.
    pub fn reasons(&self) -> &[String] {
        &self.0.reasons
    }

    /// The next thing to try.
    pub fn help(&self) -> &str {
        self.0.help.as_deref().unwrap_or(self.0.code.help)
    }
}

impl fmt::Display for ForgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// `E1201: …`, the reasons and the help, a line each; what would end a line or colour it is escaped.
impl fmt::Debug for ForgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), OneLine(self.message()))?;
        for reason in self.reasons() {
            write!(f, "\nreason: {}", OneLine(reason))?;
        }
        write!(f, "\nhelp: {}", OneLine(self.help()))
    }
}

/// A text without what is not printable.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|c| match c {
            '"' | '\'' | '\\' => f.write_char(c),
            c => write!(f, "{}", c.escape_debug()),
        })
    }
}

impl Error for ForgeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}

impl<E: Coded> From<E> for ForgeError {
    fn from(e: E) -> Self {
        let mut reasons = e.reasons();
        let mut next = e.source();
        while let Some(s) = next {
            reasons.push(s.to_string());
            next = s.source();
        }
        let (code, message, help) = (e.code(), e.to_string(), e.help());
        Self(Box::new(Inner { code, message, reasons, help, source: Some(Box::new(e)) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_complete() {
        let mut ids: Vec<_> = ALL.iter().map(|c| c.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ALL.len());
        for code in ALL {
            assert!(code.id.len() == 5 && code.id.starts_with('E'), "{}", code.id);
            assert!(!code.title.is_empty() && !code.help.is_empty(), "{}", code.id);
            assert!(!code.help.ends_with('.'), "{}", code.id);
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);
    impl Coded for Outer {
        fn code(&self) -> &'static Code {
            &codes::E0002
        }
    }

    #[test]
    fn a_room_error_keeps_its_source_chain_as_reasons() {
        let e = ForgeError::from(Outer(std::io::Error::other("disk on fire")));
        assert_eq!(e.message(), "outer");
        assert_eq!(e.reasons(), ["disk on fire"]);
        assert_eq!(e.help(), codes::E0002.help);
        assert!(Error::source(&e).is_some());
        let again = e.again();
        assert_eq!((again.message(), again.reasons(), again.help()), (e.message(), e.reasons(), e.help()));
    }

    #[test]
    fn a_main_that_returns_an_error_prints_what_a_person_can_read() {
        let e =
            ForgeError::new(&codes::E1201, "x 1.0.0 is not \"signed\"").reason("two\nlines\u{1b}\u{202e}");
        let e: Box<dyn Error> = Box::new(e);
        assert_eq!(
            format!("{e:?}"),
            "E1201: x 1.0.0 is not \"signed\"\nreason: two\\nlines\\u{1b}\\u{202e}\nhelp: sign it with `forgeone sign`"
        );
    }
}
