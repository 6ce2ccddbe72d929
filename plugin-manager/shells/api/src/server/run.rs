//! The daemon from its start to its end: socket, plugins, readiness, signals, and going in order or at once.

use super::connection;
use super::daemon::Daemon;
use super::gate::Stage;
use super::limits::{CALLS, CONNECTIONS, FLUSH, MANAGEMENT};
use super::listen::{self, Name};
use super::routes::router;
use crate::error::{DaemonError, fault};
use common::error::ForgeError;
use plugin_manager::{DirectoryWatch, PluginManager, Readiness, Supervision, TrustReload, TrustWatch};
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinError, JoinHandle, JoinSet, spawn_blocking};
use tokio::time::MissedTickBehavior;

/// Threads of the daemon that are not asked to work: signals, reloading, stopping.
const SPARE_THREADS: usize = 8;
/// Threads that move bytes; none of them runs plugins.
const ASYNC_THREADS: usize = 2;
/// After the system could not give a connection: too many files are open, most likely.
const BREATH: Duration = Duration::from_millis(100);
/// What is left of the time to stop when it is said a second time.
const HASTE: Duration = Duration::from_millis(500);
/// How much longer than its time stopping may take before the daemon ends all the same: guests that are ended at the
/// deadline are answered for, and what there is is made durable.
const GRACE: Duration = Duration::from_secs(3);

/// What a daemon is told beside the open home.
#[derive(Debug)]
pub struct Options {
    /// The home.
    pub home: PathBuf,
    /// The configuration file in force.
    pub config: PathBuf,
    /// How long everything under way may take to end, and the plugins to stop.
    pub drain: Duration,
    /// When the home was opened, in nanoseconds since 1970.
    pub since_ns: u64,
}

/// A daemon that answers.
#[derive(Debug)]
pub struct Ready {
    /// Where it is asked.
    pub socket: PathBuf,
    /// The plugins that run, by name.
    pub running: Vec<String>,
    /// Whether all that are desired running do, and why not. Each of them was tried once.
    pub readiness: Readiness,
}

/// What a daemon tells who runs it.
#[derive(Debug)]
pub enum Event<'a> {
    /// It answers.
    Ready(&'a Ready),
    /// It was told to stop while so many requests are under way.
    Stopping(usize),
    /// It read its policies again: so many files, or why they stay what they were.
    Reloaded(Result<usize, ForgeError>),
    /// It was told to read the trust configuration again, and did; or why it did not.
    TrustRead(Result<TrustReload, ForgeError>),
}

