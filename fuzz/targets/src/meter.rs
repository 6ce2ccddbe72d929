//! An allocator that counts, so that an input which makes a parser take much memory is a finding.

#![allow(unsafe_code, reason = "an allocator is unsafe by its trait; it only counts and hands on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator with a count of the bytes each thread holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

/// Forgets the peak of this thread.
pub fn reset() {
    LIVE.set(0);
    PEAK.set(0);
}

/// Most bytes this thread held at once since [`reset`], beyond what it held then. 0 without [`Counting`].
pub fn peak() -> usize {
    usize::try_from(PEAK.get()).unwrap_or(0)
}

fn add(bytes: isize) {
    // A thread that is ending has no counters any more.
    let _ = LIVE.try_with(|live| {
        let now = live.get() + bytes;
        live.set(now);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now)));
    });
}

fn size(layout: Layout) -> isize {
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

// SAFETY: every call is handed on to the system's allocator with its own arguments; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(size(layout));
        // SAFETY: the caller's promise for this call is the system allocator's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        add(-size(layout));
        // SAFETY: the caller's promise for this call is the system allocator's, which made the block.
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add(isize::try_from(new_size).unwrap_or(isize::MAX) - size(layout));
        // SAFETY: the caller's promise for this call is the system allocator's, which made the block.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
