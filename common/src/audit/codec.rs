//! A record as 64-bit words and back: what decodes is what was encoded, and other words decode to nothing.

use super::record::{Decision, Outcome, Record};
use std::borrow::Cow;

/// What a summary says of the actions it stands for. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Summary {
    pub n: u64,
    pub errors: u64,
    pub first_ns: u64,
    pub last_ns: u64,
    pub latency_ms: u64,
}

/// What a record carries beyond its own facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    None,
    /// One counted action's latency in milliseconds.
    Latency(u64),
    Summary(Summary),
}

/// A record with the time it was taken, its actor rendered.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    pub wall_ns: u64,
    pub mono_ns: u64,
    pub event: &'a str,
    pub outcome: Outcome,
    pub code: Option<&'a str>,
    pub actor: &'a str,
    pub action: &'a str,
    pub resource: (&'a str, &'a str),
    pub decision: Option<Decision<'a>>,
    pub details: Cow<'a, [(&'a str, &'a str)]>,
    pub extra: Extra,
}

impl<'a> Entry<'a> {
    /// The entry of a record taken at this time.
    pub(super) fn of(record: &Record<'a>, wall_ns: u64, mono_ns: u64) -> Self {
        Self {
            wall_ns,
            mono_ns,
            event: record.event,
            outcome: record.outcome,
            code: record.code,
            actor: record.actor.json(),
            action: record.action,
            resource: record.resource,
            decision: record.decision,
            details: Cow::Borrowed(record.details),
            extra: Extra::None,
        }
    }

    /// How many words [`Entry::encode`] makes.
    pub(super) fn words(&self) -> usize {
        let mut counter = Counter(0);
        self.encode(&mut counter);
        counter.0
    }

    pub(super) fn encode(&self, to: &mut impl Sink) {
        let decision = self.decision.unwrap_or_default();
        to.word(self.tag());
        to.word(self.wall_ns);
        to.word(self.mono_ns);
        if self.decision.is_some() {
            to.word(decision.epoch);
            to.text(decision.policies);
        }
        match self.extra {
            Extra::None => {}
            Extra::Latency(ms) => to.word(ms),
            Extra::Summary(s) => {
                [s.n, s.errors, s.first_ns, s.last_ns, s.latency_ms].into_iter().for_each(|w| to.word(w));
            }
        }
        for text in [self.actor, self.event, self.action, self.resource.0, self.resource.1] {
            to.text(text);
        }
        if let Some(code) = self.code {
            to.text(code);
        }
        for (name, value) in self.details.iter() {
            to.text(name);
            to.text(value);
        }
    }

    fn tag(&self) -> u64 {
        let extra = match self.extra {
            Extra::None => 0,
            Extra::Latency(_) => 1,
            Extra::Summary(_) => 2,
        };
        u64::from(self.outcome.to_byte())
            | u64::from(self.code.is_some()) << 8
            | u64::from(self.decision.is_some()) << 9
            | u64::from(self.decision.is_some_and(|d| d.cached)) << 10
            | extra << 16
            | (self.details.len() as u64) << 32
    }

    /// Reads an entry back from the bytes of its words. `None` when they are not one.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut from = Source(bytes);
        let tag = from.word()?;
        let (wall_ns, mono_ns) = (from.word()?, from.word()?);
        let decision = if tag >> 9 & 1 == 1 {
            let epoch = from.word()?;
            Some(Decision { epoch, policies: from.text()?, cached: tag >> 10 & 1 == 1 })
        } else {
            None
        };
        let extra = from.extra(tag >> 16 & 0xff)?;
        let [actor, event, action, kind, name] =
            [from.text()?, from.text()?, from.text()?, from.text()?, from.text()?];
        let code = if tag >> 8 & 1 == 1 { Some(from.text()?) } else { None };
        let details = from.pairs(tag >> 32)?;
        let outcome = Outcome::from_byte(tag.to_le_bytes()[0])?;
        let resource = (kind, name);
        let details = Cow::Owned(details);
        let entry = Self {
            wall_ns,
            mono_ns,
            event,
            outcome,
            code,
            actor,
            action,
            resource,
            decision,
            details,
            extra,
        };
        from.0.is_empty().then_some(entry)
    }
}

