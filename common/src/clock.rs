//! Time as an argument: wall time, monotonic time, and a coarse monotonic time cheap enough for the call path.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time. Rooms are given one; none reads the system clock by itself.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    fn wall_ns(&self) -> u64;
    /// Nanoseconds since an arbitrary fixed point; never goes back.
    fn mono_ns(&self) -> u64;
    /// Milliseconds since the same fixed point, refreshed about once a millisecond; a load, no system call.
    fn coarse_ms(&self) -> u64;
}

/// The machine's clock. Its coarse time is refreshed by a thread that ends with the last handle.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
    coarse: Arc<AtomicU64>,
}

impl SystemClock {
    /// Starts the clock and the thread that refreshes its coarse time.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start() -> std::io::Result<Arc<Self>> {
        let origin = Instant::now();
        let coarse = Arc::new(AtomicU64::new(0));
        let weak = Arc::downgrade(&coarse);
        std::thread::Builder::new().name("forgeone-clock".into()).spawn(move || {
            while let Some(coarse) = weak.upgrade() {
                coarse.store(millis(origin.elapsed()), Ordering::Relaxed);
                drop(coarse);
                std::thread::sleep(Duration::from_millis(1));
            }
        })?;
        Ok(Arc::new(Self { origin, coarse }))
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

impl Clock for SystemClock {
    fn wall_ns(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanos)
    }
    fn mono_ns(&self) -> u64 {
        nanos(self.origin.elapsed())
    }
    fn coarse_ms(&self) -> u64 {
        self.coarse.load(Ordering::Relaxed)
    }
}

/// A clock that moves only when told to: for tests and replays.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall: AtomicU64,
    mono: AtomicU64,
}

impl ManualClock {
    /// A clock standing at this wall time, in nanoseconds since 1970.
    pub fn at(wall_ns: u64) -> Arc<Self> {
        Arc::new(Self { wall: AtomicU64::new(wall_ns), mono: AtomicU64::new(0) })
    }
    /// Moves wall and monotonic time forward together.
    pub fn advance(&self, by: Duration) {
        self.wall.fetch_add(nanos(by), Ordering::SeqCst);
        self.mono.fetch_add(nanos(by), Ordering::SeqCst);
    }
    /// Sets the wall time alone, as a jump of the machine's clock does.
    pub fn jump_to(&self, wall_ns: u64) {
        self.wall.store(wall_ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall_ns(&self) -> u64 {
        self.wall.load(Ordering::SeqCst)
    }
    fn mono_ns(&self) -> u64 {
        self.mono.load(Ordering::SeqCst)
    }
    fn coarse_ms(&self) -> u64 {
        self.mono_ns() / 1_000_000
    }
}

/// The moment by which a call must end: coarse milliseconds of the clock it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// No deadline.
    pub const NEVER: Self = Self(u64::MAX);

    /// `timeout` from now, rounded up to the next millisecond.
    pub fn after(clock: &dyn Clock, timeout: Duration) -> Self {
        let ms = millis(timeout).saturating_add(1);
        Self(clock.coarse_ms().saturating_add(ms))
    }
    /// A deadline at this coarse time.
    pub const fn at_ms(ms: u64) -> Self {
        Self(ms)
    }
    /// The coarse time of the deadline.
    pub const fn as_ms(self) -> u64 {
        self.0
    }
    /// Whether it has passed.
    pub fn passed(self, clock: &dyn Clock) -> bool {
        clock.coarse_ms() >= self.0
    }
    /// What is left; zero when it has passed, `None` when there is no deadline.
    pub fn remaining(self, clock: &dyn Clock) -> Option<Duration> {
        (self != Self::NEVER).then(|| Duration::from_millis(self.0.saturating_sub(clock.coarse_ms())))
    }
    /// The earlier of the two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_when_its_time_has_come() {
        let clock = ManualClock::at(0);
        let d = Deadline::after(&*clock, Duration::from_millis(10));
        assert!(!d.passed(&*clock));
        clock.advance(Duration::from_millis(11));
        assert!(d.passed(&*clock));
        assert_eq!(d.remaining(&*clock), Some(Duration::ZERO));
        assert!(!Deadline::NEVER.passed(&*clock));
        assert_eq!(Deadline::NEVER.remaining(&*clock), None);
    }

    #[test]
    fn a_jump_of_the_wall_clock_moves_no_deadline() {
        let clock = ManualClock::at(1_000);
        let d = Deadline::after(&*clock, Duration::from_secs(1));
        clock.jump_to(u64::MAX / 2);
        assert!(!d.passed(&*clock));
    }

    #[test]
    fn the_system_clock_refreshes_its_coarse_time() {
        let clock = SystemClock::start().expect("thread");
        let until = Instant::now() + Duration::from_secs(5);
        while clock.coarse_ms() == 0 && Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(clock.coarse_ms() > 0);
        assert!(clock.wall_ns() > 1_700_000_000_000_000_000);
    }
}
