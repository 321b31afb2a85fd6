//! The cost of aborts to the WebAssembly instance.
//!
//! An abort ends execution inside Rust's frames. `life.js` reclaims their part of the stack. What
//! the frames held is leaked. So an instance wears out. It is replaced when nothing waits for it,
//! and eventually even if something does. A replacement costs every object its memory, as an
//! eviction does.

use std::cell::Cell;

use wasm_bindgen::JsValue;

thread_local! {
    /// The number of aborts, and the size of the memory at the first.
    static ABORTS: Cell<(u32, usize)> = const { Cell::new((0, 0)) };
}

const NONE: u32 = 0;
/// The instance should be replaced when nothing waits for it.
const WORN: u32 = 1;
/// The instance should be replaced at once. What waits for it fails.
const SPENT: u32 = 2;

const WORN_ABORTS: u32 = 512;

/// Growth since the first abort. Aborts may not be its cause, so it only leads to a replacement
/// when nothing waits.
const WORN_BYTES: usize = 8 * 1024 * 1024;
/// The size at which the platform's limit of 128 MB (P74) is near, and the number of aborts that
/// are taken to be the cause. Large messages also leave a large memory.
const SPENT_SIZE: usize = 96 * 1024 * 1024;
const SPENT_ABORTS: u32 = 64;

/// Counts an abort that is about to happen. Returns how worn the instance is then, as a number that
/// `life.js` uses.
pub(in super::super) fn of_an_abort() -> u32 {
    let size = core::arch::wasm32::memory_size(0) * 65_536;
    let (aborts, first_size) = ABORTS.get();
    let first_size = if aborts == 0 { size } else { first_size };
    ABORTS.set((aborts + 1, first_size));
    let growth = size - first_size;
    if size > SPENT_SIZE && aborts + 1 >= SPENT_ABORTS {
        SPENT
    } else if aborts + 1 >= WORN_ABORTS || growth > WORN_BYTES {
        WORN
    } else {
        NONE
    }
}

#[expect(
    unsafe_code,
    reason = "they are linked by `build.rs`, and only their addresses are used"
)]
unsafe extern "C" {
    fn anchorhold_stack() -> usize;
    fn anchorhold_set_stack(pointer: usize);
}

/// Returns the functions that read and set the stack pointer. JavaScript calls them without a frame
/// of Rust in between.
pub(super) fn stack_functions() -> [JsValue; 2] {
    let table: js_sys::WebAssembly::Table = wasm_bindgen::function_table().into();
    [
        anchorhold_stack as *const () as usize,
        anchorhold_set_stack as *const () as usize,
    ]
    .map(|index| {
        // The table's entries are there for as long as the instance is.
        u32::try_from(index)
            .ok()
            .and_then(|index| table.get(index).ok())
            .map_or(JsValue::UNDEFINED, JsValue::from)
    })
}
