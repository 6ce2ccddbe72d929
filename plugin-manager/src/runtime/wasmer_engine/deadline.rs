//! Sets the interrupt flag of an instance when the deadline it is armed with has passed or its call was given up, and at
//! no other time.
//!
//! Each instance has a slot. Arming and disarming touch the slot and read one word that all share; the thread that
//! fires looks at the slots only when the earliest deadline it knows of has passed.

use common::cancel::{CancelToken, Listening, OnCancel};
use common::clock::{Clock, Deadline};
use parking_lot::Mutex;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Instances that may exist at a time: what fits into the address space at 8 GiB each.
pub(super) const MAX_SLOTS: usize = 15_000;
/// How often the thread looks.
const TICK: Duration = Duration::from_millis(1);

/// Slot states beside an armed deadline in milliseconds. Not armed; the value of [`Deadline::NEVER`].
const IDLE: u64 = u64::MAX;
/// Armed without a deadline, for a call that can only be given up: more than any clock tells.
const FAR: u64 = u64::MAX - 3;
/// The thread is about to set the flag.
const FIRING: u64 = u64::MAX - 1;
/// The flag is set.
const FIRED: u64 = u64::MAX - 2;

/// The word that an instance's code reads at its checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag(NonNull<AtomicU32>);

impl Flag {
    /// A flag at this place.
    ///
    /// # Safety
    /// The place is aligned, and valid for atomic access from any thread until the [`Watch`] it is registered with has
    /// been dropped.
    #[allow(unsafe_code, reason = "only the caller knows how long the place lives")]
    pub(super) unsafe fn at(place: NonNull<AtomicU32>) -> Self {
        Self(place)
    }
    fn set(self, value: u32) {
        // SAFETY: valid by the contract of `at`, for the watch is not dropped yet: the thread fires registered slots
        // alone, under the lock that dropping a watch takes to unregister it; a token fires a slot it listens for alone,
        // under the lock that ends the listening, which `during` does while it borrows the watch, and which dropping the
        // watch does for the token it keeps; and else the watch itself fires or disarms.
        #[allow(unsafe_code, reason = "the flag is a global of an instance")]
        unsafe { self.0.as_ref() }.store(value, Ordering::SeqCst);
    }
}

// SAFETY: the place may be accessed from any thread by the contract of `at`, and only atomically by us.
#[allow(unsafe_code, reason = "a raw pointer that may be used from any thread")]
unsafe impl Send for Flag {}
// SAFETY: as above.
#[allow(unsafe_code, reason = "a raw pointer that may be used from any thread")]
unsafe impl Sync for Flag {}

/// On a cache line of its own, so that instances on different threads do not slow one another down.
#[derive(Debug)]
#[repr(align(64))]
struct Slot {
    state: AtomicU64,
    flag: Flag,
}

impl Slot {
    /// Sets the flag if the slot is armed with a deadline that has passed. Otherwise the deadline, or [`IDLE`].
    fn fire(&self, now: u64) -> u64 {
        let state = self.state.load(Ordering::SeqCst);
        if state >= FIRED {
            return IDLE;
        }
        if state > now {
            return state;
        }
        self.fire_armed(state);
        IDLE
    }
    /// Sets the flag if the slot is still armed so.
    fn fire_armed(&self, armed: u64) {
        let won = self.state.compare_exchange(armed, FIRING, Ordering::SeqCst, Ordering::SeqCst);
        if won.is_ok() {
            self.flag.set(1);
            self.state.store(FIRED, Ordering::SeqCst);
        }
    }
    /// Ends the armed time. The flag is clear afterwards.
    fn disarm(&self, armed: u64) {
        if self.state.compare_exchange(armed, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            return;
        }
        // The thread won. Once it has set the flag it does not touch the slot until the next arming.
        while self.state.load(Ordering::SeqCst) == FIRING {
            std::thread::yield_now();
        }
        self.flag.set(0);
        self.state.store(IDLE, Ordering::SeqCst);
    }
}

/// The call the slot is armed for was given up.
impl OnCancel for Slot {
    fn cancelled(&self) {
        let state = self.state.load(Ordering::SeqCst);
        if state < FIRED {
            self.fire_armed(state);
        }
    }
}

