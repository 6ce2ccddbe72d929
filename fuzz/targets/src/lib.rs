//! What is fuzzed: one function for each parser that reads bytes from outside, and what must hold of its answers.
//!
//! A target panics when something that must hold does not. The same functions run under libFuzzer (`fuzz/fuzz_targets`),
//! under the mutation runner of this crate ([`run`]) and, briefly, in this crate's tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target's panic is its finding, and bytes are made here, not believed"
)]

mod audit;
mod calls;
mod choice;
mod documents;
pub mod files;
mod journal;
pub mod meter;
mod module;
mod mutate;
mod package;
mod policy;
mod proofs;
pub mod run;
mod tar_file;
mod wasi;
mod web;
mod words;

use std::hash::{DefaultHasher, Hasher};

/// Something that reads bytes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Longest input, in bytes.
    pub max_len: usize,
    /// Words of its grammar.
    pub tokens: &'static [&'static str],
    /// Most bytes it may hold while it reads one input.
    pub memory: usize,
    /// How many changed inputs a test tries.
    pub smoke: u64,
    /// Reads one input. Panics on a finding.
    pub body: fn(&[u8]) -> Seen,
    /// Inputs that are read to their end, made by what writes such inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    /// The target of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

/// Every target, by name.
pub const TARGETS: &[Target] = &[
    calls::ARGS,
    audit::LINE,
    audit::CHECKPOINT,
    audit::RECORD,
    audit::SEGMENT,
    proofs::BUNDLE,
    proofs::CERTIFICATE,
    documents::CONFIG,
    package::ENTRIES,
    calls::HOST_CALLS,
    documents::JSON,
    journal::KV_JOURNAL,
    documents::MANIFEST,
    module::MODULE,
    package::PACKAGE,
    words::PERMISSION,
    documents::PLUGIN_TOML,
    policy::POLICY,
    proofs::STATEMENT,
    tar_file::TAR,
    web::TOKEN,
    documents::TRUST_TOML,
    web::URL,
    wasi::WASI,
];

/// Reads one input with the target of this name, for libFuzzer.
///
/// # Panics
/// On a finding, and when there is no such target.
pub fn read(target: &str, input: &[u8]) {
    let target = Target::find(target).expect("the target exists");
    if input.len() <= target.max_len {
        (target.body)(input);
    }
}

/// What a target made of an input, so that inputs of a new kind are kept. It tells answers apart, not code paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen(u64);

impl Seen {
    /// An input that was read to its end; `kind` tells such inputs apart.
    pub fn accepted(kind: u64) -> Self {
        Self(kind.wrapping_mul(2) | 1)
    }
    /// An input that was refused for this reason. Numbers and what stands in quotes are left out: they are the
    /// input's own.
    pub fn refused(reason: &impl std::fmt::Display) -> Self {
        let mut hasher = DefaultHasher::new();
        let mut quoted = false;
        for byte in reason.to_string().bytes() {
            if matches!(byte, b'`' | b'"') {
                quoted = !quoted;
            } else if !quoted && !byte.is_ascii_digit() {
                hasher.write_u8(byte);
            }
        }
        Self(hasher.finish() << 1)
    }
    /// Two answers as one.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.rotate_left(17) ^ other.0)
    }
    /// The verdict of a crate's own check.
    ///
    /// # Panics
    /// On a broken promise.
    pub fn of(verdict: common::fuzzing::Verdict) -> Self {
        match verdict {
            common::fuzzing::Verdict::Accepted => Self::accepted(0),
            common::fuzzing::Verdict::Refused(why) => Self::refused(&why),
            common::fuzzing::Verdict::Broken(promise) => panic!("{promise}"),
        }
    }
}

/// An error with everything people are told of it.
fn told(error: &(impl common::error::Coded + ?Sized)) -> String {
    let mut text = format!("{error}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!(" | {inner}"));
        source = inner.source();
    }
    for reason in error.reasons() {
        text.push_str(&reason);
    }
    text.push_str(&error.help().unwrap_or_default());
    text.push_str(error.code().id);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_names_of_their_own() {
        let mut names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TARGETS.len());
        assert!(TARGETS.iter().all(|target| Target::find(target.name).is_some()));
    }

    #[test]
    fn refusals_are_told_apart_by_their_words() {
        let kind = |text: &str| Seen::refused(&text);
        assert_eq!(kind("line 3: `a` is wrong"), kind("line 12: `b` is wrong"));
        assert_ne!(kind("line 3: `a` is wrong"), kind("line 3: `a` is missing"));
        assert_ne!(Seen::accepted(1), Seen::accepted(2));
    }
}
