//! `metric_record`: a measurement, named and labelled within rules, of a bounded number of series a plugin.

use super::service::{Service, invalid, limit, plugin, required, target, text};
use common::identity::{IdentityContext, PluginId, PluginIdentity};
use common::telemetry::MetricType;
use microkernel::syscall_bridge::{Call, CallError, Status, Target, list, take};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Most bytes of a metric's name.
const NAME_BYTES: usize = 100;
/// Most labels of one measurement.
const LABELS: usize = 8;
/// Most bytes of a label's name.
const LABEL_NAME_BYTES: usize = 64;
/// Most bytes of a label's value.
const LABEL_VALUE_BYTES: usize = 128;

/// One measurement, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement<'a> {
    /// Its name.
    pub name: &'a str,
    /// How its values combine; the same for all measurements of a plugin with this name.
    pub kind: MetricType,
    /// Its value: finite, and not negative for a counter.
    pub value: f64,
    /// Names and values of its labels, sorted by name, no name twice.
    pub labels: Vec<(&'a str, &'a str)>,
}

/// Where measurements go.
pub trait MetricSink: Send + Sync + std::fmt::Debug {
    /// Takes one measurement. Must not block.
    fn record(&self, plugin: &PluginIdentity, measurement: &Measurement<'_>);
}

/// How much one plugin may measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricLimits {
    /// Distinct combinations of name and labels.
    pub series: usize,
    /// Distinct names.
    pub names: usize,
}

impl Default for MetricLimits {
    fn default() -> Self {
        Self { series: 1000, names: 100 }
    }
}

#[derive(Debug, Default)]
struct Known {
    kinds: BTreeMap<String, MetricType>,
    // Series by their hash under a secret key: two that fall together are counted once, which only a plugin
    // that could guess the key could use, to have more series by a handful.
    series: HashSet<u64>,
}

/// The gate in front of a sink: counts the series of each plugin.
#[derive(Debug)]
pub struct Metrics {
    sink: Arc<dyn MetricSink>,
    limits: MetricLimits,
    hasher: RandomState,
    known: Mutex<HashMap<PluginId, Known>>,
}

impl Metrics {
    /// A gate in front of this sink.
    pub fn new(sink: Arc<dyn MetricSink>, limits: MetricLimits) -> Self {
        Self { sink, limits, hasher: RandomState::new(), known: Mutex::default() }
    }

    /// Forgets the series of a removed plugin.
    pub fn forget(&self, plugin: PluginId) {
        self.known.lock().remove(&plugin);
    }

    fn record(&self, plugin: &PluginIdentity, measurement: &Measurement<'_>) -> Result<(), CallError> {
        self.admit(plugin.id, measurement)?;
        self.sink.record(plugin, measurement);
        Ok(())
    }

    fn admit(&self, plugin: PluginId, m: &Measurement<'_>) -> Result<(), CallError> {
        let series = self.hasher.hash_one((m.name, &m.labels));
        let mut all = self.known.lock();
        let known = all.entry(plugin).or_default();
        match known.kinds.get(m.name) {
            Some(kind) if *kind != m.kind => {
                return Err(CallError::new(Status::Conflict, "the metric has another kind"));
            }
            Some(_) if known.series.contains(&series) => return Ok(()),
            None if known.kinds.len() >= self.limits.names => return Err(limit("too many metrics")),
            _ if known.series.len() >= self.limits.series => return Err(limit("too many series")),
            Some(_) => {}
            None => drop(known.kinds.insert(m.name.to_owned(), m.kind)),
        }
        known.series.insert(series);
        Ok(())
    }
}

/// Records one measurement.
pub(super) struct MetricRecord(pub(super) Arc<Metrics>);

impl Service for MetricRecord {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [name, ..] = list::<4>(args, 3)?;
        Ok(target(metric_name(required(name)?)?, false))
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let [_, kind, value, labels] = list::<4>(call.args, 3)?;
        let kind = metric_kind(required(kind)?)?;
        let value = metric_value(required(value)?, kind)?;
        let labels = metric_labels(labels.unwrap_or_default())?;
        self.0.record(plugin(call.identity)?, &Measurement { name: call.target, kind, value, labels })
    }
}

fn identifier(name: &str, more: &[u8], longest: usize) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let all = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || more.contains(&b));
    first && all && name.len() <= longest
}

fn metric_name(bytes: &[u8]) -> Result<&str, CallError> {
    let name = text(bytes)?;
    if identifier(name, b".:", NAME_BYTES) {
        Ok(name)
    } else {
        Err(invalid("a metric's name is letters, digits and _ . :, at most 100 bytes, no digit first"))
    }
}

fn metric_kind(bytes: &[u8]) -> Result<MetricType, CallError> {
    match bytes {
        b"counter" => Ok(MetricType::Counter),
        b"gauge" => Ok(MetricType::Gauge),
        b"histogram" => Ok(MetricType::Histogram),
        _ => Err(invalid("a metric is a counter, a gauge or a histogram")),
    }
}

fn metric_value(bytes: &[u8], kind: MetricType) -> Result<f64, CallError> {
    let bytes = bytes.try_into().map_err(|_| invalid("a value is not eight bytes"))?;
    let value = f64::from_le_bytes(bytes);
    if !value.is_finite() {
        return Err(invalid("a value is not finite"));
    }
    if kind == MetricType::Counter && value < 0.0 {
        return Err(invalid("a counter cannot go down"));
    }
    Ok(value)
}

