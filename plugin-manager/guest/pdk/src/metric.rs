//! Measurements of the plugin. Needs the permission `observability` metric.

use forgeone_abi::names::{metric, syscall::METRIC_RECORD};

use crate::call::{call, nothing};
use crate::error::HostError;

/// A label's name and value.
pub type Label<'a> = (&'a str, &'a str);

/// Adds to a counter.
///
/// # Errors
/// The host's status.
pub fn counter(name: &str, value: f64, labels: &[Label<'_>]) -> Result<(), HostError> {
    record(name, metric::COUNTER, value, labels)
}

/// Sets a gauge.
///
/// # Errors
/// The host's status.
pub fn gauge(name: &str, value: f64, labels: &[Label<'_>]) -> Result<(), HostError> {
    record(name, metric::GAUGE, value, labels)
}

/// Adds one observation to a histogram.
///
/// # Errors
/// The host's status.
pub fn histogram(name: &str, value: f64, labels: &[Label<'_>]) -> Result<(), HostError> {
    record(name, metric::HISTOGRAM, value, labels)
}

fn record(name: &str, kind: &str, value: f64, labels: &[Label<'_>]) -> Result<(), HostError> {
    let flat: Vec<&[u8]> =
        labels.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]).collect();
    call(
        METRIC_RECORD,
        |args| {
            args.put(name.as_bytes())?;
            args.put(kind.as_bytes())?;
            args.put(&value.to_le_bytes())?;
            args.put_list(&flat)
        },
        nothing,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Host, Metric};

    #[test]
    fn measurements_carry_kind_value_and_labels() {
        let host = Host::install();
        counter("lines", 2.0, &[("kind", "email"), ("source", "a")]).unwrap();
        gauge("depth", -1.5, &[]).unwrap();
        histogram("size", 7.0, &[]).unwrap();
        let metric = |name: &str, kind: &str, value, labels: &[Label<'_>]| Metric {
            name: name.into(),
            kind: kind.into(),
            value,
            labels: labels.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        };
        assert_eq!(
            host.metrics(),
            [
                metric("lines", "counter", 2.0, &[("kind", "email"), ("source", "a")]),
                metric("depth", "gauge", -1.5, &[]),
                metric("size", "histogram", 7.0, &[]),
            ]
        );
    }
}
