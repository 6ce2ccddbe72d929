//! Measurements as events: a name, a kind, a value, labels. Where they go is installed explicitly.

use crate::error::{Code, Coded, codes};
use std::sync::{Arc, OnceLock};

/// How the values of a metric combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricType {
    /// Values add up.
    Counter,
    /// The last value holds.
    Gauge,
    /// Values are counted in buckets.
    Histogram,
}

/// One measurement.
///
/// ```
/// use common::telemetry::{MetricType, TelemetryEvent};
/// let event = TelemetryEvent::new(
///     "plugin.lifecycle.start",
///     MetricType::Counter,
///     1.0,
///     vec![("plugin_name".to_string(), "log-redactor".to_string())],
/// );
/// assert_eq!(event.name, "plugin.lifecycle.start");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TelemetryEvent {
    /// Dotted name.
    pub name: String,
    /// How values combine.
    pub kind: MetricType,
    /// The value, in the unit the name implies.
    pub value: f64,
    /// Labels, as given.
    pub labels: Vec<(String, String)>,
}

impl TelemetryEvent {
    /// An event of these parts. Labels come from whatever holds pairs of text: a vector, an array, a map.
    pub fn new(
        name: impl Into<String>,
        kind: MetricType,
        value: f64,
        labels: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self { name: name.into(), kind, value, labels: labels.into_iter().collect() }
    }
}

/// Where telemetry events go.
pub trait TelemetrySink: Send + Sync {
    /// Takes one event. Must not block for long: callers may be on a call path.
    fn record(&self, event: TelemetryEvent);
}

/// Why an event was not recorded, or a sink not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// [`install`] was not called.
    #[error("no telemetry sink is installed")]
    NotInstalled,
    /// [`install`] was called before.
    #[error("a telemetry sink is installed already")]
    AlreadyInstalled,
}

impl Coded for TelemetryError {
    fn code(&self) -> &'static Code {
        &codes::E0001
    }
}

static SINK: OnceLock<Arc<dyn TelemetrySink>> = OnceLock::new();

/// Installs the process-wide sink used by [`record_event`]. Once per process.
///
/// # Errors
/// [`TelemetryError::AlreadyInstalled`] the second time.
pub fn install(sink: Arc<dyn TelemetrySink>) -> Result<(), TelemetryError> {
    SINK.set(sink).map_err(|_| TelemetryError::AlreadyInstalled)
}

/// Hands an event to the installed sink, and to `tracing` at debug level.
///
/// # Errors
/// [`TelemetryError::NotInstalled`] when there is no sink: never a silent default.
pub fn record_event(event: TelemetryEvent) -> Result<(), TelemetryError> {
    let sink = SINK.get().ok_or(TelemetryError::NotInstalled)?;
    tracing::debug!(target: "forgeone::telemetry", name = %event.name, value = event.value);
    sink.record(event);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Keep(parking_lot::Mutex<Vec<TelemetryEvent>>);
    impl TelemetrySink for Keep {
        fn record(&self, event: TelemetryEvent) {
            self.0.lock().push(event);
        }
    }

    #[test]
    fn events_need_an_installed_sink_and_reach_it() {
        let event = TelemetryEvent::new("a.b", MetricType::Counter, 1.0, Vec::new());
        assert_eq!(record_event(event.clone()), Err(TelemetryError::NotInstalled));
        let sink = Arc::new(Keep(parking_lot::Mutex::default()));
        install(sink.clone()).unwrap();
        assert_eq!(install(sink.clone()), Err(TelemetryError::AlreadyInstalled));
        record_event(event.clone()).unwrap();
        assert_eq!(*sink.0.lock(), [event]);
    }
}
