//! Counters and histograms, one writer each, merged when read.

pub mod telemetry;

pub use telemetry::{Histogram, PluginMetrics, PluginSample, StartupTimer};
