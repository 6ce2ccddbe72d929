//! How a home's audit log is opened: compared with the checkpoint the state database kept, by the configuration's
//! bounds, and with the receivers of its checkpoints.

use super::error::HostError;
use crate::config::{self, Config, Detail, Environment, Journal, syslog_target};
use crate::store::Home;
use common::audit::{
    AuditError, AuditLog, AuditOptions, CheckpointSink, FileSink, Files, JournalKind, Made, Retention,
    SinkError, SyslogSink, continues,
};
use common::clock::Clock;
use common::error::ForgeError;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Makes the receiver of an `https://` address, with the PEM file of the roots to trust: the shell's, for this
/// library speaks no HTTP.
pub type WebhookMaker = fn(&str, Option<&Path>) -> Result<Box<dyn CheckpointSink>, SinkError>;

/// Opens the log of this home.
pub(super) fn open(
    home: &Arc<Home>,
    config: &Config,
    files: Arc<dyn Files>,
    clock: &Arc<dyn Clock>,
    webhook: Option<WebhookMaker>,
) -> Result<AuditLog, ForgeError> {
    let kept = home.audit_anchor()?;
    if let Some(kept) = &kept {
        continues(&home.audit_dir(), &home.audit_key()?.public(), kept)?;
    }
    let mut sinks = receivers(&config.audit, webhook)?;
    sinks.push(Box::new(Anchor { home: home.clone(), kept }));
    let audit = begin(home, config, &files, clock)?;
    audit.send_checkpoints_to(sinks)?;
    Ok(audit)
}

fn begin(
    home: &Home,
    config: &Config,
    files: &Arc<dyn Files>,
    clock: &Arc<dyn Clock>,
) -> Result<AuditLog, ForgeError> {
    let open = || -> Result<_, ForgeError> {
        let key = home.audit_key()?;
        Ok(AuditLog::open_on(files.clone(), &home.audit_dir(), key, options(config), clock.clone()))
    };
    match open()? {
        // What a full disk kept in its journal is written first.
        Err(AuditError::Io { source, .. }) if source.kind() == ErrorKind::StorageFull => {
            home.lend_room()?;
            Ok(open()??)
        }
        other => Ok(other?),
    }
}

fn receivers(
    audit: &config::Audit,
    webhook: Option<WebhookMaker>,
) -> Result<Vec<Box<dyn CheckpointSink>>, ForgeError> {
    let to = &audit.checkpoints;
    let mut sinks: Vec<Box<dyn CheckpointSink>> = Vec::new();
    if let Some(path) = &to.file {
        sinks.push(Box::new(FileSink::new(path)));
    }
    if let Some(target) = to.syslog.as_deref().and_then(syslog_target) {
        sinks.push(Box::new(SyslogSink::new(target)));
    }
    if let Some(url) = &to.webhook {
        let make = webhook.ok_or(HostError::NoWebhook)?;
        sinks.push(make(url, to.webhook_ca.as_deref()).map_err(ForgeError::from)?);
    }
    Ok(sinks)
}

fn options(config: &Config) -> AuditOptions {
    let audit = &config.audit;
    let journal = match audit.journal {
        Journal::Mapped => JournalKind::Mapped,
        Journal::Memory => JournalKind::Memory,
    };
    AuditOptions {
        detail_rate: audit.detail_rate,
        detail_every: audit.detail == Detail::Every,
        strict: audit.strict,
        production: config.environment == Environment::Production,
        node: audit.node.clone(),
        journal,
        segment_bytes: audit.segment_size.0,
        retention: Retention {
            bytes: audit.retain_size.map(|size| size.0),
            age: audit.retain_for.map(|span| span.0),
        },
        warn_free: audit.warn_free.0,
        refuse_free: audit.refuse_free.0,
        ..AuditOptions::default()
    }
}

/// Keeps the latest checkpoint in the state database. At most every ten seconds, and when the log is closed.
#[derive(Debug)]
struct Anchor {
    home: Arc<Home>,
    kept: Option<String>,
}

impl CheckpointSink for Anchor {
    fn name(&self) -> &str {
        "state.redb"
    }
    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }
    fn send(&mut self, made: &Made<'_>) -> Result<(), SinkError> {
        if self.kept.as_deref() != Some(made.note) {
            self.home.set_audit_anchor(made.note).map_err(|e| SinkError::Refused(e.to_string()))?;
            self.kept = Some(made.note.to_owned());
        }
        Ok(())
    }
}

/// Figures of the log and of those who get its checkpoints, as Prometheus text.
pub(super) fn metrics_text(audit: &AuditLog) -> String {
    let (m, mut text) = (audit.metrics(), String::new());
    for (name, kind, value) in [
        ("forgeone_audit_records_total", "counter", m.appended),
        ("forgeone_audit_durable_records_total", "counter", m.durable),
        ("forgeone_audit_covered_records_total", "counter", m.covered),
        ("forgeone_audit_summaries_total", "counter", m.summaries),
        ("forgeone_audit_segments_removed_total", "counter", m.segments_removed),
        ("forgeone_audit_queued_records", "gauge", m.queued),
        ("forgeone_audit_lag_milliseconds", "gauge", m.lag_ms),
        ("forgeone_audit_backlog_records", "gauge", m.backlog),
        ("forgeone_audit_free_bytes", "gauge", m.free_bytes),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
    }
    let sinks = audit.sink_metrics();
    for (name, kind, value) in [
        ("forgeone_audit_sink_sent_total", "counter", (|s| s.sent) as fn(&common::audit::SinkMetrics) -> u64),
        ("forgeone_audit_sink_failed_total", "counter", |s| s.failed),
        ("forgeone_audit_sink_skipped_total", "counter", |s| s.skipped),
        ("forgeone_audit_sink_lag_records", "gauge", |s| s.lag_records),
        ("forgeone_audit_sink_lag_milliseconds", "gauge", |s| s.lag_ms),
    ] {
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for sink in &sinks {
            let label = sink.name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(text, "{name}{{sink=\"{label}\"}} {}", value(sink));
        }
    }
    text
}
