//! The client of this host: its options, its two threads, and waiting for an exchange no longer than a call may.

use super::address::Range;
use super::answer::Answer;
use super::exchange::{Hop, Terms, exchange};
use super::fault::Fault;
use super::quota::{Quotas, Rates};
use super::roots::Tls;
use super::url::{Scheme, Url};
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use common::permission::Permission;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use parking_lot::Mutex;
use std::future::Future;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that drive connections.
const THREADS: usize = 2;
/// Names that are looked up at once; the system's resolver blocks a thread for each.
const LOOKUPS: usize = 16;
/// How often a waiting thread looks whether the exchange is still there, in case it ended without a word.
const LOOK: Duration = Duration::from_millis(250);

/// How far plugins may reach (`sandbox.network_access`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpAccess {
    /// Not at all.
    None,
    /// Public addresses, and the private ranges that are granted.
    Restricted,
    /// Private addresses too; those of the link only where the URL itself spells them.
    Open,
}

/// What the client may do.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// How far it may reach.
    pub access: HttpAccess,
    /// Ranges of addresses that are granted though they are not public.
    pub private_ranges: Vec<Range>,
    /// `network connect` scopes that may be spoken to without TLS.
    pub plain_http: Vec<Permission>,
    /// Redirects that are followed, at most.
    pub redirects: u32,
    /// Longest time of one request, redirects included.
    pub timeout: Duration,
    /// Most bytes of an answer's body.
    pub response_limit: usize,
    /// Requests of one plugin under way at once.
    pub at_once: u32,
    /// Requests of one plugin a second, for long; for a moment ten times as many.
    pub requests_per_second: u32,
    /// Bytes of one plugin a second, for long; for a moment ten times as many.
    pub bytes_per_second: u64,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            access: HttpAccess::Restricted,
            private_ranges: Vec::new(),
            plain_http: Vec::new(),
            redirects: 5,
            timeout: Duration::from_secs(30),
            response_limit: 16 << 20,
            at_once: 8,
            requests_per_second: 100,
            bytes_per_second: 16 << 20,
        }
    }
}

/// Terms of what is not a plugin's own request: the operator named where it goes.
#[derive(Debug, Clone)]
pub(in crate::extension) struct OwnTerms {
    /// Ranges of addresses that may be reached though they are not public.
    pub ranges: Arc<[Range]>,
    /// Most bytes of an answer's body.
    pub response_limit: usize,
}

/// Finds the addresses of a name. Called on a thread of its own; may block.
pub trait Resolve: Send + Sync + std::fmt::Debug {
    /// Every address of the name.
    ///
    /// # Errors
    /// When there is none, or it cannot be found out.
    fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

/// Which certificates vouch for servers.
#[derive(Debug, Clone)]
pub enum Vouchers {
    /// These.
    Given(Tls),
    /// The operating system's bundle, read when a request first needs it.
    System,
}

/// A bundle that cannot be read is told, and leaves requests with TLS to fail one by one.
fn system_roots() -> Option<Tls> {
    Tls::of_system().unwrap_or_else(|error| {
        tracing::warn!(%error, "requests with TLS fail; `network.tls_roots` names another file");
        None
    })
}

/// The client. Its threads start with the first request.
#[derive(Debug)]
pub struct Http {
    options: HttpOptions,
    terms: Terms,
    vouchers: Vouchers,
    /// The system's roots, once a request needed them.
    system: OnceLock<Option<Tls>>,
    pub(super) quotas: Quotas,
    runtime: Mutex<Option<Runtime>>,
}

impl Http {
    /// A client.
    pub fn new(options: HttpOptions, vouchers: Vouchers, resolver: Arc<dyn Resolve>) -> Self {
        let rates = Rates {
            at_once: options.at_once,
            requests: options.requests_per_second,
            bytes: options.bytes_per_second,
        };
        let terms = Terms {
            access: options.access,
            ranges: options.private_ranges.clone().into(),
            tls: None,
            resolver,
            response_limit: options.response_limit,
        };
        Self {
            options,
            terms,
            vouchers,
            system: OnceLock::new(),
            quotas: Quotas::new(rates),
            runtime: Mutex::default(),
        }
    }

    /// What it may do.
    pub fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// Whether this origin may be spoken to without TLS.
    pub(super) fn plain_is_granted(&self, url: &Url) -> bool {
        let authority = url.authority();
        let scopes = self.options.plain_http.iter().filter_map(|granted| granted.scope.as_ref());
        scopes.into_iter().any(|scope| scope.covers(&authority))
    }

