//! `event_emit`: a named event with JSON for whoever listens. Well-formed, or refused.

use super::service::{Service, invalid, limit, plugin, required, target, text};
use common::identity::{IdentityContext, PluginIdentity};
use microkernel::syscall_bridge::{Call, CallError, Status, Target, list};
use std::sync::Arc;

/// Most bytes of a type name.
const TYPE_BYTES: usize = 128;
/// Most bytes of an event's JSON.
const JSON_BYTES: usize = 64 << 10;

/// The queue of events is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue of events is full")]
pub struct SinkFull;

/// Where events go.
pub trait EventSink: Send + Sync + std::fmt::Debug {
    /// Takes one event. `json` is well-formed and at most 64 KiB. Must not block.
    ///
    /// # Errors
    /// [`SinkFull`] when it cannot be taken: nothing is dropped in silence.
    fn emit(&self, plugin: &PluginIdentity, kind: &str, json: &str) -> Result<(), SinkFull>;
}

/// Hands an event to the sink.
pub(super) struct EventEmit(pub(super) Arc<dyn EventSink>);

impl Service for EventEmit {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [kind, _] = list::<2>(args, 2)?;
        Ok(target(type_name(required(kind)?)?, false))
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let [_, json] = list::<2>(call.args, 2)?;
        let json = json_text(required(json)?)?;
        let emitted = self.0.emit(plugin(call.identity)?, call.target, json);
        emitted.map_err(|SinkFull| CallError::new(Status::Unavailable, "the queue of events is full"))
    }
}

/// Lower-case words of letters and digits, joined by single `.`, `_` or `-`.
fn type_name(bytes: &[u8]) -> Result<&str, CallError> {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    match text(bytes)? {
        name if name.len() <= TYPE_BYTES && name.split(['.', '_', '-']).all(word) => Ok(name),
        _ => Err(invalid("a type is words of a-z and 0-9 joined by one of . _ -, at most 128 bytes")),
    }
}

fn json_text(bytes: &[u8]) -> Result<&str, CallError> {
    if bytes.len() > JSON_BYTES {
        return Err(limit("an event is larger than 64 KiB"));
    }
    let json = text(bytes)?;
    // Parsed into a value and not skipped over: its depth is bounded, so every listener can parse it too.
    serde_json::from_str::<serde_json::Value>(json).map_err(|_| invalid("an event is not JSON"))?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Host, args};
    use super::*;

    fn emit(host: &Host, kind: &str, json: impl AsRef<[u8]>) -> Result<Vec<u8>, Status> {
        host.call("event_emit", args().arg(kind).arg(json))
    }

    #[test]
    fn events_reach_the_sink_with_their_plugin() {
        let host = Host::new();
        assert_eq!(emit(&host, "order.created", r#"{"n":1}"#), Ok(Vec::new()));
        assert_eq!(
            host.events.taken(),
            [("log-redactor".into(), "order.created".into(), r#"{"n":1}"#.into())]
        );
        assert_eq!(host.target("event_emit", args().arg("a.b").arg("1")), Ok(("a.b".into(), false)));
    }

    #[test]
    fn malformed_events_never_reach_the_sink() {
        let host = Host::new();
        let long = "a".repeat(TYPE_BYTES + 1);
        for bad in ["", "A", "a b", ".a", "a.", "a..b", "é", "a/b", &long] {
            assert_eq!(emit(&host, bad, "{}"), Err(Status::Invalid), "{bad}");
        }
        for bad in ["", "{", "{}x", "'a'", "\u{feff}{}", "NaN"] {
            assert_eq!(emit(&host, "a", bad), Err(Status::Invalid), "{bad}");
        }
        assert_eq!(emit(&host, "a", b"\"\xff\""), Err(Status::Invalid));
        assert_eq!(host.call("event_emit", args().arg("a")), Err(Status::Invalid));
        assert_eq!(host.events.taken(), []);
    }

    #[test]
    fn fault_050_json_that_is_deep_or_large_is_no_event() {
        let host = Host::new();
        for depth in [1_000, JSON_BYTES / 2] {
            let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(emit(&host, "a", deep), Err(Status::Invalid), "{depth}");
        }
        assert_eq!(emit(&host, "a", vec![b'1'; 100_000_000]), Err(Status::Limit));
        assert_eq!(host.events.taken(), []);
    }

    #[test]
    fn size_is_limited_and_a_full_queue_is_told() {
        let host = Host::new();
        let json = format!("\"{}\"", "x".repeat(JSON_BYTES - 2));
        assert_eq!(emit(&host, "a", &json), Ok(Vec::new()));
        assert_eq!(emit(&host, "a", format!("{json} ")), Err(Status::Limit));
        host.events.fill();
        assert_eq!(emit(&host, "a", "{}"), Err(Status::Unavailable));
    }
}
