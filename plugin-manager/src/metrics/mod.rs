//! Counters and histograms, one writer each, merged when read.

mod guest;
pub mod progress;
pub mod telemetry;

pub use guest::GuestMetrics;
pub use progress::{NoProgress, Phase, Progress, Stage};
pub use telemetry::{Histogram, PluginMetrics, PluginSample, StartupTimer};
