//! What is counted of each plugin, how long it took to start, and both as Prometheus text.

use common::telemetry::{MetricType, TelemetryEvent, record_event};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Upper bounds of a histogram's buckets, in microseconds; a last bucket takes the rest.
const BOUNDS_US: [u64; 12] =
    [10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000];

/// Durations counted in fixed buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; 13],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let index = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        if let Some(bucket) = self.buckets.get(index) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }
    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|b| b.load(Ordering::Relaxed)).sum()
    }

    fn render(&self, out: &mut String, name: &str, plugin: &str) {
        let mut total = 0;
        let bounds = BOUNDS_US.iter().map(|b| seconds(*b)).chain(["+Inf".to_owned()]);
        for (bucket, bound) in self.buckets.iter().zip(bounds) {
            total += bucket.load(Ordering::Relaxed);
            let _ = writeln!(out, "{name}_bucket{{plugin=\"{plugin}\",le=\"{bound}\"}} {total}");
        }
        let sum = seconds(self.sum_us.load(Ordering::Relaxed));
        let _ = writeln!(out, "{name}_sum{{plugin=\"{plugin}\"}} {sum}");
        let _ = writeln!(out, "{name}_count{{plugin=\"{plugin}\"}} {total}");
    }
}

fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// What is counted of one plugin since the host was opened. Shared by all its instances.
#[derive(Debug, Default)]
pub struct PluginMetrics {
    /// Calls of operations.
    calls: AtomicU64,
    /// Calls that ended with a nonzero status, a trap or a limit.
    errors: AtomicU64,
    /// Traps and deadlines, after which the instance was dropped.
    traps: AtomicU64,
    /// Those of them that are the plugin's own fault.
    faults: AtomicU64,
    /// Instances made.
    instances: AtomicU64,
    /// Moves from one state to another.
    transitions: AtomicU64,
    /// Host calls refused because there were too many a second.
    host_calls_refused: AtomicU64,
    /// Calls refused because as many waited as may.
    calls_refused: AtomicU64,
    /// Calls that wait for an instance, and the most there ever were.
    queue_depth: AtomicU64,
    queue_peak: AtomicU64,
    /// Bytes of linear memory of the instance that answered last.
    memory_bytes: AtomicU64,
    /// Time from the start of a bring-up to a running instance.
    startup: Histogram,
}

/// The counters of one plugin at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `PluginMetrics`")]
pub struct PluginSample {
    pub calls: u64,
    pub errors: u64,
    pub traps: u64,
    pub faults: u64,
    pub instances: u64,
    pub transitions: u64,
    pub host_calls_refused: u64,
    pub calls_refused: u64,
    pub queue_depth: u64,
    pub queue_peak: u64,
    pub memory_bytes: u64,
}

impl PluginMetrics {
    /// One call ended.
    pub fn call(&self, failed: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(u64::from(failed), Ordering::Relaxed);
    }
    /// An instance trapped and was dropped.
    pub fn trap(&self) {
        self.traps.fetch_add(1, Ordering::Relaxed);
    }
    /// A trap or a deadline was the plugin's own fault.
    pub fn fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }
    /// An instance was brought up.
    pub fn instance(&self, took: Duration) {
        self.instances.fetch_add(1, Ordering::Relaxed);
        self.startup.record(took);
    }
    /// The plugin moved from one state to another.
    pub fn transition(&self) {
        self.transitions.fetch_add(1, Ordering::Relaxed);
    }
    /// A host call was refused because there were too many a second.
    pub fn host_call_refused(&self) {
        self.host_calls_refused.fetch_add(1, Ordering::Relaxed);
    }
    /// So many calls wait for an instance now.
    pub fn waiting(&self, depth: usize) {
        let depth = u64::try_from(depth).unwrap_or(u64::MAX);
        self.queue_depth.store(depth, Ordering::Relaxed);
        self.queue_peak.fetch_max(depth, Ordering::Relaxed);
    }
    /// A call was refused because as many waited as may.
    pub fn turned_away(&self) {
        self.calls_refused.fetch_add(1, Ordering::Relaxed);
    }
    /// The instance that answered last has this much memory.
    pub fn memory(&self, bytes: u64) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
    }
    /// The counters now.
    pub fn sample(&self) -> PluginSample {
        PluginSample {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            traps: self.traps.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
            instances: self.instances.load(Ordering::Relaxed),
            transitions: self.transitions.load(Ordering::Relaxed),
            host_calls_refused: self.host_calls_refused.load(Ordering::Relaxed),
            calls_refused: self.calls_refused.load(Ordering::Relaxed),
            queue_depth: self.queue_depth.load(Ordering::Relaxed),
            queue_peak: self.queue_peak.load(Ordering::Relaxed),
            memory_bytes: self.memory_bytes.load(Ordering::Relaxed),
        }
    }
}