#[derive(Debug, Default)]
struct Slots {
    slots: Vec<Option<Arc<Slot>>>,
    free: Vec<usize>,
}

/// The deadlines of all instances of one engine.
#[derive(Debug)]
pub(super) struct Deadlines {
    clock: Arc<dyn Clock>,
    /// No armed slot has a deadline before this.
    earliest: AtomicU64,
    slots: Mutex<Slots>,
}

impl Deadlines {
    /// Starts the thread, which ends with the last handle.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn start(clock: Arc<dyn Clock>) -> std::io::Result<Arc<Self>> {
        let deadlines = Arc::new(Self::new(clock));
        let weak = Arc::downgrade(&deadlines);
        std::thread::Builder::new().name("forgeone-wasmer".into()).spawn(move || run(&weak))?;
        Ok(deadlines)
    }
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, earliest: AtomicU64::new(IDLE), slots: Mutex::default() }
    }
    /// Registers an instance's flag, and what ends the instance; `None` when there are [`MAX_SLOTS`] already.
    pub(super) fn register(self: &Arc<Self>, flag: Flag, over: &CancelToken) -> Option<Watch> {
        let slot = Arc::new(Slot { state: AtomicU64::new(IDLE), flag });
        let mut slots = self.slots.lock();
        let index = match slots.free.pop() {
            Some(index) => index,
            None if slots.slots.len() >= MAX_SLOTS => return None,
            None => {
                slots.slots.push(None);
                slots.slots.len().saturating_sub(1)
            }
        };
        *slots.slots.get_mut(index)? = Some(slot.clone());
        drop(slots);
        let listener: Arc<dyn OnCancel> = slot.clone();
        let listening = Some(over.listen_on(listener));
        Some(Watch { deadlines: self.clone(), slot, index, over: over.clone(), listening })
    }
    /// Fires what has passed.
    fn tick(&self) {
        let now = self.clock.coarse_ms();
        if now < self.earliest.load(Ordering::SeqCst) {
            return;
        }
        // An arming that does not see this IDLE, and so leaves `earliest` alone, was stored before: the scan sees it.
        self.earliest.store(IDLE, Ordering::SeqCst);
        let slots = self.slots.lock();
        let left = slots.slots.iter().flatten().map(|slot| slot.fire(now)).min();
        self.earliest.fetch_min(left.unwrap_or(IDLE), Ordering::SeqCst);
    }
}

fn run(deadlines: &Weak<Deadlines>) {
    while let Some(deadlines) = deadlines.upgrade() {
        deadlines.tick();
        drop(deadlines);
        std::thread::sleep(TICK);
    }
}

/// An instance's place among the deadlines. Dropping it ends all access to the flag.
#[derive(Debug)]
pub(super) struct Watch {
    deadlines: Arc<Deadlines>,
    slot: Arc<Slot>,
    index: usize,
    /// Ends whatever runs in the instance.
    over: CancelToken,
    /// `None` once the watch is being dropped.
    listening: Option<Listening>,
}

