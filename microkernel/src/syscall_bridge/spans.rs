//! The spans a plugin opened in the call it serves: nested, bounded, and over when the call is.

use common::crypto::random;
use common::identity::PluginIdentity;
use common::trace::TraceContext;

/// Most spans one call may have open.
pub const OPEN_SPANS: usize = 64;

/// Why a span was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// [`OPEN_SPANS`] are open.
    #[error("64 spans are open")]
    Full,
    /// There was no random number to name it by.
    #[error("a span could not be named")]
    Unnamed,
}

#[derive(Debug)]
struct Open {
    context: TraceContext,
    /// The span as `tracing` knows it: it ends when this is dropped.
    span: tracing::Span,
}

/// The spans of one instance. Each is a `tracing` span `plugin.span` of target `forgeone::span`, whose parent is the span
/// of the plugin around it, or else the span in which the program made the call.
#[derive(Debug, Default)]
pub struct Spans {
    within: Option<TraceContext>,
    open: Vec<Open>,
}

impl Spans {
    /// Where in a trace the plugin is: at its innermost open span, or where its caller was.
    pub fn context(&self) -> Option<TraceContext> {
        self.open.last().map(|open| open.context).or(self.within)
    }

    /// Opens a span within the innermost that is open. Without a trace around it, it begins one.
    ///
    /// # Errors
    /// [`SpanError`].
    pub fn open(
        &mut self,
        plugin: &PluginIdentity,
        name: &str,
        attributes: &[(&str, &str)],
    ) -> Result<TraceContext, SpanError> {
        if self.open.len() >= OPEN_SPANS {
            return Err(SpanError::Full);
        }
        let around = self.context();
        let span = number()?;
        let context = match around {
            Some(around) => around.at(span),
            None => TraceContext::new(u128::from(number()?) << 64 | u128::from(number()?), span, true),
        };
        let context = context.ok_or(SpanError::Unnamed)?;
        macro_rules! spanned {
            ($($parent:tt)*) => {
                tracing::info_span!(
                    target: "forgeone::span",
                    $($parent)*
                    "plugin.span",
                    plugin = %plugin.name,
                    name,
                    trace_id = context.trace_id(),
                    span_id = context.span_id(),
                    parent_id = around.map(|around| around.span_id()),
                    ?attributes,
                )
            };
        }
        let span = match self.open.last() {
            Some(open) => spanned!(parent: &open.span,),
            // Whatever span the program is in on this thread.
            None => spanned!(),
        };
        self.open.push(Open { context, span });
        Ok(context)
    }

    /// Ends the span with this number, and those that were opened within it. Whether it was open.
    pub fn close(&mut self, span: u64) -> bool {
        let place = self.open.iter().position(|open| open.context.span() == span);
        let Some(place) = place else { return false };
        while self.open.len() > place {
            // One by one: what is within ends first.
            self.open.pop();
        }
        true
    }

    /// Begins a call within this context.
    #[inline]
    pub(super) fn begin(&mut self, within: Option<TraceContext>) {
        self.within = within;
        self.end();
    }

    /// Ends a call: what is still open ends with it.
    #[inline]
    pub(super) fn end(&mut self) {
        while self.open.pop().is_some() {}
    }
}

/// A random number that is not 0.
fn number() -> Result<u64, SpanError> {
    let mut bytes = [0; 8];
    random(&mut bytes).map_err(|_| SpanError::Unnamed)?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::tests::plugin;
    use parking_lot::Mutex;
    use std::sync::Arc;
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Metadata, Subscriber};

    /// `tracing` remembers of a span whether anybody wants it, from when it is first met: one test at a time meets it.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fn opened(spans: &mut Spans, name: &str) -> Result<TraceContext, SpanError> {
        spans.open(plugin("p", "acme").as_plugin().unwrap(), name, &[])
    }

    #[test]
    fn spans_nest_in_the_trace_of_the_call_and_end_with_what_is_around_them() {
        let _alone = ONE_AT_A_TIME.lock();
        let mut spans = Spans::default();
        let caller = TraceContext::new(7, 8, true).unwrap();
        spans.begin(Some(caller));
        assert_eq!(spans.context(), Some(caller));
        let (outer, inner) = (opened(&mut spans, "outer").unwrap(), opened(&mut spans, "inner").unwrap());
        assert_eq!((outer.trace_id(), inner.trace_id()), (caller.trace_id(), caller.trace_id()));
        assert!(outer.span() != inner.span() && spans.context() == Some(inner));
        assert!(!spans.close(caller.span()), "the caller's own is not the plugin's to end");
        assert!(spans.close(outer.span()) && !spans.close(inner.span()));
        assert_eq!(spans.context(), Some(caller));
        opened(&mut spans, "left open").unwrap();
        spans.end();
        assert_eq!(spans.context(), Some(caller));
        spans.begin(None);
        let (root, other) = (opened(&mut spans, "root").unwrap(), {
            spans.begin(None);
            opened(&mut spans, "root").unwrap()
        });
        assert_ne!(root.trace_id(), other.trace_id());
    }

    /// Names of the spans that began, each with the place of its parent.
    #[derive(Default)]
    struct Seen {
        spans: Mutex<Vec<(&'static Metadata<'static>, Option<u64>)>>,
        entered: Mutex<Vec<u64>>,
        closed: Mutex<Vec<u64>>,
    }

    impl Subscriber for Seen {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, span: &Attributes<'_>) -> Id {
            let current = self.entered.lock().last().copied().filter(|_| span.is_contextual());
            let parent = span.parent().map(Id::into_u64).or(current);
            let mut spans = self.spans.lock();
            spans.push((span.metadata(), parent));
            Id::from_u64(spans.len() as u64)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &tracing::Event<'_>) {}
        fn enter(&self, span: &Id) {
            self.entered.lock().push(span.into_u64());
        }
        fn exit(&self, _: &Id) {
            self.entered.lock().pop();
        }
        fn try_close(&self, span: Id) -> bool {
            self.closed.lock().push(span.into_u64());
            true
        }
    }

    #[test]
    fn the_program_that_called_sees_them_within_its_own_span() {
        let _alone = ONE_AT_A_TIME.lock();
        let seen = Arc::new(Seen::default());
        tracing::subscriber::with_default(seen.clone(), || {
            let callers = tracing::info_span!("callers");
            let _in_it = callers.enter();
            let mut spans = Spans::default();
            let outer = opened(&mut spans, "outer").unwrap();
            opened(&mut spans, "inner").unwrap();
            assert!(seen.closed.lock().is_empty());
            spans.close(outer.span());
            assert_eq!(*seen.closed.lock(), [3, 2], "the inner ends first");
        });
        let spans: Vec<_> = seen.spans.lock().iter().map(|(m, parent)| (m.name(), *parent)).collect();
        assert_eq!(spans, [("callers", None), ("plugin.span", Some(1)), ("plugin.span", Some(2))]);
    }

    #[test]
    fn as_many_are_open_as_may_be() {
        let _alone = ONE_AT_A_TIME.lock();
        let mut spans = Spans::default();
        let first = opened(&mut spans, "first").unwrap();
        for _ in 1..OPEN_SPANS {
            opened(&mut spans, "more").unwrap();
        }
        assert_eq!(opened(&mut spans, "one too many"), Err(SpanError::Full));
        assert!(spans.close(first.span()));
        assert!(opened(&mut spans, "again").is_ok());
    }
}
