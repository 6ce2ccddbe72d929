//! Counters and histograms, one writer each, merged when read.

mod guest;
pub mod telemetry;

pub use guest::GuestMetrics;
pub use telemetry::{Histogram, PluginMetrics, PluginSample, StartupTimer};