impl Watch {
    /// Runs `call` with the flag armed. The flag is clear before and after, however `call` ends.
    #[inline]
    pub(super) fn during<T>(
        &self,
        deadline: Deadline,
        cancel: Option<&CancelToken>,
        call: impl FnOnce() -> T,
    ) -> T {
        // A deadline that would read as a state is no deadline.
        let armed = Armed { slot: &self.slot, deadline: deadline.as_ms().min(FAR) };
        armed.slot.state.store(armed.deadline, Ordering::SeqCst);
        if armed.deadline < self.deadlines.earliest.load(Ordering::SeqCst) {
            self.deadlines.earliest.fetch_min(armed.deadline, Ordering::SeqCst);
        }
        // Given up before it was armed, it was not fired; given up from here on, it is.
        if self.over.is_cancelled() {
            self.slot.cancelled();
        }
        match cancel {
            None => call(),
            Some(token) => {
                let listener: Arc<dyn OnCancel> = self.slot.clone();
                let _listening = token.listen(listener);
                call()
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.listening.take());
        let mut slots = self.deadlines.slots.lock();
        if let Some(slot) = slots.slots.get_mut(self.index) {
            *slot = None;
        }
        slots.free.push(self.index);
    }
}

/// Disarms when the call returns, and when a host function panics through it.
struct Armed<'a> {
    slot: &'a Slot,
    deadline: u64,
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.slot.disarm(self.deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::clock::ManualClock;

    /// A flag that lives as long as the test.
    fn flag() -> (Flag, &'static AtomicU32) {
        let word: &'static AtomicU32 = Box::leak(Box::default());
        // SAFETY: leaked, so valid for ever.
        #[allow(unsafe_code, reason = "what the engine does with a global")]
        (unsafe { Flag::at(NonNull::from(word)) }, word)
    }

    fn deadlines() -> (Arc<ManualClock>, Arc<Deadlines>) {
        let clock = ManualClock::at(0);
        (clock.clone(), Arc::new(Deadlines::new(clock)))
    }

    fn ticked(deadlines: &Deadlines, word: &AtomicU32) -> u32 {
        deadlines.tick();
        word.load(Ordering::SeqCst)
    }

    #[test]
    fn a_flag_is_set_when_its_deadline_has_passed_and_cleared_after_the_call() {
        let (clock, deadlines) = deadlines();
        let (flag, word) = flag();
        let watch = deadlines.register(flag, &CancelToken::new()).unwrap();
        watch.during(Deadline::at_ms(10), None, || {
            deadlines.tick();
            assert_eq!(word.load(Ordering::SeqCst), 0);
            clock.advance(Duration::from_millis(9));
            deadlines.tick();
            assert_eq!(word.load(Ordering::SeqCst), 0);
            clock.advance(Duration::from_millis(1));
            deadlines.tick();
            assert_eq!(word.load(Ordering::SeqCst), 1);
        });
        assert_eq!(word.load(Ordering::SeqCst), 0);
        let next = watch.during(Deadline::at_ms(11), None, || ticked(&deadlines, word));
        assert_eq!(next, 0, "the next call has a deadline of its own");
    }

    #[test]
    fn a_tick_after_the_call_sets_nothing() {
        let (clock, deadlines) = deadlines();
        let (flag, word) = flag();
        let watch = deadlines.register(flag, &CancelToken::new()).unwrap();
        watch.during(Deadline::at_ms(1), None, || ());
        clock.advance(Duration::from_secs(1));
        deadlines.tick();
        assert_eq!(word.load(Ordering::SeqCst), 0);
        for ms in [FIRED, FIRING, IDLE, Deadline::NEVER.as_ms()] {
            assert_eq!(watch.during(Deadline::at_ms(ms), None, || ticked(&deadlines, word)), 0);
        }
    }

    #[test]
    fn each_of_many_fires_at_its_own_time() {
        let (clock, deadlines) = deadlines();
        let watches: Vec<_> = (0..50)
            .map(|_| {
                let (flag, word) = flag();
                (deadlines.register(flag, &CancelToken::new()).unwrap(), word)
            })
            .collect();
        // The later deadlines first, so that the earliest known has to come down.
        for ((watch, _), ms) in watches.iter().zip(1..).collect::<Vec<_>>().into_iter().rev() {
            watch.slot.state.store(ms, Ordering::SeqCst);
            deadlines.earliest.fetch_min(ms, Ordering::SeqCst);
        }
        for passed in 1..=50 {
            clock.advance(Duration::from_millis(1));
            deadlines.tick();
            let set = watches.iter().filter(|(_, word)| word.load(Ordering::SeqCst) == 1).count();
            assert_eq!(set, passed);
        }
    }

    #[test]
    fn a_panic_in_the_call_disarms() {
        let (clock, deadlines) = deadlines();
        let (flag, word) = flag();
        let watch = deadlines.register(flag, &CancelToken::new()).unwrap();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            watch.during(Deadline::at_ms(1), None, || {
                clock.advance(Duration::from_millis(1));
                deadlines.tick();
                std::panic::resume_unwind(Box::new(()));
            })
        }));
        assert!(caught.is_err());
        deadlines.tick();
        assert_eq!(word.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_call_given_up_has_its_flag_set_at_once_and_the_next_has_not() {
        let (_, deadlines) = deadlines();
        let (flag, word) = flag();
        let watch = deadlines.register(flag, &CancelToken::new()).unwrap();
        for deadline in [Deadline::at_ms(10), Deadline::NEVER, Deadline::at_ms(FAR), Deadline::at_ms(FIRED)] {
            let token = CancelToken::new();
            watch.during(deadline, Some(&token), || {
                assert_eq!(ticked(&deadlines, word), 0);
                token.cancel();
                assert_eq!(word.load(Ordering::SeqCst), 1);
            });
            assert_eq!(word.load(Ordering::SeqCst), 0);
            watch.during(deadline, Some(&token), || assert_eq!(word.load(Ordering::SeqCst), 1));
            assert_eq!(watch.during(deadline, None, || ticked(&deadlines, word)), 0);
            let late = CancelToken::new();
            watch.during(deadline, Some(&late), || ());
            late.cancel();
            assert_eq!(word.load(Ordering::SeqCst), 0);
        }
    }

    #[test]
    fn slots_are_used_again_and_bounded() {
        let (_, deadlines) = deadlines();
        let (flag, _) = flag();
        for _ in 0..3 {
            let watches: Vec<_> =
                std::iter::from_fn(|| deadlines.register(flag, &CancelToken::new())).collect();
            assert_eq!(watches.len(), MAX_SLOTS);
        }
        assert_eq!(deadlines.slots.lock().slots.len(), MAX_SLOTS);
        assert_eq!(deadlines.slots.lock().free.len(), MAX_SLOTS);
    }

    #[test]
    fn a_dropped_watch_leaves_nothing_behind_that_could_set_the_flag() {
        let (clock, deadlines) = deadlines();
        let (flag, word) = flag();
        let watch = deadlines.register(flag, &CancelToken::new()).unwrap();
        watch.slot.state.store(1, Ordering::SeqCst);
        deadlines.earliest.fetch_min(1, Ordering::SeqCst);
        drop(watch);
        clock.advance(Duration::from_secs(1));
        deadlines.tick();
        assert_eq!(word.load(Ordering::SeqCst), 0);
    }

    /// The race: short calls whose deadlines pass at about their end, against a thread that does nothing but tick.
    #[test]
    fn no_tick_ever_reaches_the_next_call() {
        let (clock, deadlines) = deadlines();
        let stop = Arc::new(AtomicU32::new(0));
        let (ticking, stopped) = (deadlines.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while stopped.load(Ordering::Relaxed) == 0 {
                clock.advance(Duration::from_millis(1));
                ticking.tick();
            }
        });
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let deadlines = deadlines.clone();
                std::thread::spawn(move || {
                    let (flag, word) = flag();
                    let watch = deadlines.register(flag, &CancelToken::new()).unwrap();
                    let mut fired = 0;
                    for round in 0..200_000u64 {
                        let soon = deadlines.clock.coarse_ms().saturating_add(round % 4);
                        let set = watch.during(Deadline::at_ms(soon), None, || {
                            while round % 1024 == 0 && word.load(Ordering::SeqCst) == 0 {
                                std::thread::yield_now();
                            }
                            let set = word.load(Ordering::SeqCst);
                            let early = set == 1 && deadlines.clock.coarse_ms() < soon;
                            assert!(!early, "set before its deadline");
                            set
                        });
                        assert_eq!(word.load(Ordering::SeqCst), 0, "set after its call");
                        fired += set;
                    }
                    fired
                })
            })
            .collect();
        let fired: u32 = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
        stop.store(1, Ordering::Relaxed);
        thread.join().unwrap();
        assert!(fired >= 3 * 200_000 / 1024, "the deadlines that were waited for");
    }

    #[test]
    fn an_armed_call_among_many_is_never_forgotten() {
        let clock = common::clock::SystemClock::start().unwrap();
        let deadlines = Deadlines::start(clock.clone()).unwrap();
        let callers: Vec<_> = (0..4)
            .map(|thread| {
                let (deadlines, clock) = (deadlines.clone(), clock.clone());
                std::thread::spawn(move || {
                    let (flag, word) = flag();
                    let watch = deadlines.register(flag, &CancelToken::new()).unwrap();
                    for round in 0..100 {
                        let timeout = Duration::from_millis(1 + (thread + round) % 3);
                        let begun = std::time::Instant::now();
                        watch.during(Deadline::after(&*clock, timeout), None, || {
                            while word.load(Ordering::SeqCst) == 0 {
                                assert!(begun.elapsed() < Duration::from_secs(10), "forgotten");
                                std::hint::spin_loop();
                            }
                        });
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    }
}
