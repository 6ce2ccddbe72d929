//! A plugin's side of the services, for tests: target, then service, as the bridge does it after its decision.
//!
//! Only the kernel makes permits, so tests reach the services behind the door.

use super::Dependencies;
use super::event::{EventSink, SinkFull};
use super::files::{FileDirs, FileLimits, Files};
use super::kv::tests::Rows;
use super::kv::{Kv, KvLimits};
use super::metric::{Measurement, MetricLimits, MetricSink, Metrics};
use super::plugin_call::RouterSlot;
use super::service::{Door, Service};
use super::settings::Settings;
use common::clock::{Clock, Deadline, ManualClock};
use common::identity::{Digest, IdentityContext, Name, PluginId, PluginIdentity};
use common::telemetry::MetricType;
use microkernel::syscall_bridge::{Call, CallError, Status, SyscallArgs};
use microkernel::trust::{Chain, Link};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// No door: what tests go through.
struct Open;

impl Door for Open {
    type Handler = Box<dyn Service>;
    fn put<S: Service>(service: S) -> Self::Handler {
        Box::new(service)
    }
}

/// An empty list of arguments.
pub(super) fn args() -> SyscallArgs {
    SyscallArgs::new()
}

/// A number as an argument.
pub(super) fn n(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

#[derive(Debug, Default)]
pub(super) struct Events {
    taken: Mutex<Vec<(String, String, String)>>,
    full: AtomicBool,
}

impl Events {
    pub(super) fn taken(&self) -> Vec<(String, String, String)> {
        self.taken.lock().clone()
    }
    pub(super) fn fill(&self) {
        self.full.store(true, Ordering::SeqCst);
    }
}

impl EventSink for Events {
    fn emit(&self, plugin: &PluginIdentity, kind: &str, json: &str) -> Result<(), SinkFull> {
        if self.full.load(Ordering::SeqCst) {
            return Err(SinkFull);
        }
        self.taken.lock().push((plugin.name.to_string(), kind.into(), json.into()));
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Taken(Mutex<Vec<(String, MetricType, f64, String)>>);

impl Taken {
    pub(super) fn taken(&self) -> Vec<(String, MetricType, f64, String)> {
        self.0.lock().clone()
    }
}

impl MetricSink for Taken {
    fn record(&self, _: &PluginIdentity, m: &Measurement<'_>) {
        let labels = m.labels.iter().map(|(n, v)| format!("{n}={v},")).collect();
        self.0.lock().push((m.name.into(), m.kind, m.value, labels));
    }
}

/// Every service, and a plugin `acme/log-redactor` that calls them.
pub(super) struct Host {
    identity: Arc<IdentityContext>,
    dir: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) chain: Chain,
    pub(super) deadline: Deadline,
    pub(super) settings: Arc<Settings>,
    pub(super) events: Arc<Events>,
    pub(super) metrics: Arc<Taken>,
    pub(super) metrics_gate: Arc<Metrics>,
    pub(super) router: Arc<RouterSlot>,
    pub(super) kv: Arc<Kv>,
    pub(super) files: Arc<Files>,
}

fn plugin() -> PluginIdentity {
    let (publisher, name) = (Name::new("acme").unwrap(), Name::new("log-redactor").unwrap());
    PluginIdentity {
        id: PluginId::new(&publisher, &name),
        name,
        publisher,
        version: "1.0.0".into(),
        digest: Digest::of(b""),
        instance: 1,
    }
}

impl Host {
    pub(super) fn new() -> Self {
        Self::with(None, FileLimits::default(), MetricLimits::default())
    }
    pub(super) fn with_kv(kv: Kv) -> Self {
        Self::with(Some(kv), FileLimits::default(), MetricLimits::default())
    }
    pub(super) fn with_files(limits: FileLimits) -> Self {
        Self::with(None, limits, MetricLimits::default())
    }
    pub(super) fn with_metrics(limits: MetricLimits) -> Self {
        Self::with(None, FileLimits::default(), limits)
    }
    fn with(kv: Option<Kv>, files: FileLimits, series: MetricLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dirs = FileDirs { data: dir.path().join("data"), staging: dir.path().join("staging") };
        std::fs::create_dir(&dirs.data).unwrap();
        std::fs::create_dir(&dirs.staging).unwrap();
        let metrics = Arc::new(Taken::default());
        Self {
            identity: Arc::new(IdentityContext::plugin(plugin())),
            clock: ManualClock::at(0),
            chain: Chain::new(),
            deadline: Deadline::NEVER,
            settings: Arc::default(),
            events: Arc::default(),
            metrics_gate: Arc::new(Metrics::new(metrics.clone(), series)),
            metrics,
            router: Arc::default(),
            kv: Arc::new(
                kv.unwrap_or_else(|| Kv::start(Arc::new(Rows::default()), KvLimits::default()).unwrap()),
            ),
            files: Arc::new(Files::open(&dirs, files).unwrap()),
            dir,
        }
    }
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }
    pub(super) fn plugin(&self) -> &PluginIdentity {
        self.identity.as_plugin().unwrap()
    }
    pub(super) fn name(&self) -> Name {
        self.plugin().name.clone()
    }
    pub(super) fn become_plugin(&mut self, plugin: PluginIdentity) {
        self.identity = Arc::new(IdentityContext::plugin(plugin));
    }
    pub(super) fn dependencies(&self) -> Dependencies {
        Dependencies {
            kv: self.kv.clone(),
            files: self.files.clone(),
            settings: self.settings.clone(),
            metrics: self.metrics_gate.clone(),
            events: self.events.clone(),
            router: self.router.clone(),
        }
    }
    fn service(&self, name: &str) -> Box<dyn Service> {
        let all = super::compose::<Open>(&self.dependencies());
        all.into_iter().find(|(n, _)| *n == name).unwrap().1
    }
    /// The canonical target, and whether it is private.
    pub(super) fn target(&self, service: &str, args: SyscallArgs) -> Result<(String, bool), Status> {
        let service = self.service(service);
        let target = service.target(&self.identity, args.as_bytes()).map_err(|e| e.status)?;
        Ok((target.name.into_owned(), target.private))
    }
    /// Target, then service.
    pub(super) fn call(&self, service: &str, args: SyscallArgs) -> Result<Vec<u8>, Status> {
        self.raw(service, args.as_bytes())
    }
    /// As [`Host::call`], with arguments that need not be a list.
    pub(super) fn raw(&self, service: &str, args: &[u8]) -> Result<Vec<u8>, Status> {
        let service = self.service(service);
        self.answer(&*service, args).map_err(|e| e.status)
    }
    fn answer(&self, service: &dyn Service, args: &[u8]) -> Result<Vec<u8>, CallError> {
        let target = service.target(&self.identity, args)?;
        let mut response = Vec::new();
        let clock: &dyn Clock = &*self.clock;
        service.serve(Call {
            identity: &self.identity,
            link: &Link::new(self.identity.clone(), Vec::new()),
            chain: &self.chain,
            deadline: self.deadline,
            cancel: None,
            clock,
            target: &target.name,
            args,
            response: &mut response,
        })?;
        Ok(response)
    }
}
