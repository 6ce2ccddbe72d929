//! What happens to plugins, told to whoever listens: in order, numbered, and without waiting for a listener.

mod kind;

pub use kind::EventKind;

use common::clock::Clock;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Events kept for a listener that is behind; of more, the oldest go.
pub const EVENTS_KEPT: usize = 1024;

/// Something that happened to a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Its number among those of this host that were told to anybody: one more than the last one's.
    pub sequence: u64,
    /// When, in nanoseconds since 1970.
    pub time_ns: u64,
    /// The plugin; empty where a file of the plugin directory is no package of any.
    pub plugin: String,
    /// Its version; empty where it is not known.
    pub version: String,
    /// What happened.
    pub kind: EventKind,
}

/// What a listener gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An event.
    Event(Arc<Event>),
    /// It was behind, and this many events before the next one are gone.
    Lagged(u64),
}

/// The events of one host from the moment on in which this was made. It ends with the host.
///
/// As an iterator it waits for the next one; [`Events::next_within`] waits only so long, and [`Events::recv`] is for
/// async callers of any runtime.
#[derive(Debug)]
pub struct Events {
    queue: Arc<Queue>,
    feed: Weak<Feed>,
}

impl Events {
    /// The next one, waiting for it at most this long; `None` when none came.
    pub fn next_within(&mut self, wait: Duration) -> Option<Told> {
        let mut inner = self.queue.inner.lock();
        if inner.nothing() && !inner.over {
            self.queue.ready.wait_while_for(&mut inner, |inner| inner.nothing() && !inner.over, wait);
        }
        inner.take()
    }

    /// The next one; `None` when the host is gone and everything was told. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Told> {
        poll_fn(|context| self.queue.poll(context)).await
    }
}

impl Iterator for Events {
    type Item = Told;
    fn next(&mut self) -> Option<Told> {
        let mut inner = self.queue.inner.lock();
        self.queue.ready.wait_while(&mut inner, |inner| inner.nothing() && !inner.over);
        inner.take()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.upgrade() {
            feed.leave(&self.queue);
        }
    }
}

/// What one listener has not heard yet.
#[derive(Debug, Default)]
struct Queue {
    inner: Mutex<Waiting>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Arc<Event>>,
    lost: u64,
    over: bool,
    waker: Option<Waker>,
}

impl Waiting {
    fn nothing(&self) -> bool {
        self.events.is_empty() && self.lost == 0
    }
    fn take(&mut self) -> Option<Told> {
        match std::mem::take(&mut self.lost) {
            0 => self.events.pop_front().map(Told::Event),
            lost => Some(Told::Lagged(lost)),
        }
    }
}

