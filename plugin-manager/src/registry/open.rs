//! Opens a home: configuration, lock, log, policies, trust, services, in this order.

use super::adapters::{Events, KvRows, LogLines, Measurements, Secrets};
use super::court::Court;
use super::dependencies::Parsed;
use super::error::HostError;
use super::events::Feed;
use super::host::{Host, Roster};
use super::judge::Judge;
use super::manager::PluginManager;
use super::native::Natives;
use super::operator::Operator;
use super::policies::{PolicyFiles, Stamps};
use super::quarantine::Quarantine;
use super::recording::{self, WebhookMaker};
use super::reviews::Reviews;
use super::scores::Scores;
use super::staging::Inherited;
use super::{network, people, sources};
use crate::config::{Config, Redacted};
use crate::extension::{
    self, Added, Dependencies, FileDirs, FileLimits, Kv, KvLimits, Metrics, RouterSlot, SecretSource,
    Settings, SyscallExtension,
};
use crate::loader::PackageLimits;
use crate::metrics::{GuestMetrics, NoProgress, Progress};
use crate::runtime;
use crate::sandbox::SandboxPolicy;
use crate::store::{Disk, Home, LogLimits, RealDisk};
use crate::syscall::LogBus;
use common::audit::{Actor, AuditLog, Files, SystemFiles};
use common::cancel::CancelToken;
use common::clock::{Clock, SystemClock};
use common::error::ForgeError;
use common::identity::{IdentityContext, Publisher};
use common::permission::Capability;
use microkernel::syscall_bridge::{Action, Redaction, SyscallBridge, SyscallHandler, builtin_actions};
use microkernel::trust::{PolicySource, ResourceKind, TrustEvaluator};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// How long to wait for a home that another process uses, unless told otherwise.
const WAIT: Duration = Duration::from_secs(10);

/// What an open home stands on: a disk, the files of its log, and a clock.
#[derive(Debug)]
pub(super) struct Ground {
    pub disk: Arc<dyn Disk>,
    pub files: Arc<dyn Files>,
    pub clock: Arc<dyn Clock>,
}

/// Opens a [`PluginManager`].
#[derive(Debug, Default)]
#[must_use = "nothing is opened until `open` is called"]
pub struct ManagerBuilder {
    home: Option<PathBuf>,
    config: Option<PathBuf>,
    wait: Option<Duration>,
    operator: Option<String>,
    progress: Option<Arc<dyn Progress>>,
    publisher: Option<String>,
    extensions: Vec<SyscallExtension>,
    webhook: Option<WebhookMaker>,
    inherited: Option<Inherited>,
}

