//! What plugins measure themselves: the last value or the sum of each series. Whoever records bounds the series.

use common::telemetry::MetricType;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::Write;

/// plugin, name, labels
type Series = (String, String, Vec<(String, String)>);

/// The series of all plugins.
#[derive(Debug, Default)]
pub struct GuestMetrics(Mutex<BTreeMap<Series, Value>>);

/// What is kept of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Value {
    kind: MetricType,
    /// The sum of a counter or histogram, the last value of a gauge.
    value: f64,
    count: u64,
}

impl GuestMetrics {
    /// Takes one measurement.
    pub fn record(&self, plugin: &str, name: &str, kind: MetricType, value: f64, labels: &[(&str, &str)]) {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut all = self.0.lock();
        let series = all.entry((plugin.to_owned(), name.to_owned(), labels));
        let kept = series.or_insert(Value { kind, value: 0.0, count: 0 });
        kept.count += 1;
        match kind {
            MetricType::Gauge => kept.value = value,
            MetricType::Counter | MetricType::Histogram => kept.value += value,
        }
    }

    /// Forgets the series of a removed plugin.
    pub fn forget(&self, plugin: &str) {
        self.0.lock().retain(|(owner, ..), _| owner != plugin);
    }

    /// Every series as Prometheus text, under the name `forgeone_guest_value` with the plugin's own name as a
    /// label: names that plugins choose never become metric names.
    pub fn prometheus_text(&self) -> String {
        let mut out = String::from("# HELP forgeone_guest_value What plugins measure themselves.\n");
        out.push_str("# TYPE forgeone_guest_value untyped\n");
        for ((plugin, name, labels), kept) in self.0.lock().iter() {
            let _ = write!(out, "forgeone_guest_value{{plugin=\"{plugin}\",name=\"{}\"", escaped(name));
            for (key, value) in labels {
                let _ = write!(out, ",label_{key}=\"{}\"", escaped(value));
            }
            let _ = writeln!(out, "}} {}", kept.value);
        }
        out
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_gauges_replace_and_text_is_escaped() {
        let m = GuestMetrics::default();
        for value in [2.0, 3.0] {
            m.record("a", "masked", MetricType::Counter, value, &[("kind", "e\"mail")]);
            m.record("a", "size", MetricType::Gauge, value, &[]);
        }
        let text = m.prometheus_text();
        assert!(text.contains(r#"{plugin="a",name="masked",label_kind="e\"mail"} 5"#), "{text}");
        assert!(text.contains(r#"{plugin="a",name="size"} 3"#), "{text}");
        m.forget("a");
        assert_eq!(m.prometheus_text().lines().count(), 2);
    }
}