/// A nested list of names and values by turns; sorted by name.
fn metric_labels(mut nested: &[u8]) -> Result<Vec<(&str, &str)>, CallError> {
    let mut labels = Vec::new();
    while let Some(name) = take(&mut nested)? {
        let value = take(&mut nested)?.ok_or_else(|| invalid("a label has no value"))?;
        if labels.len() == LABELS {
            return Err(limit("more than 8 labels"));
        }
        labels.push((label_name(name)?, label_value(value)?));
    }
    labels.sort_unstable();
    if labels.array_windows().any(|[a, b]| a.0 == b.0) {
        return Err(invalid("a label is given twice"));
    }
    Ok(labels)
}

fn label_name(bytes: &[u8]) -> Result<&str, CallError> {
    let name = text(bytes)?;
    if identifier(name, b"", LABEL_NAME_BYTES) && !name.starts_with("__") {
        Ok(name)
    } else {
        Err(invalid("a label's name is letters, digits and _, at most 64 bytes, no digit and no __ first"))
    }
}

fn label_value(bytes: &[u8]) -> Result<&str, CallError> {
    let value = text(bytes)?;
    if value.len() <= LABEL_VALUE_BYTES && !value.contains(char::is_control) {
        Ok(value)
    } else {
        Err(invalid("a label's value has at most 128 bytes and no control character"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Host, args};
    use super::*;
    use microkernel::syscall_bridge::SyscallArgs;

    fn labels(pairs: &[(&str, &str)]) -> Vec<u8> {
        pairs.iter().fold(args(), |all, (n, v)| all.arg(n).arg(v)).as_bytes().to_vec()
    }

    fn record(host: &Host, name: &str, kind: &str, value: f64, pairs: &[(&str, &str)]) -> Result<(), Status> {
        let call = args().arg(name).arg(kind).arg(value.to_le_bytes()).arg(labels(pairs));
        host.call("metric_record", call).map(drop)
    }

    #[test]
    fn measurements_reach_the_sink_with_sorted_labels() {
        let host = Host::new();
        record(&host, "lines.total", "counter", 2.5, &[("b", "2"), ("a", "1")]).unwrap();
        let without = args().arg("t").arg("gauge").arg((-1.0f64).to_le_bytes());
        host.call("metric_record", without).unwrap();
        assert_eq!(
            host.metrics.taken(),
            [
                ("lines.total".into(), MetricType::Counter, 2.5, "a=1,b=2,".into()),
                ("t".into(), MetricType::Gauge, -1.0, String::new())
            ]
        );
    }

    #[test]
    fn malformed_measurements_never_reach_the_sink() {
        let host = Host::new();
        let bad = |name: &str, kind: &str, value, pairs: &[(&str, &str)]| {
            assert_eq!(
                record(&host, name, kind, value, pairs),
                Err(Status::Invalid),
                "{name} {kind} {value}"
            );
        };
        for name in ["", "1a", "a b", "é", "a-b", &"a".repeat(NAME_BYTES + 1)] {
            bad(name, "counter", 1.0, &[]);
        }
        bad("a", "Counter", 1.0, &[]);
        bad("a", "counter", -0.5, &[]);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            bad("a", "gauge", value, &[]);
        }
        for name in ["", "__x", "a.b", "1", &"a".repeat(LABEL_NAME_BYTES + 1)] {
            bad("a", "gauge", 1.0, &[(name, "v")]);
        }
        bad("a", "gauge", 1.0, &[("l", "a\nb")]);
        bad("a", "gauge", 1.0, &[("l", &"v".repeat(LABEL_VALUE_BYTES + 1))]);
        bad("a", "gauge", 1.0, &[("l", "1"), ("l", "2")]);
        let call = |last: SyscallArgs| host.call("metric_record", last);
        let base = || args().arg("a").arg("gauge").arg(1f64.to_le_bytes());
        assert_eq!(call(base().arg(args().arg("only").as_bytes())), Err(Status::Invalid));
        assert_eq!(call(base().arg([9, 9])), Err(Status::Invalid));
        assert_eq!(call(args().arg("a").arg("gauge").arg([0; 4])), Err(Status::Invalid));
        assert_eq!(host.metrics.taken(), []);
    }

    #[test]
    fn series_names_and_labels_are_bounded_and_a_kind_stays() {
        let host = Host::with_metrics(MetricLimits { series: 3, names: 2 });
        record(&host, "a", "counter", 1.0, &[]).unwrap();
        assert_eq!(record(&host, "a", "gauge", 1.0, &[]), Err(Status::Conflict));
        record(&host, "a", "counter", 1.0, &[("l", "1")]).unwrap();
        record(&host, "b", "counter", 1.0, &[]).unwrap();
        assert_eq!(record(&host, "a", "counter", 1.0, &[("l", "2")]), Err(Status::Limit));
        assert_eq!(record(&host, "c", "counter", 1.0, &[]), Err(Status::Limit));
        record(&host, "a", "counter", 1.0, &[("l", "1")]).unwrap();
        let nine: Vec<String> = (0..9).map(|i| format!("l{i}")).collect();
        let nine: Vec<(&str, &str)> = nine.iter().map(|n| (n.as_str(), "v")).collect();
        assert_eq!(record(&host, "a", "counter", 1.0, &nine), Err(Status::Limit));
        host.metrics_gate.forget(host.plugin().id);
        record(&host, "c", "gauge", 1.0, &nine[1..]).unwrap();
    }
}