impl ManagerBuilder {
    /// The home directory; made when it is not there. Required.
    pub fn home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }
    /// The configuration file; `<home>/plugin-manager.yaml` when not given, and the defaults without that.
    pub fn config(mut self, file: impl Into<PathBuf>) -> Self {
        self.config = Some(file.into());
        self
    }
    /// How long to wait for the home's lock; 10 s when not given.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }
    /// The operator named in decisions and records; `embedder` when not given.
    pub fn operator(mut self, name: impl Into<String>) -> Self {
        self.operator = Some(name.into());
        self
    }

    /// Who hears of long work; nobody when not given.
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Who publishes the plugins that are code of this program: a publisher's name, `host` when not given.
    pub fn publisher(mut self, name: impl Into<String>) -> Self {
        self.publisher = Some(name.into());
        self
    }

    /// Who makes the receiver of `audit.checkpoints.webhook`. Without it, a configuration that names one is refused.
    pub fn webhooks(mut self, maker: WebhookMaker) -> Self {
        self.webhook = Some(maker);
        self
    }

    /// Adds a host call. The policy schema gets an action of its name, in the group of the permission it needs.
    pub fn extension(mut self, extension: SyscallExtension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Takes over from another home what its own files would say.
    pub(super) fn inheriting(mut self, inherited: Inherited) -> Self {
        self.inherited = Some(inherited);
        self
    }

    /// Opens the home, its log and its services, and registers the plugins linked into this program. No plugin is
    /// started. A linked plugin that cannot be registered is recorded, and `doctor` names it; the home opens.
    ///
    /// # Errors
    /// E0101 for an extension that cannot be added; E0102 and E0103 for the configuration, E0104 and E5006 for the home, E2004 for a policy, E30xx for the log.
    pub fn open(self) -> Result<PluginManager, ForgeError> {
        let clock = SystemClock::start().map_err(HostError::Thread)?;
        self.open_on(Ground { disk: Arc::new(RealDisk), files: Arc::new(SystemFiles), clock })
    }

    /// As [`ManagerBuilder::open`], on this ground.
    pub(super) fn open_on(self, ground: Ground) -> Result<PluginManager, ForgeError> {
        let path = self.home.ok_or(HostError::NoHome)?;
        let own = IdentityContext::operator(self.operator.as_deref().unwrap_or("embedder"));
        let Inherited { config, identity: operator, added } = match self.inherited {
            Some(inherited) => inherited,
            None => Inherited {
                config: sources::config(&path, self.config.as_deref())?,
                identity: own,
                added: extension::checked(self.extensions)?,
            },
        };
        let Ground { disk, files, clock } = ground;
        let home = Arc::new(Home::open_on(disk, &path, self.wait.unwrap_or(WAIT), clock.clone())?);
        let progress = self.progress.unwrap_or_else(|| Arc::new(NoProgress));
        let publisher = self.publisher.as_deref().unwrap_or("host");
        let publisher = Publisher::new(publisher).map_err(HostError::Publisher)?;
        log_is_there(&home)?;
        let audit = recording::open(&home, &config, files, &clock, self.webhook)?;
        let begun = Begun { home, config, clock, audit };
        let actor = people::actor(&begun.home, &operator)?;
        let host = open(begun, actor.clone(), progress, publisher, added)?;
        let operator = Operator::opener(&operator, actor);
        host.desk(&operator).announce();
        host.desk(&operator).settle_plans()?;
        host.publish_settings()?;
        host.publish_classes()?;
        host.keep_lock_true()?;
        let manager = PluginManager::over(Arc::new(host), operator);
        manager.register_linked();
        Ok(manager)
    }
}

/// A plugin's row comes after the record of its installation: a home with plugins and without a log has lost it,
/// and beginning another would make that look whole.
fn log_is_there(home: &Home) -> Result<(), ForgeError> {
    let plugins = home.roster()?.len();
    let empty = std::fs::read_dir(home.audit_dir()).is_ok_and(|mut entries| entries.next().is_none());
    if plugins > 0 && empty { Err(HostError::LogLost { plugins }.into()) } else { Ok(()) }
}

/// A home with its log, before its services.
struct Begun {
    home: Arc<Home>,
    config: Config,
    clock: Arc<dyn Clock>,
    audit: AuditLog,
}

fn open(
    begun: Begun,
    actor: Actor,
    progress: Arc<dyn Progress>,
    publisher: Publisher,
    added: Vec<Added>,
) -> Result<Host, ForgeError> {
    let Begun { home, config, clock, audit } = begun;
    // Before the files are read: what changes from here on is seen to have changed.
    let stamps = Stamps::of(&home.policy_dir());
    let guest_metrics = Arc::new(GuestMetrics::default());
    let feed = Feed::new(clock.clone());
    let services = dependencies(&home, &config, &guest_metrics, &feed)?;
    let policies = sources::policies(&home.policy_dir())?;
    let evaluator = evaluator(&home, &config, &policies, &added)?;
    let bridge = bridge(evaluator, &audit, &clock, &services, added.clone());
    let bridge = redacting(bridge, &home, &config)?;
    let logs = Arc::new(home.logs(LogLimits::default()));
    let bus = LogBus::start(Arc::new(LogLines(logs.clone()))).map_err(HostError::Thread)?;
    let court = Arc::new(Court::new(
        Judge::new(&config, &home.trust_dir())?,
        clock.clone(),
        bridge.evaluator().clone(),
    ));
    let sandbox = SandboxPolicy::new(&config, runtime::available(), capabilities(&bridge))?;
    let host = Host {
        seal: home.mac_key()?,
        attestor: home.attestation_key()?,
        actor,
        erasures: AtomicU64::new(0),
        operators: AtomicU64::new(1),
        package_limits: PackageLimits::default(),
        progress,
        engines: Mutex::default(),
        natives: Natives::new(publisher),
        guest_metrics,
        feed,
        ledgers: Arc::default(),
        quarantine: Quarantine::of(&home)?,
        scores: Scores::of(&home, &config.trust_score, &bridge)?,
        reviews: Reviews::of(&home)?,
        parsed: Parsed::default(),
        roster: Roster::default(),
        over: CancelToken::new(),
        policy_files: PolicyFiles::in_force(stamps),
        publishing: Mutex::default(),
        staging: Mutex::default(),
        added,
        home,
        config,
        clock,
        audit,
        bridge: Arc::new(bridge),
        services,
        bus: Arc::new(bus),
        logs,
        court,
        sandbox,
    };
    host.policies_in_force(sources::digest_of(&policies))?;
    Ok(host)
}

