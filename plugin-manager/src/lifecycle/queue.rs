//! Callers that wait for an instance, first come, first served, but for a bounded number that pass.

use std::collections::VecDeque;
use std::thread::Thread;

/// Callers that may pass whoever waits longest. To hand every instance from thread to thread would make each call of a
/// busy plugin wait for a thread to wake; with none passing for ever, nobody waits for ever.
const MAY_PASS: u32 = 32;

/// Callers that wait, in the order in which they came. Its user bounds it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<(u64, Thread)>,
    next: u64,
    /// How many passed the first.
    passed: u32,
}

impl Queue {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
    /// Whether somebody who comes now may be served before those who wait.
    #[inline]
    pub fn lets_pass(&self) -> bool {
        self.waiting.is_empty() || self.passed < MAY_PASS
    }
    /// Somebody who came now was served.
    #[inline]
    pub fn pass(&mut self) {
        self.passed += u32::from(!self.waiting.is_empty());
    }
    /// Waits from now on; its place.
    pub fn join(&mut self, thread: Thread) -> u64 {
        let place = self.next;
        self.next += 1;
        self.waiting.push_back((place, thread));
        place
    }
    /// Whether it is the first.
    pub fn is_first(&self, place: u64) -> bool {
        self.waiting.front().is_some_and(|(first, _)| *first == place)
    }
    /// Waits no longer. Those behind it are passed anew when it was served.
    pub fn leave(&mut self, place: u64, served: bool) {
        self.waiting.retain(|(other, _)| *other != place);
        if served || self.waiting.is_empty() {
            self.passed = 0;
        }
    }
    /// The first.
    pub fn front(&self) -> Option<Thread> {
        self.waiting.front().map(|(_, thread)| thread.clone())
    }
    /// Wakes all.
    pub fn wake_all(&self) {
        self.waiting.iter().for_each(|(_, thread)| thread.unpark());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_number_passes_whoever_waits_and_then_nobody_until_it_is_served() {
        let mut queue = Queue::default();
        queue.pass();
        assert!(queue.lets_pass(), "nobody waits");
        let (first, second) = (queue.join(std::thread::current()), queue.join(std::thread::current()));
        for _ in 0..MAY_PASS {
            assert!(queue.lets_pass());
            queue.pass();
        }
        assert!(!queue.lets_pass());
        queue.leave(second, false);
        assert!(!queue.lets_pass() && queue.is_first(first), "one that gave up was not served");
        queue.join(std::thread::current());
        queue.leave(first, true);
        assert!(queue.lets_pass() && !queue.is_first(first));
    }
}
