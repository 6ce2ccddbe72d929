//! The issuers an operator configured, and their keys: fetched when they are needed, kept for a while, bounded.

use super::jwk::{BadSet, Key, MAX_SET, TokenAlgorithm, key_set};
use super::token::{BadToken, Expected, Token};
use crate::extension::http::{Http, Url};
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use microkernel::syscall_bridge::{CallError, Status};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How soon keys are asked for again when a token names one that is not known: a plugin chooses the tokens.
const AGAIN_MS: u64 = 30_000;
/// How long keys are used that could not be fetched anew.
const KEEP_MS: u64 = 3_600_000;
/// How long fetching keys may take.
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

/// The keys that were read last, and when.
#[derive(Debug, Clone, Default)]
struct Known {
    keys: Option<(Arc<[Key]>, u64)>,
    tried_ms: Option<u64>,
}

#[derive(Debug)]
struct Entry {
    issuer: Issuer,
    known: Mutex<Known>,
    /// Held while keys are read, so that callers wait for one reading instead of each reading.
    reading: Mutex<()>,
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
        let entry = |issuer| Entry { issuer, known: Mutex::default(), reading: Mutex::default() };
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
        if let Some(keys) = self.usable(patience.clock, anew) {
            return Ok(keys);
        }
        let wait = patience.deadline.remaining(patience.clock).map_or(FETCH, |left| left.min(FETCH));
        let Some(_reading) = self.reading.try_lock_for(wait) else {
            return Err(CallError::new(Status::Timeout, "the issuer's keys are being read, and take long"));
        };
        // Somebody else may have read them meanwhile.
        if let Some(keys) = self.usable(patience.clock, anew) {
            return Ok(keys);
        }
        let read = self.read(http, patience);
        let now = now_ms(patience.clock);
        let mut known = self.known.lock();
        known.tried_ms = Some(now);
        match read {
            Ok(keys) => {
                let keys: Arc<[Key]> = keys.into();
                known.keys = Some((keys.clone(), now));
                Ok(keys)
            }
            Err(error) => {
                tracing::warn!(issuer = self.issuer.name, %error, "an issuer's keys cannot be read");
                let kept = known.keys.as_ref().filter(|(_, at)| now.saturating_sub(*at) < KEEP_MS);
                kept.map(|(keys, _)| keys.clone()).ok_or(error)
            }
        }
    }

    fn usable(&self, clock: &dyn Clock, anew: bool) -> Option<Arc<[Key]>> {
        let now = now_ms(clock);
        let known = self.known.lock();
        let (keys, at) = known.keys.as_ref()?;
        let just_tried = known.tried_ms.is_some_and(|tried| now.saturating_sub(tried) < AGAIN_MS);
        let refresh = u64::try_from(self.issuer.refresh.as_millis()).unwrap_or(u64::MAX);
        let age = now.saturating_sub(*at);
        let fresh = age < refresh && !anew;
        (fresh || (just_tried && age < KEEP_MS)).then(|| keys.clone())
    }

    fn read(&self, http: &Http, patience: Patience<'_>) -> Result<Vec<Key>, CallError> {
        let unavailable = |cause: &'static str| CallError::new(Status::Unavailable, cause);
        let bytes = match &self.issuer.keys {
            KeySource::File(path) => {
                let size = path.metadata().map(|meta| meta.len());
                if size.is_ok_and(|size| size > MAX_SET as u64) {
                    return Err(BadSet::Size.into());
                }
                std::fs::read(path)
                    .map_err(|_| unavailable("the file of the issuer's keys cannot be read"))?
            }
            KeySource::Url(url) => {
                let until = patience.deadline.min(Deadline::after(patience.clock, FETCH));
                let fetched = http.fetch(url, MAX_SET, until, patience.clock, patience.cancel);
                fetched.map_err(|_| unavailable("the issuer's keys cannot be fetched"))?
            }
        };
        Ok(key_set(&bytes)?)
    }
}

/// The time since some fixed point, in milliseconds.
fn now_ms(clock: &dyn Clock) -> u64 {
    clock.mono_ns() / 1_000_000
}

impl From<BadSet> for CallError {
    fn from(bad: BadSet) -> Self {
        Self::new(Status::Unavailable, bad.to_string())
    }
}

impl From<BadToken> for CallError {
    fn from(bad: BadToken) -> Self {
        Self::new(Status::Invalid, bad.to_string())
    }
}
