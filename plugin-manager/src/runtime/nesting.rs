//! Guests that call guests: each finds the native stack it may use, and there is an end to it.
//!
//! Engines give each call its own [`STACK_BYTES`](super::STACK_BYTES) counted from where the host stands, so
//! calls nested by `plugin_call` add up. A thread has room for two of them and the host between; the third gets
//! a thread of its own. Depth is counted by the thread and not by the chain of plugins, because an instance
//! made on the way runs `init` too.

use super::{STACK_BYTES, Trap};
use std::cell::Cell;

/// Guest calls that share one native stack.
const PER_STACK: u32 = 2;
/// Guest calls nested in one another, over all threads. More than a chain of plugins may be long.
const DEEPEST: u32 = 16;
/// The stack of a thread for nested calls: two guests, and what the host needs between and below them.
pub(crate) const THREAD_BYTES: usize = PER_STACK as usize * STACK_BYTES + (1 << 20);

#[derive(Clone, Copy)]
struct Depth {
    here: u32,
    total: u32,
}

thread_local! {
    static DEPTH: Cell<Depth> = const { Cell::new(Depth { here: 0, total: 0 }) };
}

/// Not `LocalKey::set`, which is a call of its own in each build so far.
#[inline]
fn set(depth: Depth) {
    DEPTH.with(|cell| cell.set(depth));
}

/// Sets the depth back when the call ends, however it ends.
struct Entered(Depth);

impl Entered {
    #[inline]
    fn into(before: Depth) -> Self {
        set(Depth { here: before.here + 1, total: before.total + 1 });
        Self(before)
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        set(self.0);
    }
}

/// Enters guest code on a stack with room for it.
///
/// # Errors
/// [`Trap::Nested`] when calls are nested too deeply, [`Trap::Engine`] when a thread cannot be had or the call
/// unwound on it; else what the call gives.
#[inline]
pub(super) fn enter<R: Send, E: From<Trap> + Send>(
    call: impl FnOnce() -> Result<R, E> + Send,
) -> Result<R, E> {
    let before = DEPTH.get();
    if before.here >= PER_STACK || before.total >= DEEPEST {
        return deeper(before.total, call);
    }
    let _entered = Entered::into(before);
    call()
}

#[cold]
fn deeper<R: Send, E: From<Trap> + Send>(
    total: u32,
    call: impl FnOnce() -> Result<R, E> + Send,
) -> Result<R, E> {
    if total >= DEEPEST {
        return Err(Trap::Nested.into());
    }
    let entered = move || {
        let _entered = Entered::into(Depth { here: 0, total });
        call()
    };
    let thread = std::thread::Builder::new().name("forgeone-nested".into()).stack_size(THREAD_BYTES);
    std::thread::scope(|scope| match thread.spawn_scoped(scope, entered) {
        Ok(thread) => thread.join().unwrap_or_else(|_| Err(failed("a nested call unwound"))),
        Err(error) => Err(failed(&format!("no thread for a nested call: {error}"))),
    })
}

fn failed<E: From<Trap>>(what: &str) -> E {
    Trap::Engine(what.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::{ThreadId, current};

    fn descend(levels: u32, threads: &mut Vec<ThreadId>) -> Result<u32, Trap> {
        enter(|| {
            threads.push(current().id());
            if levels == 0 { Ok(0) } else { descend(levels - 1, threads).map(|n| n + 1) }
        })
    }

    #[test]
    fn two_calls_share_a_stack_and_sixteen_is_the_end() {
        let mut threads = Vec::new();
        assert_eq!(descend(DEEPEST - 1, &mut threads), Ok(DEEPEST - 1));
        assert!(threads[..2].iter().all(|t| *t == current().id()));
        let mut distinct = threads.clone();
        distinct.dedup();
        assert_eq!((threads.len(), distinct.len()), (16, 8));
        assert_eq!(descend(DEEPEST, &mut Vec::new()), Err(Trap::Nested));
        // The way back leaves nothing behind.
        assert_eq!(descend(1, &mut Vec::new()), Ok(1));
        assert_eq!(DEPTH.get().total, 0);
    }

    #[test]
    fn a_call_that_unwinds_on_its_own_thread_is_a_trap() {
        let unwound =
            enter(|| enter(|| enter(|| -> Result<(), Trap> { std::panic::resume_unwind(Box::new(())) })));
        assert_eq!(unwound, Err(Trap::Engine("a nested call unwound".into())));
    }
}
