//! What was done and masked: counted, stored as one line of text, shown as JSON.

use crate::redact::Masked;
use crate::rules::Kind;
use forgeone_pdk::Error;

/// First word of a stored record.
const VERSION: &str = "v1";

/// Counts of one call, a session, or all time. Sums stop at the largest u64.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls of `redact`.
    pub calls: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Time of the last call, nanoseconds since 1970; 0 when the clock was denied.
    pub last: u64,
    /// Matches of each kind.
    pub masked: Masked,
}

impl Tally {
    /// The tally of one call.
    pub fn of_call(bytes: usize, masked: Masked, at: u64) -> Self {
        Self { calls: 1, bytes: u64::try_from(bytes).unwrap_or(u64::MAX), last: at, masked }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.last = self.last.max(other.last);
        for (kind, count) in other.masked.iter() {
            self.masked.add(kind, count);
        }
    }

    /// One line: the version, then every number in order.
    pub fn encode(&self) -> String {
        let mut line = format!("{VERSION} {} {} {}", self.calls, self.bytes, self.last);
        for (_, count) in self.masked.iter() {
            line.push_str(&format!(" {count}"));
        }
        line
    }

    /// Reads what [`Tally::encode`] wrote.
    ///
    /// # Errors
    /// When it is another version or not exactly those numbers.
    pub fn decode(record: &[u8]) -> Result<Self, Error> {
        let damaged = || Error::from("the record of the counters is damaged or of another version");
        let mut words = std::str::from_utf8(record).map_err(|_| damaged())?.split(' ');
        if words.next() != Some(VERSION) {
            return Err(damaged());
        }
        let mut number = || words.next().and_then(|word| word.parse().ok()).ok_or_else(damaged);
        let mut tally =
            Self { calls: number()?, bytes: number()?, last: number()?, masked: Masked::default() };
        for kind in Kind::ALL {
            tally.masked.add(kind, number()?);
        }
        words.next().map_or(Ok(tally), |_| Err(damaged()))
    }

    /// A JSON object.
    pub fn to_json(&self) -> String {
        let masked: Vec<_> =
            self.masked.iter().map(|(kind, count)| format!("\"{}\":{count}", kind.name())).collect();
        format!(
            "{{\"calls\":{},\"bytes\":{},\"last_ns\":{},\"masked\":{{{}}}}}",
            self.calls,
            self.bytes,
            self.last,
            masked.join(",")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tally(numbers: [u64; 8]) -> Tally {
        let [calls, bytes, last, masked @ ..] = numbers;
        let mut tally = Tally { calls, bytes, last, masked: Masked::default() };
        Kind::ALL.into_iter().zip(masked).for_each(|(kind, count)| tally.masked.add(kind, count));
        tally
    }

    #[test]
    fn json_names_every_kind() {
        assert_eq!(
            tally([1, 2, 3, 4, 5, 6, 7, 8]).to_json(),
            r#"{"calls":1,"bytes":2,"last_ns":3,"masked":{"email":4,"ipv4":5,"ipv6":6,"card":7,"bearer":8}}"#
        );
    }

    #[test]
    fn damaged_records_are_refused() {
        let good = tally([1; 8]).encode();
        for bad in [
            "",
            "v1",
            "v2 1 1 1 1 1 1 1 1",
            &good[..good.len() - 2],
            &format!("{good} 1"),
            &good.replace(' ', "  "),
        ] {
            assert!(Tally::decode(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Tally::decode(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn records_are_read_back(numbers: [u64; 8]) {
            let tally = tally(numbers);
            prop_assert_eq!(Tally::decode(tally.encode().as_bytes()).unwrap(), tally);
        }

        #[test]
        fn any_record_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "v1( [0-9]{0,22}){0,10}") {
            let _ = Tally::decode(&bytes);
            if let Ok(tally) = Tally::decode(text.as_bytes()) {
                prop_assert_eq!(Tally::decode(tally.encode().as_bytes()).unwrap(), tally);
            }
        }
    }
}
