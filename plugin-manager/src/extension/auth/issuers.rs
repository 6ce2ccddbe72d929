//! The issuers an operator configured, and their keys: fetched when they are needed, kept for a while, bounded.

use super::jwk::{BadSet, Key, MAX_SET, TokenAlgorithm, key_set};
use super::token::{BadToken, Expected, Token};
use crate::extension::http::{Http, Url, Work};
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use microkernel::syscall_bridge::{CallError, Status};
use parking_lot::Mutex;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How soon keys are read again after a reading that failed, and when a token names one that is not known: a plugin
/// chooses the tokens.
const AGAIN_MS: u64 = 30_000;
/// How long keys are used that could not be fetched anew.
const KEEP_MS: u64 = 3_600_000;
/// How long reading keys may take, whatever the caller who first needs them is bounded by.
const FETCH: Duration = Duration::from_secs(10);

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In this file.
    File(PathBuf),
    /// At this URL, with TLS.
    Url(Url),
}

/// An issuer of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its name, as in the claim `iss`.
    pub name: String,
    /// Who its tokens must be for: one of these must be in the claim `aud`.
    pub audiences: Vec<String>,
    /// The algorithms its keys may be of.
    pub algorithms: Vec<TokenAlgorithm>,
    /// Its keys.
    pub keys: KeySource,
    /// By how much its clock and this host's may differ.
    pub leeway: Duration,
    /// After how long its keys are read anew.
    pub refresh: Duration,
}

/// Why keys could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unread {
    #[error("the file of the issuer's keys cannot be read")]
    File,
    #[error("the issuer's keys cannot be fetched")]
    Fetch,
    #[error("reading the issuer's keys failed less than half a minute ago, and is not tried again yet")]
    JustTried,
    #[error(transparent)]
    Set(#[from] BadSet),
}

type Read = Result<Arc<[Key]>, Unread>;

/// A reading under way. It belongs to no caller: who gives up waiting neither ends it nor makes it a failure.
#[derive(Debug, Clone)]
struct Reading {
    work: Work<Read>,
    begun_ms: u64,
}

/// The keys that were read last, and when their reading began; the reading that began last; the one under way.
#[derive(Debug, Default)]
struct Known {
    keys: Option<(Arc<[Key]>, u64)>,
    tried_ms: Option<u64>,
    reading: Option<Reading>,
}

/// What there is to be had at once.
enum Have {
    Keys(Arc<[Key]>),
    Reading(Reading),
}

#[derive(Debug)]
struct Entry {
    issuer: Issuer,
    known: Mutex<Known>,
}

/// Every configured issuer.
#[derive(Debug)]
pub struct Issuers {
    entries: Vec<Entry>,
    http: Arc<Http>,
}

/// What waiting for keys is bounded by.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub clock: &'a dyn Clock,
    pub deadline: Deadline,
    pub cancel: Option<&'a CancelToken>,
}

impl Issuers {
    /// These issuers, whose keys are fetched with this client.
    pub fn new(issuers: Vec<Issuer>, http: Arc<Http>) -> Self {
        let entry = |issuer| Entry { issuer, known: Mutex::default() };
        Self { entries: issuers.into_iter().map(entry).collect(), http }
    }

    /// The claims of a good token, as JSON text.
    pub(super) fn verify(&self, token: &Token<'_>, patience: Patience<'_>) -> Result<(), CallError> {
        let entry = self.entries.iter().find(|entry| entry.issuer.name == token.issuer());
        let entry = entry.ok_or(BadToken::Issuer)?;
        let keys = entry.keys(&self.http, patience, false)?;
        if !entry.signed(token, &keys) {
            // The issuer may have begun to use another key.
            let newer = entry.keys(&self.http, patience, true)?;
            if Arc::ptr_eq(&keys, &newer) || !entry.signed(token, &newer) {
                return Err(BadToken::Signature.into());
            }
        }
        let expected = Expected {
            audiences: &entry.issuer.audiences,
            leeway: entry.issuer.leeway.as_secs_f64(),
            now: Duration::from_nanos(patience.clock.wall_ns()).as_secs_f64(),
        };
        Ok(token.holds(&expected)?)
    }
}

