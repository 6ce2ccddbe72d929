//! Sets the interrupt flag of an instance when the deadline it is armed with has passed, and at no other time.
//!
//! Each instance has a slot. Arming and disarming touch the slot and read one word that all share; the thread that
//! fires looks at the slots only when the earliest deadline it knows of has passed.

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
    /// The place is aligned, and valid for atomic access from any thread until the [`Armed`] guard of the slot it is
    /// registered with has been dropped.
    pub(super) unsafe fn at(place: NonNull<AtomicU32>) -> Self {
        Self(place)
    }
    fn set(self, value: u32) {
        // SAFETY: valid by the contract of `at`: the slot is still registered when the thread fires, which it does
        // under the registry's lock, and when the guard, which unregisters, disarms.
        unsafe { self.0.as_ref() }.store(value, Ordering::SeqCst);
    }
}

// SAFETY: the place may be accessed from any thread by the contract of `at`, and only atomically by us.
unsafe impl Send for Flag {}
// SAFETY: as above.
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
        let won = self.state.compare_exchange(state, FIRING, Ordering::SeqCst, Ordering::SeqCst);
        if won.is_ok() {
            self.flag.set(1);
            self.state.store(FIRED, Ordering::SeqCst);
        }
        IDLE
    }
    /// Ends the armed time; whether the flag had been set. The flag is clear afterwards.
    fn disarm(&self, armed: u64) -> bool {
        if self.state.compare_exchange(armed, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            return false;
        }
        // The thread won. Once it has set the flag it does not touch the slot until the next arming.
        while self.state.load(Ordering::SeqCst) == FIRING {
            std::thread::yield_now();
        }
        self.flag.set(0);
        self.state.store(IDLE, Ordering::SeqCst);
        true
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
    /// Registers an instance's flag; `None` when there are [`MAX_SLOTS`] already.
    pub(super) fn register(self: &Arc<Self>, flag: Flag) -> Option<Watch> {
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
        Some(Watch { deadlines: self.clone(), slot, index })
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
}

impl Watch {
    /// Runs `call` with the flag armed; also whether the deadline passed before it ended. The flag is clear before
    /// and after, however `call` ends.
    pub(super) fn during<T>(&self, deadline: Deadline, call: impl FnOnce() -> T) -> (T, bool) {
        // An unarmed slot is IDLE, so a deadline that would read as a state is no deadline.
        let armed = if deadline.as_ms() >= FIRED { IDLE } else { deadline.as_ms() };
        let armed = Armed { slot: &self.slot, deadline: armed };
        self.slot.state.store(armed.deadline, Ordering::SeqCst);
        if armed.deadline < self.deadlines.earliest.load(Ordering::SeqCst) {
            self.deadlines.earliest.fetch_min(armed.deadline, Ordering::SeqCst);
        }
        let result = call();
        (result, armed.end())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut slots = self.deadlines.slots.lock();
        if let Some(slot) = slots.slots.get_mut(self.index) {
            *slot = None;
        }
        slots.free.push(self.index);
    }
}

/// Disarms when a host function panics through the call.
struct Armed<'a> {
    slot: &'a Slot,
    deadline: u64,
}

impl Armed<'_> {
    fn end(self) -> bool {
        let fired = self.slot.disarm(self.deadline);
        std::mem::forget(self);
        fired
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.slot.disarm(self.deadline);
    }
}