fn dependencies(
    home: &Arc<Home>,
    config: &Config,
    metrics: &Arc<GuestMetrics>,
    feed: &Arc<Feed>,
) -> Result<Dependencies, ForgeError> {
    let quota = config.sandbox.storage_limit.0;
    let bytes = usize::try_from(quota).unwrap_or(usize::MAX);
    let kv = Kv::start(Arc::new(KvRows(home.clone())), KvLimits { bytes, ..KvLimits::default() })?;
    let dirs = FileDirs { data: home.data_dir(), staging: home.file_staging_dir() };
    let files = extension::Files::open(&dirs, FileLimits { bytes: quota, ..FileLimits::default() })?;
    let http = network::http(config)?;
    let secrets: Arc<dyn SecretSource> = Arc::new(Secrets(home.clone()));
    Ok(Dependencies {
        kv: Arc::new(kv),
        files: Arc::new(files),
        settings: Arc::new(Settings::new(BTreeMap::new())),
        metrics: Arc::new(Metrics::new(Arc::new(Measurements(metrics.clone())), Default::default())),
        events: Arc::new(Events(feed.clone())),
        router: Arc::new(RouterSlot::new()),
        issuers: network::issuers(config, &http)?,
        objects: network::objects(config, &http, &secrets)?,
        http,
        secrets,
    })
}

/// What decides by these policies about every host call there is.
fn evaluator(
    home: &Home,
    config: &Config,
    policies: &[PolicySource],
    added: &[Added],
) -> Result<TrustEvaluator, ForgeError> {
    let actions: Vec<Action> = actions(added).collect();
    Ok(sources::evaluator(&actions, &home.policy_dir(), policies, config)?)
}

fn actions(added: &[Added]) -> impl Iterator<Item = Action> {
    builtin_actions().into_iter().chain(added.iter().map(|(action, _)| action.clone()))
}

fn bridge(
    evaluator: TrustEvaluator,
    audit: &AuditLog,
    clock: &Arc<dyn Clock>,
    services: &Dependencies,
    added: Vec<Added>,
) -> SyscallBridge {
    let actions: Vec<Action> = actions(&added).collect();
    let mut handlers: BTreeMap<&str, Arc<dyn SyscallHandler>> =
        extension::services(services).into_iter().collect();
    handlers.extend(added.into_iter().map(|(action, handler)| (action.name, handler)));
    let entry = |action: Action| {
        let handler = handlers.remove(action.name);
        (action, handler)
    };
    let entries = actions.into_iter().map(entry).collect();
    SyscallBridge::new(Arc::new(evaluator), audit.clone(), clock.clone(), entries)
}

/// A bridge that records what the configuration lets it name.
fn redacting(bridge: SyscallBridge, home: &Home, config: &Config) -> Result<SyscallBridge, ForgeError> {
    let hidden: Vec<ResourceKind> = config.audit.redact.iter().map(|kind| hidden(*kind)).collect();
    if hidden.is_empty() {
        return Ok(bridge);
    }
    Ok(bridge.redacting(Redaction::new(hidden, home.redaction_key()?)))
}

const fn hidden(kind: Redacted) -> ResourceKind {
    match kind {
        Redacted::Path => ResourceKind::Path,
        Redacted::Key => ResourceKind::Key,
        Redacted::Object => ResourceKind::Object,
        Redacted::Host => ResourceKind::Host,
        Redacted::Event => ResourceKind::Event,
        Redacted::Metric => ResourceKind::Metric,
    }
}

/// The capabilities some action of this bridge uses; what is asked for beyond them is withheld.
fn capabilities(bridge: &SyscallBridge) -> Vec<Capability> {
    let used = bridge.actions().into_iter().flat_map(|action| action.needs.iter().copied());
    used.chain([Capability::ConfigRead]).collect()
}