impl Entry {
    /// Whether a key of the issuer signed the token. A key is tried with its own algorithm only, and only when the
    /// token says that algorithm and, if it names a key, that key.
    fn signed(&self, token: &Token<'_>, keys: &[Key]) -> bool {
        let fits = |key: &&Key| {
            key.algorithm.name() == token.algorithm
                && self.issuer.algorithms.contains(&key.algorithm)
                && token.key.as_ref().is_none_or(|id| key.id.as_ref().is_none_or(|own| own == id))
        };
        keys.iter().filter(fits).any(|key| key.key.verify(token.signed, &token.signature).is_ok())
    }

    /// Keys that are fresh enough, read when they are not. With `anew` they are read unless that was done just now.
    fn keys(&self, http: &Http, patience: Patience<'_>, anew: bool) -> Result<Arc<[Key]>, CallError> {
        let reading = match self.have(http, patience.clock, anew)? {
            Have::Keys(keys) => return Ok(keys),
            Have::Reading(reading) => reading,
        };
        reading.work.wait(http, patience.deadline, patience.clock, patience.cancel)?;
        match self.have(http, patience.clock, anew)? {
            Have::Keys(keys) => Ok(keys),
            // The clock went on so far while this caller waited that another reading was due.
            Have::Reading(_) => Err(Unread::JustTried.into()),
        }
    }

    /// Keys, or the reading to wait for: the one under way, or one that begins now.
    fn have(&self, http: &Http, clock: &dyn Clock, anew: bool) -> Result<Have, CallError> {
        let now = clock.mono_ns() / 1_000_000;
        let mut known = self.known.lock();
        self.take_in(&mut known);
        let refresh = u64::try_from(self.issuer.refresh.as_millis()).unwrap_or(u64::MAX);
        let just_tried = known.tried_ms.is_some_and(|tried| now.saturating_sub(tried) < AGAIN_MS);
        let younger = |most: u64| {
            let kept = known.keys.as_ref().filter(|(_, at)| now.saturating_sub(*at) < most);
            kept.map(|(keys, _)| keys.clone())
        };
        if !anew && let Some(keys) = younger(refresh) {
            return Ok(Have::Keys(keys));
        }
        if let Some(reading) = &known.reading {
            return Ok(Have::Reading(reading.clone()));
        }
        if just_tried {
            return younger(KEEP_MS).map(Have::Keys).ok_or_else(|| Unread::JustTried.into());
        }
        let reading = Reading { work: Work::begin(http, self.read(http))?, begun_ms: now };
        known.tried_ms = Some(now);
        known.reading = Some(reading.clone());
        Ok(Have::Reading(reading))
    }

    /// Takes in what the reading under way has brought, if it has ended. Its keys are as old as its beginning.
    fn take_in(&self, known: &mut Known) {
        let Some(reading) = &known.reading else { return };
        let Some(outcome) = reading.work.outcome() else { return };
        match outcome.unwrap_or(Err(Unread::Fetch)) {
            Ok(keys) => known.keys = Some((keys, reading.begun_ms)),
            Err(error) => {
                tracing::warn!(issuer = self.issuer.name, %error, "an issuer's keys cannot be read")
            }
        }
        known.reading = None;
    }

    fn read(&self, http: &Http) -> impl Future<Output = Read> + Send + use<> {
        let source = match &self.issuer.keys {
            KeySource::File(path) => Ok(path.clone()),
            KeySource::Url(url) => Err(http.fetch(url, MAX_SET)),
        };
        async move {
            let bytes = match source {
                Ok(path) => {
                    let read = tokio::task::spawn_blocking(move || read_file(&path));
                    read.await.map_err(|_| Unread::File)??
                }
                Err(fetch) => {
                    let fetched = tokio::time::timeout(FETCH, fetch).await;
                    fetched.map_err(|_| Unread::Fetch)?.map_err(|_| Unread::Fetch)?
                }
            };
            Ok(key_set(&bytes)?.into())
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Unread> {
    if path.metadata().is_ok_and(|meta| meta.len() > MAX_SET as u64) {
        return Err(BadSet::Size.into());
    }
    std::fs::read(path).map_err(|_| Unread::File)
}

impl From<Unread> for CallError {
    fn from(unread: Unread) -> Self {
        Self::new(Status::Unavailable, unread.to_string())
    }
}

impl From<BadToken> for CallError {
    fn from(bad: BadToken) -> Self {
        Self::new(Status::Invalid, bad.to_string())
    }
}
