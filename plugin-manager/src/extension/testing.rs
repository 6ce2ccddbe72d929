//! A plugin's side of the services, for tests: target, then service, as the bridge does it after its decision.
//!
//! Only the kernel makes permits, so tests reach the services behind the door.

use super::Dependencies;
use super::auth::Issuers;
use super::event::{EventSink, SinkFull};
use super::files::{FileDirs, FileLimits, Files};
use super::http::{Http, HttpOptions, SystemResolver, Vouchers};
use super::kv::tests::Rows;
use super::kv::{Kv, KvLimits};
use super::metric::{Measurement, MetricLimits, MetricSink, Metrics};
use super::objects::{ObjectOptions, Objects};
use super::plugin_call::RouterSlot;
use super::secret::{SecretFailure, SecretSource, SecretValue};
use super::service::{Door, Service};
use super::settings::Settings;
use common::clock::{Clock, Deadline, ManualClock};
use common::identity::{Digest, IdentityContext, Name, PluginId, PluginIdentity};
use common::telemetry::MetricType;
use microkernel::syscall_bridge::{
    Call, CallError, Further, Spans, Status, SyscallArgs, Target, builtin_actions,
};
use microkernel::trust::{Chain, Link, Permit, Resource, TrustContext, TrustEvaluator, Verdict};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

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

#[derive(Debug, Default)]
struct Secrets(Mutex<BTreeMap<String, Vec<u8>>>);

impl SecretSource for Secrets {
    fn secret(&self, name: &str) -> Result<Option<SecretValue>, SecretFailure> {
        Ok(self.0.lock().get(name).cloned().map(SecretValue::new))
    }
}

/// Takes further decisions: denies what it was told to, and remembers what it was asked.
#[derive(Debug)]
struct Decides<'a>(&'a Host);

impl Further for Decides<'_> {
    fn admit(&mut self, action: &str, target: &Target<'_>) -> Result<Permit, Status> {
        let asked = format!("{action} {}", target.name);
        let denied = self.0.denies.lock().contains(&asked);
        self.0.asked.lock().push(asked);
        if denied { Err(Status::Denied) } else { Ok(permit()) }
    }
}

/// A permit, from the only place that makes them.
fn permit() -> Permit {
    static EVALUATOR: OnceLock<TrustEvaluator> = OnceLock::new();
    let evaluator = EVALUATOR.get_or_init(|| TrustEvaluator::new(&builtin_actions(), &[]).unwrap());
    let ping = builtin_actions().into_iter().find(|a| a.name == "ping").unwrap();
    let context = TrustContext::new(&IdentityContext::plugin(plugin()));
    match evaluator.evaluate(&context, &ping, &Resource::NONE) {
        Verdict::Allow(permit) => permit,
        Verdict::Deny(denial) => panic!("{denial:?}"),
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
    pub(super) http: Arc<Http>,
    pub(super) issuers: Arc<Issuers>,
    pub(super) objects: Arc<Objects>,
    /// What further decisions deny.
    pub(super) denies: Mutex<Vec<String>>,
    /// What further decisions were asked.
    pub(super) asked: Mutex<Vec<String>>,
    pub(super) spans: Mutex<Spans>,
    pub(super) cancel: Option<common::cancel::CancelToken>,
    secrets: Arc<Secrets>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
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
        let http = Http::new(HttpOptions::default(), Vouchers::System, Arc::new(SystemResolver));
        let http = Arc::new(http);
        let secrets: Arc<Secrets> = Arc::default();
        let kept: Arc<dyn SecretSource> = secrets.clone();
        let objects = Objects::new(&ObjectOptions::default(), &http, &kept).unwrap();
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
            issuers: Arc::new(Issuers::new(Vec::new(), http.clone())),
            objects: Arc::new(objects),
            http,
            denies: Mutex::default(),
            asked: Mutex::default(),
            spans: Mutex::default(),
            cancel: None,
            secrets,
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
            http: self.http.clone(),
            secrets: self.secrets.clone(),
            issuers: self.issuers.clone(),
            objects: self.objects.clone(),
        }
    }
    /// The same host with these buckets.
    pub(super) fn with_objects(mut self, options: &ObjectOptions) -> Self {
        let kept: Arc<dyn SecretSource> = self.secrets.clone();
        self.objects = Arc::new(Objects::new(options, &self.http, &kept).unwrap());
        self
    }
    pub(super) fn keep_secret(&self, name: &str, value: &[u8]) {
        self.secrets.0.lock().insert(name.into(), value.into());
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
    /// As [`Host::call`], with the cause of a failure.
    pub(super) fn cause(&self, service: &str, args: SyscallArgs) -> Result<Vec<u8>, CallError> {
        let service = self.service(service);
        self.answer(&*service, args.as_bytes())
    }
    fn answer(&self, service: &dyn Service, args: &[u8]) -> Result<Vec<u8>, CallError> {
        let target = service.target(&self.identity, args)?;
        let mut response = Vec::new();
        let clock: &dyn Clock = &*self.clock;
        let mut decides = Decides(self);
        service.serve(Call {
            identity: &self.identity,
            link: &Link::new(self.identity.clone(), Vec::new()),
            chain: &self.chain,
            deadline: self.deadline,
            cancel: self.cancel.as_ref(),
            clock,
            target: &target.name,
            args,
            response: &mut response,
            spans: &mut self.spans.lock(),
            further: Some(&mut decides),
        })?;
        Ok(response)
    }
}