/// Serves an open home until SIGTERM or SIGINT: plugins are supervised, and the plugin directory is watched. Then it stops
/// in order: nothing new is begun, what is under way ends, plugins stop, those that need others first. For what is under
/// way there is half of the time, then it is ended. A second signal leaves half a second of the time; a third, or what
/// cannot be ended, ends the daemon at once, with what was acknowledged durable.
///
/// # Errors
/// When the socket cannot be made, supervision or the directory's watch cannot begin; E4033 naming what was ended; what
/// else stopping ran into; E0126 when it was cut short.
pub fn serve(manager: PluginManager, options: &Options, tell: &dyn Fn(Event<'_>)) -> Result<(), ForgeError> {
    let runtime = runtime()?;
    let served = runtime.block_on(run(manager, options, tell));
    // Work that was given up has no say in when the process ends.
    runtime.shutdown_background();
    served
}

fn runtime() -> Result<Runtime, DaemonError> {
    Builder::new_multi_thread()
        .worker_threads(ASYNC_THREADS)
        .max_blocking_threads(CALLS + MANAGEMENT + SPARE_THREADS)
        .thread_name("forgeone-daemon")
        .enable_all()
        .build()
        .map_err(|source| DaemonError::Start { part: "threads", source })
}

async fn run(manager: PluginManager, options: &Options, tell: &dyn Fn(Event<'_>)) -> Result<(), ForgeError> {
    let mut signals = Signals::install()?;
    let (listener, mut name) = listen::bind(&options.home)?;
    let config = options.config.canonicalize().unwrap_or_else(|_| options.config.clone());
    let daemon = Daemon::new(manager.clone(), config.display().to_string(), options.since_ns);
    let acceptor = tokio::spawn(accept(listener, daemon.clone()));
    let started = start(&manager, &mut signals).await;
    let (guards, failed) = match started {
        Ok(Started { guards, tried }) => {
            if let Some((running, readiness)) = tried {
                daemon.gate.pass_to(Stage::Serving);
                tell(Event::Ready(&Ready { socket: name.path().to_owned(), running, readiness }));
                until_stopped(&mut signals, &manager, tell).await;
            }
            (Some(guards), Ok(()))
        }
        Err(error) => (None, Err(error)),
    };
    let going = Going { manager, daemon, acceptor, guards };
    failed.and(stop(going, &mut name, &mut signals, options.drain, tell).await)
}

/// What keeps plugins as they are wanted while the daemon serves.
type Guards = (DirectoryWatch, TrustWatch, Arc<Supervision>);

/// A daemon whose plugins are kept.
struct Started {
    guards: Guards,
    /// The plugins that run and how the host stands, unless a signal came first.
    tried: Option<(Vec<String>, Readiness)>,
}

/// Begins to keep the plugins, and waits until each that is to run was tried once.
async fn start(manager: &PluginManager, signals: &mut Signals) -> Result<Started, ForgeError> {
    let own = manager.clone();
    let begin = move || {
        // A daemon that cannot stop what is revoked does not serve.
        Ok((own.start_supervision()?, own.watch_trust()?, own.watch_plugins_directory()?))
    };
    let (supervision, trust, directory) = worked(spawn_blocking(begin).await)?;
    let supervision = Arc::new(supervision);
    let (kept, own) = (supervision.clone(), manager.clone());
    let trying = spawn_blocking(move || {
        kept.wait_for_first_tries();
        drop(kept);
        let running = |plugin: &plugin_manager::PluginStatus| plugin.state == "Running";
        let names = own.list()?.into_iter().filter(running).map(|plugin| plugin.name);
        Ok((names.collect(), own.readiness()))
    });
    let tried = tokio::select! {
        tried = trying => Some(worked(tried)?),
        () = signals.stop() => None,
    };
    Ok(Started { guards: (directory, trust, supervision), tried })
}

/// How often the policy files are looked at: a change is in force within half a second.
const LOOK: Duration = Duration::from_millis(400);

/// Until a signal says stop. Policies are read again when their files change; SIGHUP looks at once, and reads the trust
/// configuration again.
async fn until_stopped(signals: &mut Signals, manager: &PluginManager, tell: &dyn Fn(Event<'_>)) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let manager = manager.clone();
        let read = tokio::select! {
            told = signals.next() => match told {
                Told::Reload => {
                    let own = manager.clone();
                    tell(Event::TrustRead(worked(spawn_blocking(move || own.reload_trust()).await)));
                    worked(spawn_blocking(move || manager.reload_changed_policies().transpose()).await)
                }
                Told::Stop => return,
            },
            _ = looks.tick() => {
                worked(spawn_blocking(move || manager.reload_changed_policies().transpose()).await)
            }
        };
        if let Some(read) = read.transpose() {
            tell(Event::Reloaded(read));
        }
    }
}

/// What a daemon that stops consists of.
struct Going {
    manager: PluginManager,
    daemon: Arc<Daemon>,
    acceptor: JoinHandle<()>,
    guards: Option<Guards>,
}

/// Waits for what is under way, at most until then; no plugin is dropped into the directory or started again meanwhile.
async fn rest(daemon: &Daemon, guards: Option<Guards>, until: Instant) {
    // Ending them waits for what they do; at the latest it ends with the plugins.
    let ended = spawn_blocking(move || drop(guards));
    let idle = async {
        daemon.gate.idle().await;
        let _ = ended.await;
    };
    // Late or not, the plugins are stopped next.
    let _ = tokio::time::timeout_at(until.into(), idle).await;
}

async fn stop(
    going: Going,
    name: &mut Name,
    signals: &mut Signals,
    drain: Duration,
    tell: &dyn Fn(Event<'_>),
) -> Result<(), ForgeError> {
    let Going { manager, daemon, mut acceptor, guards } = going;
    // From here on commands wait for the home's lock. Who has found the socket already is told so.
    name.remove();
    daemon.gate.pass_to(Stage::Stopping);
    tell(Event::Stopping(daemon.gate.under_way()));
    let last = manager.clone();
    let end = Instant::now() + drain;
    let (hastened, hasty, begun) = (Notify::new(), Cell::new(false), Cell::new(false));
    let in_order = async {
        tokio::select! {
            () = rest(&daemon, guards, Instant::now() + drain / 2) => {}
            () = hastened.notified() => {}
        }
        let left = end.saturating_duration_since(Instant::now());
        let left = if hasty.get() { left.min(HASTE) } else { left };
        begun.set(true);
        let stopped = worked(spawn_blocking(move || manager.shutdown_within(left)).await);
        daemon.gate.idle().await;
        daemon.gate.pass_to(Stage::Closing);
        // Its only failure is a fault in it, which keeps nothing from being stopped.
        let _ = (&mut acceptor).await;
        stopped
    };
    let too_long = async {
        tokio::select! {
            () = tokio::time::sleep(drain + GRACE) => return format!("it had {} s", drain.as_secs_f64()),
            () = signals.stop() => {}
        }
        hasty.set(true);
        hastened.notify_one();
        if begun.get() {
            let host = last.clone();
            // The shutdown under way ends sooner; what it comes to is told by that.
            let _sooner = spawn_blocking(move || host.shutdown_within(HASTE));
        }
        tokio::select! {
            () = tokio::time::sleep(HASTE + GRACE) => "it was told to stop a second time".to_owned(),
            () = signals.stop() => "it was told to stop a third time".to_owned(),
        }
    };
    let why = tokio::select! {
        stopped = in_order => return stopped,
        why = too_long => why,
    };
    acceptor.abort();
    let left = daemon.gate.under_way();
    let flushed = tokio::time::timeout(FLUSH, spawn_blocking(move || last.flush())).await;
    let cut = ForgeError::from(DaemonError::Cut { why: format!("{why}; {left} requests were under way") });
    Err(match flushed {
        Ok(flushed) => worked(flushed).err().unwrap_or(cut),
        Err(_) => cut.reason("what was stored last may be lost"),
    })
}

/// Takes connections until nothing is under way any more, then waits for those that are being answered.
async fn accept(listener: UnixListener, daemon: Arc<Daemon>) {
    let router = router(daemon.clone());
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await;
            (listener.accept().await, slot)
        };
        tokio::select! {
            biased;
            () = daemon.gate.at(Stage::Closing) => break,
            Some(_) = connections.join_next() => {}
            (accepted, slot) = next => match accepted {
                Ok((stream, _)) => {
                    let (router, daemon) = (router.clone(), daemon.clone());
                    connections.spawn(async move {
                        let _slot = slot;
                        connection::serve(stream, router, daemon).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// What work on another thread came to.
fn worked<T>(done: Result<Result<T, ForgeError>, JoinError>) -> Result<T, ForgeError> {
    done.unwrap_or_else(|error| Err(broken(error)))
}

fn broken(error: JoinError) -> ForgeError {
    match error.try_into_panic() {
        Ok(payload) => fault(&*payload),
        Err(cancelled) => fault(&cancelled.to_string()),
    }
}

/// What a signal says.
enum Told {
    Stop,
    Reload,
}

/// The signals a daemon hears.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn install() -> Result<Self, DaemonError> {
        let hear = |kind| signal(kind).map_err(|source| DaemonError::Start { part: "signals", source });
        Ok(Self {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
            hangup: hear(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    /// Until it is said to stop. Nothing is read again while the daemon is starting or stopping.
    async fn stop(&mut self) {
        while let Told::Reload = self.next().await {}
    }
}
