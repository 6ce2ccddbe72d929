//! Where rooms that must not know each other meet: the store behind services, saved state, logs; measurements
//! behind metrics.

use super::events::{EventKind, Feed};
use crate::extension::{
    EventSink, KvPersist, KvRoom, KvWrite, Measurement, MetricSink, PersistError, SecretFailure,
    SecretSource, SecretValue, SinkFull,
};
use crate::lifecycle::{Saved, StateVault, VaultFailure};
use crate::metrics::GuestMetrics;
use crate::store::{Home, KvRow, LogFiles, namespace};
use crate::syscall::LogSink;
use common::identity::{Name, PluginIdentity};
use std::sync::Arc;

/// Saved state of one plugin, in the store.
#[derive(Debug)]
pub(super) struct Vault {
    home: Arc<Home>,
    owner: String,
    version: String,
}

impl Vault {
    /// The vault of this plugin.
    pub fn new(home: Arc<Home>, identity: &PluginIdentity) -> Self {
        let owner = namespace(&identity.publisher, &identity.name);
        Self { home, owner, version: identity.version.clone() }
    }
}

impl StateVault for Vault {
    fn load(&self) -> Result<Option<Saved>, VaultFailure> {
        let saved = self.home.saved_state(&self.owner)?;
        Ok(saved.map(|saved| Saved { version: saved.version, bytes: saved.bytes }))
    }
    fn save(&self, state: &[u8]) -> Result<(), VaultFailure> {
        Ok(self.home.save_state(&self.owner, &self.version, state)?)
    }
    fn discard(&self) -> Result<(), VaultFailure> {
        Ok(self.home.drop_state(&self.owner)?)
    }
}

/// Stored values, in the store.
#[derive(Debug)]
pub(super) struct KvRows(pub Arc<Home>);

impl KvPersist for KvRows {
    fn load(&self, namespace: &str, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), PersistError> {
        self.0.kv_load(namespace, each).map_err(PersistError::new)
    }
    fn append(&self, writes: &[KvWrite]) -> Result<(), PersistError> {
        let rows =
            writes.iter().map(|w| KvRow { namespace: &w.namespace, key: &w.key, value: w.value.as_deref() });
        self.0.kv_append(rows).map_err(PersistError::new)
    }
    fn sync(&self) -> Result<(), PersistError> {
        self.0.kv_sync().map_err(PersistError::new)
    }
    fn room(&self) -> KvRoom {
        if self.0.kv_is_full() {
            return KvRoom::Short;
        }
        if self.0.kv_settle_due() { KvRoom::SettleDue } else { KvRoom::Enough }
    }
    fn settle(&self) -> Result<(), PersistError> {
        self.0.kv_settle().map_err(PersistError::new)
    }
}

/// Log lines of plugins, in their files.
#[derive(Debug)]
pub(super) struct LogLines(pub Arc<LogFiles>);

impl LogSink for LogLines {
    fn write(&self, plugin: &Name, block: &[u8]) -> std::io::Result<()> {
        self.0.append(plugin, block).map_err(std::io::Error::other)
    }
}

/// Measurements of plugins, beside the host's own.
#[derive(Debug)]
pub(super) struct Measurements(pub Arc<GuestMetrics>);

impl MetricSink for Measurements {
    fn record(&self, plugin: &PluginIdentity, measurement: &Measurement<'_>) {
        self.0.record(
            plugin.name.as_str(),
            measurement.name,
            measurement.kind,
            measurement.value,
            &measurement.labels,
        );
    }
}

/// Events of plugins, among the events of the host.
#[derive(Debug)]
pub(super) struct Events(pub Arc<Feed>);

impl EventSink for Events {
    fn emit(&self, plugin: &PluginIdentity, kind: &str, json: &str) -> Result<(), SinkFull> {
        tracing::info!(target: "forgeone::event", plugin = %plugin.name, kind, json);
        self.0.emit(plugin.name.as_str(), &plugin.version, || EventKind::Emitted {
            kind: kind.to_owned(),
            json: json.to_owned(),
        });
        Ok(())
    }
}

/// Secrets, in the store.
#[derive(Debug)]
pub(super) struct Secrets(pub Arc<Home>);

impl SecretSource for Secrets {
    fn secret(&self, name: &str) -> Result<Option<SecretValue>, SecretFailure> {
        self.0.secret(name).map_err(|error| SecretFailure(Box::new(error)))
    }
}