/// Where words go.
pub(super) trait Sink {
    fn word(&mut self, word: u64);

    /// The length in bytes, then the bytes, zero-padded to whole words.
    fn text(&mut self, text: &str) {
        let (whole, rest) = text.as_bytes().as_chunks::<8>();
        self.word(text.len() as u64);
        whole.iter().for_each(|chunk| self.word(u64::from_le_bytes(*chunk)));
        if !rest.is_empty() {
            let word = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.word(word);
        }
    }
}

impl Sink for Vec<u64> {
    fn word(&mut self, word: u64) {
        self.push(word);
    }
}

struct Counter(usize);

impl Sink for Counter {
    fn word(&mut self, _: u64) {
        self.0 += 1;
    }
    fn text(&mut self, text: &str) {
        self.0 += 1 + text.len().div_ceil(8);
    }
}

struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }
    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.word()?).ok()?;
        let padded = length.checked_next_multiple_of(8)?;
        let (text, rest) = self.0.split_at_checked(padded)?;
        self.0 = rest;
        std::str::from_utf8(text.get(..length)?).ok()
    }
    fn extra(&mut self, kind: u64) -> Option<Extra> {
        match kind {
            0 => Some(Extra::None),
            1 => Some(Extra::Latency(self.word()?)),
            2 => Some(Extra::Summary(Summary {
                n: self.word()?,
                errors: self.word()?,
                first_ns: self.word()?,
                last_ns: self.word()?,
                latency_ms: self.word()?,
            })),
            _ => None,
        }
    }
    /// `count` is not believed before the pairs have been read: nothing is reserved for it.
    fn pairs(&mut self, count: u64) -> Option<Vec<(&'a str, &'a str)>> {
        let mut pairs = Vec::new();
        for _ in 0..count {
            pairs.push((self.text()?, self.text()?));
        }
        Some(pairs)
    }
}

/// The bytes of words, as [`Entry::decode`] wants them.
pub(super) fn bytes_of(words: impl IntoIterator<Item = u64>, to: &mut Vec<u8>) {
    to.clear();
    words.into_iter().for_each(|word| to.extend_from_slice(&word.to_le_bytes()));
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in super::super) fn plain<'a>(name: &'a str) -> Entry<'a> {
        Entry {
            wall_ns: 1_700_000_000_123_000_000,
            mono_ns: 5,
            event: "host_call",
            outcome: Outcome::Ok,
            code: None,
            actor: r#"{"host":"t"}"#,
            action: "kv_set",
            resource: ("key", name),
            decision: None,
            details: Cow::Borrowed(&[]),
            extra: Extra::None,
        }
    }

    fn round_trip(entry: &Entry<'_>) {
        let mut words = Vec::new();
        entry.encode(&mut words);
        assert_eq!(words.len(), entry.words());
        let mut bytes = Vec::new();
        bytes_of(words, &mut bytes);
        assert_eq!(format!("{:?}", Entry::decode(&bytes).unwrap()), format!("{entry:?}"));
        for cut in 0..bytes.len() {
            assert!(Entry::decode(&bytes[..cut]).is_none(), "{cut}");
        }
    }

    #[test]
    fn every_optional_part_round_trips() {
        round_trip(&plain(""));
        let summary = Summary { n: 1, errors: 2, first_ns: 3, last_ns: 4, latency_ms: 5 };
        round_trip(&Entry {
            outcome: Outcome::Denied,
            code: Some("E2002"),
            decision: Some(Decision { policies: "a,b", epoch: 9, cached: true }),
            details: Cow::Borrowed(&[("k", "v"), ("", "long enough to take more than one word")]),
            extra: Extra::Summary(summary),
            ..plain("a/b/c\u{1F600}")
        });
        round_trip(&Entry { extra: Extra::Latency(8), outcome: Outcome::Limit, ..plain("x") });
    }

    proptest! {
        #[test]
        fn any_text_round_trips(name in ".{0,80}", code in proptest::option::of(".{0,9}"), epoch: u64) {
            let decision = Some(Decision { policies: &name, epoch, cached: false });
            round_trip(&Entry { code: code.as_deref(), decision, ..plain(&name) });
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Entry::decode(&bytes);
        }
    }
}