/// One counter or gauge: its name, its help, its type, and how it is read from a sample.
type Family = (&'static str, &'static str, &'static str, fn(&PluginSample) -> u64);

const FAMILIES: [Family; 10] = [
    ("forgeone_plugin_calls_total", "Calls of operations.", "counter", |s| s.calls),
    ("forgeone_plugin_errors_total", "Calls that failed.", "counter", |s| s.errors),
    ("forgeone_plugin_traps_total", "Instances dropped after a trap or a deadline.", "counter", |s| s.traps),
    ("forgeone_plugin_instances_total", "Instances brought up.", "counter", |s| s.instances),
    ("forgeone_plugin_transitions_total", "Moves from one state to another.", "counter", |s| s.transitions),
    (
        "forgeone_plugin_host_calls_refused_total",
        "Host calls refused because there were too many a second.",
        "counter",
        |s| s.host_calls_refused,
    ),
    (
        "forgeone_plugin_calls_refused_total",
        "Calls refused because as many waited for an instance as may.",
        "counter",
        |s| s.calls_refused,
    ),
    ("forgeone_plugin_queue_depth", "Calls that wait for an instance.", "gauge", |s| s.queue_depth),
    ("forgeone_plugin_queue_peak", "Most calls that waited for an instance at once.", "gauge", |s| {
        s.queue_peak
    }),
    ("forgeone_plugin_memory_bytes", "Linear memory of the instance that answered last.", "gauge", |s| {
        s.memory_bytes
    }),
];

/// The metrics of these plugins as Prometheus text. Names are the contract's: no character needs escaping.
pub fn prometheus_text(plugins: &[(&str, &PluginMetrics)]) -> String {
    let mut out = String::new();
    for (name, help, kind, read) in FAMILIES {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (plugin, metrics) in plugins {
            let _ = writeln!(out, "{name}{{plugin=\"{plugin}\"}} {}", read(&metrics.sample()));
        }
    }
    let name = "forgeone_plugin_startup_seconds";
    let _ = writeln!(out, "# HELP {name} Time to bring an instance up.\n# TYPE {name} histogram");
    for (plugin, metrics) in plugins {
        metrics.startup.render(&mut out, name, plugin);
    }
    out
}

/// Times the start of a plugin and reports it as the telemetry event `plugin.startup`.
///
/// ```
/// let timer = plugin_manager::metrics::telemetry::StartupTimer::new("id", "example-plugin", "1.0.0");
/// let took = timer.stop();
/// assert!(took.as_secs() < 60);
/// ```
#[derive(Debug)]
pub struct StartupTimer {
    labels: Vec<(String, String)>,
    since: Instant,
}

impl StartupTimer {
    /// Starts timing.
    pub fn new(plugin_id: &str, plugin_name: &str, version: &str) -> Self {
        let label = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let labels =
            vec![label("plugin_id", plugin_id), label("plugin_name", plugin_name), label("version", version)];
        Self { labels, since: Instant::now() }
    }
    /// Stops timing and returns the duration. The event reaches a telemetry sink when one is installed.
    pub fn stop(self) -> Duration {
        let took = self.since.elapsed();
        let event =
            TelemetryEvent::new("plugin.startup", MetricType::Histogram, took.as_secs_f64(), self.labels);
        if let Err(error) = record_event(event) {
            tracing::trace!(%error, "startup was timed and not reported");
        }
        took
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up_and_render() {
        let m = PluginMetrics::default();
        m.call(false);
        m.call(true);
        m.trap();
        m.instance(Duration::from_micros(70));
        m.instance(Duration::from_secs(60));
        m.memory(65_536);
        m.transition();
        let s = m.sample();
        assert_eq!((s.calls, s.errors, s.traps, s.instances, s.memory_bytes), (2, 1, 1, 2, 65_536));
        assert_eq!(s.transitions, 1);
        let text = prometheus_text(&[("log-redactor", &m)]);
        assert!(text.contains("forgeone_plugin_calls_total{plugin=\"log-redactor\"} 2\n"), "{text}");
        assert!(
            text.contains(
                "forgeone_plugin_startup_seconds_bucket{plugin=\"log-redactor\",le=\"0.000100\"} 1\n"
            )
        );
        assert!(text.contains("le=\"+Inf\"} 2\n"));
        assert!(
            text.contains("forgeone_plugin_startup_seconds_sum{plugin=\"log-redactor\"} 60.000070\n"),
            "{text}"
        );
        assert_eq!(m.startup.count(), 2);
    }
}
