//! What aborts cost the WebAssembly instance.
//!
//! An abort ends execution inside of Rust's frames: their part of the stack is not given back, and
//! neither is what they held. So an instance wears out. It is replaced when nothing waits for it,
//! which costs every object its memory as an eviction does, and in the end even so.

use std::cell::Cell;
use std::hint::black_box;

thread_local! {
    /// How many aborts there were, and how large the memory was at the first.
    static ABORTS: Cell<(u32, usize)> = const { Cell::new((0, 0)) };
}

const NONE: u32 = 0;
/// To be replaced when nothing waits for it.
const WORN: u32 = 1;
/// To be replaced at once: what waits for it fails.
const SPENT: u32 = 2;

/// The stack has 1 MiB, and an abort from an ordinary handler takes some 2 kB of it.
const WORN_ABORTS: u32 = 64;
const WORN_STACK: usize = 640 * 1024;
const SPENT_STACK: usize = 256 * 1024;

/// Growth since the first abort.
const WORN_BYTES: usize = 8 * 1024 * 1024;
const SPENT_BYTES: usize = 48 * 1024 * 1024;

/// Counts an abort that is about to happen. Returns how worn the instance is then, as `life.js`
/// numbers it.
pub(super) fn of_an_abort() -> u32 {
    let size = core::arch::wasm32::memory_size(0) * 65_536;
    let (aborts, first_size) = ABORTS.get();
    let first_size = if aborts == 0 { size } else { first_size };
    ABORTS.set((aborts + 1, first_size));
    // The stack lies first in memory and grows down: an address in it is what is left of it.
    let here = 0_u8;
    let stack = black_box(&raw const here).addr();
    let growth = size - first_size;
    if stack < SPENT_STACK || growth > SPENT_BYTES {
        SPENT
    } else if aborts + 1 >= WORN_ABORTS || stack < WORN_STACK || growth > WORN_BYTES {
        WORN
    } else {
        NONE
    }
}