    /// The terms of an exchange with this URL's server.
    fn terms(&self, url: &Url) -> Terms {
        let tls = match (&self.vouchers, url.scheme) {
            (_, Scheme::Http) => None,
            (Vouchers::Given(tls), Scheme::Https) => Some(tls.clone()),
            (Vouchers::System, Scheme::Https) => self.system.get_or_init(system_roots).clone(),
        };
        Terms { tls, ..self.terms.clone() }
    }

    fn handle(&self) -> Result<Handle, Fault> {
        let mut runtime = self.runtime.lock();
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let started = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(LOOKUPS)
            .thread_name("forgeone-net")
            .enable_io()
            .enable_time()
            .build();
        let started = runtime.insert(started.map_err(|_| Fault::Internal)?);
        Ok(started.handle().clone())
    }

    /// Fetches what the operator named: with TLS, from any host it leads to, without redirects.
    pub(in crate::extension) fn fetch(
        &self,
        url: &Url,
        limit: usize,
        until: Deadline,
        clock: &dyn Clock,
        cancel: Option<&CancelToken>,
    ) -> Result<Vec<u8>, Fault> {
        if url.scheme != Scheme::Https {
            return Err(Fault::Plain);
        }
        let hop =
            Hop { url: url.clone(), method: Method::GET, headers: HeaderMap::new(), body: Bytes::new() };
        let terms = Terms { access: HttpAccess::Open, response_limit: limit, ..self.terms(url) };
        let answer = self.run(terms, hop, until, clock, cancel)?;
        if answer.status == StatusCode::OK { Ok(answer.body) } else { Err(Fault::Protocol) }
    }

    /// Does one exchange within the plugins' terms.
    pub(in crate::extension) fn exchange(
        &self,
        hop: Hop,
        until: Deadline,
        clock: &dyn Clock,
        cancel: Option<&CancelToken>,
    ) -> Result<Answer, Fault> {
        self.run(self.terms(&hop.url), hop, until, clock, cancel)
    }

    /// One exchange within these terms, to be driven by [`Http::wait`].
    pub(in crate::extension) fn carry(
        &self,
        hop: Hop,
        own: OwnTerms,
    ) -> impl Future<Output = Result<Answer, Fault>> + Send + use<> {
        let (access, OwnTerms { ranges, response_limit }) = (HttpAccess::Restricted, own);
        exchange(Terms { access, ranges, response_limit, ..self.terms(&hop.url) }, hop)
    }

    /// Does one exchange and waits for it.
    fn run(
        &self,
        terms: Terms,
        hop: Hop,
        until: Deadline,
        clock: &dyn Clock,
        cancel: Option<&CancelToken>,
    ) -> Result<Answer, Fault> {
        self.wait(exchange(terms, hop), until, clock, cancel)
    }

    /// Has this done by the client's threads and waits for it, no longer than until the deadline or the cancellation:
    /// then it is dropped, which closes its connections.
    pub(in crate::extension) fn wait<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
        until: Deadline,
        clock: &dyn Clock,
        cancel: Option<&CancelToken>,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let slot: Arc<Mutex<Option<Result<T, E>>>> = Arc::default();
        let (filled, waiting) = (slot.clone(), std::thread::current());
        let task = self.handle()?.spawn(async move {
            let done = work.await;
            *filled.lock() = Some(done);
            waiting.unpark();
        });
        let _told = cancel.map(|cancel| cancel.listen(Arc::new(std::thread::current())));
        loop {
            let ended = task.is_finished();
            if let Some(done) = slot.lock().take() {
                return done;
            }
            let left = until.remaining(clock);
            let stop = match () {
                () if cancel.is_some_and(CancelToken::is_cancelled) => Some(Fault::Cancelled),
                () if left == Some(Duration::ZERO) => Some(Fault::Timeout),
                () if ended => Some(Fault::Internal),
                () => None,
            };
            if let Some(fault) = stop {
                task.abort();
                return Err(fault.into());
            }
            std::thread::park_timeout(left.map_or(LOOK, |left| left.min(LOOK)));
        }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.lock().take() {
            // Connections are closed; a name that is still looked up holds its thread and nobody else.
            runtime.shutdown_background();
        }
    }
}
