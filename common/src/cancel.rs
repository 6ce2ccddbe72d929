//! A call its caller no longer wants: told once, seen by everyone who works on it, and acted on at once by those who
//! asked to be told.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is done when a call is given up. It runs on the thread that gives the call up, while the token is locked: it
/// takes no lock but that of a token that was derived from this one, does not block, and does not use the token.
pub trait OnCancel: Send + Sync {
    /// The call was given up.
    fn cancelled(&self);
}

/// Gives up the calls it was handed to. Clones are the same token; what was given up stays so.
///
/// ```
/// use common::cancel::CancelToken;
/// let token = CancelToken::new();
/// let same = token.clone();
/// assert!(!token.is_cancelled());
/// same.cancel();
/// assert!(token.is_cancelled());
/// ```
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    listeners: Mutex<Listeners>,
}

/// Bounded by what there is to be ended: each call under way with the token, each instance and each token derived from it
/// registers at most one listener at a time.
#[derive(Default)]
struct Listeners {
    next: u64,
    all: BTreeMap<u64, Arc<dyn OnCancel>>,
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelToken({})", self.is_cancelled())
    }
}

impl CancelToken {
    /// A token that gives nothing up yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Gives up. A second time does nothing.
    pub fn cancel(&self) {
        let listeners = self.0.listeners.lock();
        if !self.0.cancelled.swap(true, Ordering::SeqCst) {
            listeners.all.values().for_each(|listener| listener.cancelled());
        }
    }
    /// Whether it was given up.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }
    /// Tells `listener` when it is given up, now if it already was; never after the registration is dropped.
    #[must_use = "the listener is told only as long as the registration is there"]
    pub fn listen(&self, listener: Arc<dyn OnCancel>) -> Registration<'_> {
        Registration { token: self, id: self.join(listener) }
    }
    /// [`CancelToken::listen`], for a listener that stays for as long as what is returned lives.
    pub fn listen_on(&self, listener: Arc<dyn OnCancel>) -> Listening {
        Listening { token: self.clone(), id: self.join(listener) }
    }
    /// A token of its own that is given up with this one too.
    pub fn derive(&self) -> Derived {
        let token = Self::new();
        Derived { _with: vec![self.listen_on(Arc::new(token.clone()))], token }
    }
    fn join(&self, listener: Arc<dyn OnCancel>) -> u64 {
        let mut listeners = self.0.listeners.lock();
        if self.is_cancelled() {
            listener.cancelled();
        }
        let id = listeners.next;
        listeners.next += 1;
        listeners.all.insert(id, listener);
        id
    }
    fn leave(&self, id: u64) {
        let listener = self.0.listeners.lock().all.remove(&id);
        drop(listener);
    }
}

/// A token that was derived is given up.
impl OnCancel for CancelToken {
    fn cancelled(&self) {
        self.cancel();
    }
}

/// A listener's place with a token.
#[derive(Debug)]
pub struct Registration<'a> {
    token: &'a CancelToken,
    id: u64,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.token.leave(self.id);
    }
}

/// A listener's place with a token, which it keeps.
#[derive(Debug)]
pub struct Listening {
    token: CancelToken,
    id: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.token.leave(self.id);
    }
}

/// A token that is given up by itself or with the one it was derived from; no longer with that one once this is dropped.
#[derive(Debug)]
pub struct Derived {
    token: CancelToken,
    _with: Vec<Listening>,
}

impl Derived {
    /// The same token, given up with this one too.
    #[must_use]
    pub fn and(mut self, other: &CancelToken) -> Self {
        self._with.push(other.listen_on(Arc::new(self.token.clone())));
        self
    }

    /// The token.
    pub const fn token(&self) -> &CancelToken {
        &self.token
    }
}

/// A thread is woken from [`std::thread::park`].
impl OnCancel for std::thread::Thread {
    fn cancelled(&self) {
        self.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl OnCancel for Counts {
        fn cancelled(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_listener_is_told_once_and_not_when_it_has_gone() {
        let token = CancelToken::new();
        let (stays, goes, late) =
            (Arc::new(Counts::default()), Arc::new(Counts::default()), Arc::new(Counts::default()));
        let _stays = token.listen(stays.clone());
        drop(token.listen(goes.clone()));
        token.cancel();
        token.cancel();
        let _late = token.listen(late.clone());
        let told = [stays, goes, late].map(|c| c.0.load(Ordering::SeqCst));
        assert_eq!(told, [1, 0, 1]);
    }

    #[test]
    fn nothing_is_kept_of_listeners_that_have_gone() {
        let token = CancelToken::new();
        let counts = Arc::new(Counts::default());
        for _ in 0..1000 {
            drop(token.listen(counts.clone()));
        }
        assert!(token.0.listeners.lock().all.is_empty());
        assert_eq!(Arc::strong_count(&counts), 1);
    }

    #[test]
    fn a_derived_token_is_given_up_with_its_origin_and_never_the_other_way() {
        let origin = CancelToken::new();
        let (first, second, gone) = (origin.derive(), origin.derive(), origin.derive());
        let counts = Arc::new(Counts::default());
        let _heard = second.token().listen(counts.clone());
        first.token().cancel();
        assert!(!origin.is_cancelled() && !second.token().is_cancelled());
        let left = gone.token().clone();
        drop(gone);
        origin.cancel();
        assert!(second.token().is_cancelled() && origin.derive().token().is_cancelled());
        assert_eq!((counts.0.load(Ordering::SeqCst), left.is_cancelled()), (1, false));
    }

    #[test]
    fn a_parked_thread_is_woken_whenever_it_is_told() {
        for _ in 0..200 {
            let token = CancelToken::new();
            let other = token.clone();
            let parked = std::thread::spawn(move || {
                let _woken = other.listen(Arc::new(std::thread::current()));
                while !other.is_cancelled() {
                    std::thread::park();
                }
            });
            token.cancel();
            parked.join().unwrap();
        }
    }
}
