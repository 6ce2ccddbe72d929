//! Which trace a call belongs to, as the W3C recommendation Trace Context spells it in `traceparent`.

use std::fmt;
use std::str::FromStr;

/// Bytes of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// A place in a trace: the trace, the span that is the parent of what follows, and whether anybody keeps it.
///
/// ```
/// use common::trace::TraceContext;
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context: TraceContext = text.parse()?;
/// assert_eq!((context.trace_id(), context.to_string()), ("4bf92f3577b34da6a3ce929d0e0e4736".into(), text.into()));
/// # Ok::<(), common::trace::BadTraceParent>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    sampled: bool,
}

/// Why a text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a traceparent is 00-(32 hexadecimal digits)-(16)-(2), in lower case, with no id of zeros")]
pub struct BadTraceParent;

impl TraceContext {
    /// A place of these numbers; `None` when one of them is 0, which names nothing.
    pub fn new(trace: u128, span: u64, sampled: bool) -> Option<Self> {
        (trace != 0 && span != 0).then_some(Self { trace, span, sampled })
    }
    /// The same trace, at a span with this number; `None` when it is 0.
    #[must_use]
    pub fn at(self, span: u64) -> Option<Self> {
        Self::new(self.trace, span, self.sampled)
    }
    /// The trace, in 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
    /// The span, in 16 hexadecimal digits.
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span)
    }
    /// The number of the span.
    pub const fn span(&self) -> u64 {
        self.span
    }
    /// Whether the caller keeps this trace.
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl FromStr for TraceContext {
    type Err = BadTraceParent;

    /// Reads a `traceparent`. Of a version this does not know, the part it knows counts, as the recommendation says.
    fn from_str(text: &str) -> Result<Self, BadTraceParent> {
        let (known, more) = text.split_at_checked(LENGTH).ok_or(BadTraceParent)?;
        let mut parts = known.split('-');
        let mut next = |digits| hex(parts.next()?, digits);
        let (version, trace, span, flags) = (next(2), next(32), next(16), next(2));
        let version = version.filter(|version| *version != 0xff).ok_or(BadTraceParent)?;
        let longer = version > 0 && more.starts_with('-');
        if parts.next().is_some() || !(more.is_empty() || longer) {
            return Err(BadTraceParent);
        }
        let span = span.and_then(|span| u64::try_from(span).ok());
        let (trace, span, flags) = (trace.ok_or(BadTraceParent)?, span.ok_or(BadTraceParent)?, flags);
        Self::new(trace, span, flags.ok_or(BadTraceParent)? & 1 == 1).ok_or(BadTraceParent)
    }
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let fits = text.len() == digits && text.bytes().all(plain);
    fits.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_recommendation_refuses_is_refused() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context: TraceContext = good.parse().unwrap();
        assert_eq!((context.span_id().as_str(), context.is_sampled()), ("00f067aa0ba902b7", true));
        assert!(good.replace("-01", "-00").parse::<TraceContext>().is_ok_and(|c| !c.is_sampled()));
        assert!(format!("01{}-more", &good[2..]).parse::<TraceContext>().is_ok(), "a later version");
        for bad in [
            "",
            &good[..54],
            &format!("{good}-"),
            &format!("{good}0"),
            &good.to_uppercase(),
            &good.replacen("00-", "ff-", 1),
            &format!("01{}x", &good[2..]),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &good.replace('-', "_"),
            &good.replace("4bf9", "4bg9"),
        ] {
            assert_eq!(bad.parse::<TraceContext>(), Err(BadTraceParent), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_any_text_is_read_or_refused(trace: u128, span: u64, sampled: bool, noise in ".{0,60}") {
            if let Some(context) = TraceContext::new(trace, span, sampled) {
                prop_assert_eq!(context.to_string().parse(), Ok(context));
            }
            let _ = noise.parse::<TraceContext>();
        }
    }
}
