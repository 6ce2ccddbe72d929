//! Spans of this plugin within the trace of its caller. Needs the permission `observability` trace.

use forgeone_abi::names::syscall as name;

use crate::call::{call, nothing, simple, text};
use crate::error::HostError;

/// A span that is open. It ends with [`Span::end`], when it is dropped, with the span around it, or with the call.
///
/// ```
/// let host = forgeone_pdk::testing::Host::install();
/// let span = forgeone_pdk::trace::span("parse", &[("format", "csv")])?;
/// assert!(span.traceparent().starts_with("00-"));
/// span.end()?;
/// assert_eq!(host.spans(), ["parse"]);
/// # Ok::<(), forgeone_pdk::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    traceparent: String,
}

/// Opens a span with at most 8 attributes.
///
/// # Errors
/// The host's status; limit when the call has 64 spans open.
pub fn span(name: &str, attributes: &[(&str, &str)]) -> Result<Span, HostError> {
    let flat: Vec<&[u8]> = attributes.iter().flat_map(|(k, v)| [k.as_bytes(), v.as_bytes()]).collect();
    let opened = call(
        name::SPAN_BEGIN,
        |args| {
            args.put(name.as_bytes())?;
            args.put_list(&flat)
        },
        text(name::SPAN_BEGIN),
    );
    opened.map(|traceparent| Span { traceparent })
}

impl Span {
    /// Where in the trace it is, as the header `traceparent` spells it. `http` requests carry it by themselves.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// Ends it.
    ///
    /// # Errors
    /// The host's status; not found when it has ended with the span around it.
    pub fn end(self) -> Result<(), HostError> {
        let mut span = std::mem::ManuallyDrop::new(self);
        close(&std::mem::take(&mut span.traceparent))
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        // One that has ended already is no trouble.
        let _ended = close(&self.traceparent);
    }
}

fn close(traceparent: &str) -> Result<(), HostError> {
    simple(name::SPAN_END, &[traceparent.as_bytes()], nothing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;
    use forgeone_abi::Status;

    #[test]
    fn spans_end_when_they_are_dropped_or_ended() {
        let host = Host::install();
        {
            let _outer = span("outer", &[]).unwrap();
            span("inner", &[("k", "v")]).unwrap().end().unwrap();
        }
        assert_eq!(host.spans(), ["outer", "inner"]);
        assert_eq!(host.calls(), ["span_begin", "span_begin", "span_end", "span_end"]);
        let (outer, inner) = (span("outer", &[]).unwrap(), span("inner", &[]).unwrap());
        outer.end().unwrap();
        assert_eq!(inner.end().unwrap_err().status(), Status::NotFound);
    }

    #[test]
    fn a_refusal_is_a_status() {
        let host = Host::install();
        host.deny("span_begin");
        assert_eq!(span("a", &[]).unwrap_err().status(), Status::Denied);
        assert_eq!(host.spans(), [""; 0]);
    }
}
