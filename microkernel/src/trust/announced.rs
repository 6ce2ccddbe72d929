//! A value that is replaced while others decide by it. Whoever begins after a replacement is done has the new value.

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A value and the number it was announced under, from 1.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    pub(super) number: u64,
    pub(super) value: T,
}

/// The value in force, and its number.
#[derive(Debug)]
pub(super) struct Announced<T> {
    // INVARIANT: a number is raised only after the value of that number is in place, and readers load the number
    // first. So who reads n decides by value n or a later one, never by an earlier one. Readers also remember a
    // decision only where the value had the very number that was read; the tests show what each of these is for.
    number: AtomicU64,
    value: ArcSwap<Numbered<T>>,
    replacing: Mutex<()>,
}

impl<T> Announced<T> {
    /// This value, as number 1.
    pub(super) fn new(value: T) -> Self {
        let value = ArcSwap::from_pointee(Numbered { number: 1, value });
        Self { number: AtomicU64::new(1), value, replacing: Mutex::default() }
    }

    /// The number to decide under: loaded before the value.
    #[inline]
    pub(super) fn number(&self) -> u64 {
        step();
        self.number.load(Ordering::Acquire)
    }

    /// The value to decide by: of the number that was read before, or of a later one.
    pub(super) fn value(&self) -> Guard<Arc<Numbered<T>>> {
        step();
        self.value.load()
    }

    /// Puts what `next` makes of the value in its place, or leaves it where that is `None`. The number in force then.
    pub(super) fn replace(&self, next: impl FnOnce(&T) -> Option<T>) -> u64 {
        let _one_at_a_time = self.replacing.lock();
        let now = self.value.load_full();
        let Some(value) = next(&now.value) else { return now.number };
        let number = now.number + 1;
        step();
        self.value.store(Arc::new(Numbered { number, value }));
        step();
        self.number.store(number, Ordering::Release);
        number
    }
}

/// Where another thread may come in between: tests try every order there.
#[inline]
fn step() {
    #[cfg(test)]
    super::tests::interleave::step();
}

#[cfg(test)]
mod tests {
    use super::super::tests::interleave::{every_order, shared};
    use super::*;

    /// What is announced is its own number.
    type Count = Announced<u64>;

    fn in_order(count: &Count) {
        count.replace(|n| Some(n + 1));
    }

    /// What the order of [`Announced::replace`] is for.
    fn number_first(count: &Count) {
        let now = count.value.load_full();
        step();
        count.number.store(now.number + 1, Ordering::Release);
        step();
        count.value.store(Arc::new(Numbered { number: now.number + 1, value: now.value + 1 }));
    }

    /// As the evaluator reads: what is remembered under the number, else the value, which is then remembered.
    fn number_then_value(count: &Count, known: &mut Option<(u64, u64)>) -> u64 {
        let number = count.number();
        if let Some((_, value)) = known.filter(|(of, _)| *of == number) {
            return value;
        }
        let now = count.value();
        if now.number == number {
            *known = Some((number, now.value));
        }
        now.value
    }

    /// Remembers under the number that was read, whatever the value's own is.
    fn unchecked(count: &Count, known: &mut Option<(u64, u64)>) -> u64 {
        let number = count.number();
        match known.filter(|(of, _)| *of == number) {
            Some((_, value)) => value,
            None => known.insert((number, count.value().value)).1,
        }
    }

    /// What the order of readers is for.
    fn value_then_number(count: &Count, known: &mut Option<(u64, u64)>) -> u64 {
        let value = count.value().value;
        let number = count.number();
        match known.filter(|(of, _)| *of == number) {
            Some((_, value)) => value,
            None => known.insert((number, value)).1,
        }
    }

    type Read = fn(&Count, &mut Option<(u64, u64)>) -> u64;

    /// Two replacements and three readings in every order. How many orders there are, and in how many of them a reading
    /// gave less than what was in force when it began.
    fn late(replace: fn(&Count), read: Read) -> (usize, usize) {
        let mut late = 0;
        let orders = every_order(
            || {
                let (count, done) = (shared(Count::new(1)), shared(AtomicU64::new(1)));
                let (own, told) = (count.clone(), done.clone());
                let writes = Box::new(move || {
                    for _ in 0..2 {
                        replace(&own);
                        told.fetch_add(1, Ordering::SeqCst);
                    }
                    0
                });
                let reads = Box::new(move || {
                    let (mut known, mut behind) = (None, 0);
                    for _ in 0..3 {
                        let before = done.load(Ordering::SeqCst);
                        behind += usize::from(read(&count, &mut known) < before);
                    }
                    behind
                });
                [writes, reads]
            },
            |behind| late += usize::from(behind > 0),
        );
        (orders, late)
    }

    #[test]
    fn in_no_order_of_steps_is_anything_decided_by_what_was_replaced_before() {
        let (orders, late) = late(in_order, number_then_value);
        assert!(orders > 100, "{orders}");
        assert_eq!(late, 0, "of {orders}");
    }

    #[test]
    fn the_orders_tell_a_wrong_protocol() {
        assert!(late(in_order, value_then_number).1 > 0);
        assert!(late(number_first, unchecked).1 > 0);
        // Either the order of writers or the check of readers is enough.
        assert_eq!((late(number_first, number_then_value).1, late(in_order, unchecked).1), (0, 0));
    }
}
