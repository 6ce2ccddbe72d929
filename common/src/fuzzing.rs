//! What a parser made of bytes from a fuzzer, for checks that only this crate's private types allow.

/// What became of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was refused; the text says why.
    Refused(String),
    /// It was read, and what the check compares was equal.
    Accepted,
    /// It was read and something that must hold does not: a finding.
    Broken(&'static str),
}

impl Verdict {
    /// Accepted when `holds`, otherwise broken for this reason.
    pub const fn accepted_if(holds: bool, otherwise: &'static str) -> Self {
        if holds { Self::Accepted } else { Self::Broken(otherwise) }
    }
}