impl Queue {
    fn push(&self, event: Arc<Event>) {
        let mut inner = self.inner.lock();
        if inner.events.len() >= EVENTS_KEPT {
            inner.events.pop_front();
            inner.lost = inner.lost.saturating_add(1);
        }
        inner.events.push_back(event);
        self.wake(inner.waker.take());
    }
    fn end(&self) {
        let mut inner = self.inner.lock();
        inner.over = true;
        self.wake(inner.waker.take());
    }
    fn wake(&self, waker: Option<Waker>) {
        self.ready.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
    fn poll(&self, context: &Context<'_>) -> Poll<Option<Told>> {
        let mut inner = self.inner.lock();
        if inner.nothing() && !inner.over {
            inner.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(inner.take())
    }
}

/// Hears which plugins something happened to, and never what: it looks for itself.
pub(super) trait Watcher: Send + Sync + fmt::Debug {
    /// Something happened to this one. Must not wait.
    fn touched(&self, plugin: &str);
}

/// Tells the events of one host. While nobody listens, telling is one load.
#[derive(Debug)]
pub(super) struct Feed {
    clock: Arc<dyn Clock>,
    listening: AtomicUsize,
    inner: Mutex<Listeners>,
}

#[derive(Debug, Default)]
struct Listeners {
    queues: Vec<Arc<Queue>>,
    watcher: Option<Arc<dyn Watcher>>,
    sequence: u64,
}

impl Feed {
    /// Nobody listens yet.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, listening: AtomicUsize::new(0), inner: Mutex::default() })
    }

    /// Tells this of this plugin.
    #[inline]
    pub fn emit(&self, plugin: &str, version: &str, kind: impl FnOnce() -> EventKind) {
        if self.listening.load(Ordering::Relaxed) != 0 {
            self.tell(plugin, version, kind());
        }
    }

    #[cold]
    fn tell(&self, plugin: &str, version: &str, kind: EventKind) {
        let mut inner = self.inner.lock();
        if let Some(watcher) = &inner.watcher {
            watcher.touched(plugin);
        }
        if inner.queues.is_empty() {
            return;
        }
        inner.sequence = inner.sequence.saturating_add(1);
        let event = Arc::new(Event {
            sequence: inner.sequence,
            time_ns: self.clock.wall_ns(),
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            kind,
        });
        inner.queues.iter().for_each(|queue| queue.push(event.clone()));
    }

    /// A new listener.
    pub fn listen(self: &Arc<Self>) -> Events {
        let queue = Arc::new(Queue::default());
        let mut inner = self.inner.lock();
        inner.queues.push(queue.clone());
        self.count(&inner);
        Events { queue, feed: Arc::downgrade(self) }
    }

    /// Lets this one hear which plugins are touched from now on, unless somebody else does.
    pub fn watch(&self, watcher: Arc<dyn Watcher>) -> bool {
        let mut inner = self.inner.lock();
        let free = inner.watcher.is_none();
        if free {
            inner.watcher = Some(watcher);
            self.count(&inner);
        }
        free
    }

    /// This one hears nothing any more.
    pub fn unwatch(&self, watcher: &Arc<dyn Watcher>) {
        let mut inner = self.inner.lock();
        inner.watcher.take_if(|own| std::ptr::addr_eq(Arc::as_ptr(own), Arc::as_ptr(watcher)));
        self.count(&inner);
    }

    /// Something happened to this plugin that is no event.
    pub fn touch(&self, plugin: &str) {
        if self.listening.load(Ordering::Relaxed) != 0
            && let Some(watcher) = &self.inner.lock().watcher
        {
            watcher.touched(plugin);
        }
    }

    /// Whether anybody listens to events.
    pub fn is_heard(&self) -> bool {
        self.listening.load(Ordering::Relaxed) != 0 && !self.inner.lock().queues.is_empty()
    }

    fn leave(&self, queue: &Arc<Queue>) {
        let mut inner = self.inner.lock();
        inner.queues.retain(|other| !Arc::ptr_eq(other, queue));
        self.count(&inner);
    }

    fn count(&self, inner: &Listeners) {
        let count = inner.queues.len() + usize::from(inner.watcher.is_some());
        self.listening.store(count, Ordering::Relaxed);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.inner.get_mut().queues.iter().for_each(|queue| queue.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::ManualClock;
    use std::pin::pin;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    fn feed() -> Arc<Feed> {
        Feed::new(ManualClock::at(7))
    }

    fn sequences(events: &mut Events) -> Vec<Result<u64, u64>> {
        let next = || events.next_within(Duration::ZERO);
        std::iter::from_fn(next)
            .map(|told| match told {
                Told::Event(event) => Ok(event.sequence),
                Told::Lagged(lost) => Err(lost),
            })
            .collect()
    }

    #[test]
    fn while_nobody_listens_nothing_is_made() {
        let feed = feed();
        feed.emit("a", "1.0.0", || unreachable!());
        let mut events = feed.listen();
        feed.emit("a", "1.0.0", || EventKind::Installed);
        let Some(Told::Event(event)) = events.next_within(Duration::ZERO) else { panic!() };
        assert_eq!((event.sequence, event.time_ns, event.kind.name()), (1, 7, "installed"));
        drop(events);
        feed.emit("a", "1.0.0", || unreachable!());
    }

    #[test]
    fn a_listener_that_is_behind_loses_the_oldest_and_is_told_how_many() {
        let feed = feed();
        let (mut slow, mut quick) = (feed.listen(), feed.listen());
        for i in 0..EVENTS_KEPT as u64 + 3 {
            feed.emit("a", "1.0.0", || EventKind::Removed);
            assert_eq!(sequences(&mut quick), [Ok(i + 1)], "the others lose nothing");
        }
        let heard = sequences(&mut slow);
        assert_eq!(heard.len(), EVENTS_KEPT + 1);
        assert_eq!(heard.get(..2), Some(&[Err(3), Ok(4)][..]));
    }

    #[test]
    fn what_was_told_is_heard_after_the_host_is_gone_and_then_it_ends() {
        let feed = feed();
        let events = feed.listen();
        feed.emit("a", "1.0.0", || EventKind::Removed);
        drop(feed);
        assert_eq!(events.count(), 1);
    }

    #[test]
    fn an_iterator_waits_for_what_another_thread_tells() {
        let feed = feed();
        let mut events = feed.listen();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| events.next());
            feed.emit("a", "1.0.0", || EventKind::Well);
            assert!(matches!(waiter.join().unwrap(), Some(Told::Event(_))));
        });
    }

    #[derive(Debug, Default)]
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn an_async_listener_is_woken_by_the_next_event_and_by_the_end() {
        let feed = feed();
        let mut events = feed.listen();
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        let mut context = Context::from_waker(&waker);
        {
            let mut next = pin!(events.recv());
            assert!(next.as_mut().poll(&mut context).is_pending());
            feed.emit("a", "1.0.0", || EventKind::Well);
            assert!(flag.0.swap(false, Ordering::SeqCst));
            assert!(matches!(next.poll(&mut context), Poll::Ready(Some(Told::Event(_)))));
        }
        let mut next = pin!(events.recv());
        assert!(next.as_mut().poll(&mut context).is_pending());
        drop(feed);
        assert!(flag.0.load(Ordering::SeqCst));
        assert!(matches!(next.poll(&mut context), Poll::Ready(None)));
    }
}
