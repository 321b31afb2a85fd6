//! What aborts cost the WebAssembly instance.
//!
//! An abort ends execution inside of Rust's frames. `life.js` gives their part of the stack back; what
//! they held stays. So an instance wears out. It is replaced when nothing waits for it, which costs
//! every object its memory as an eviction does, and in the end even so.

use std::cell::Cell;

use wasm_bindgen::JsValue;

thread_local! {
    /// How many aborts there were, and how large the memory was at the first.
    static ABORTS: Cell<(u32, usize)> = const { Cell::new((0, 0)) };
}

const NONE: u32 = 0;
/// To be replaced when nothing waits for it.
const WORN: u32 = 1;
/// To be replaced at once: what waits for it fails.
const SPENT: u32 = 2;

const WORN_ABORTS: u32 = 512;

/// Growth since the first abort. It may have other reasons than aborts, so it only ever costs a
/// replacement in a quiet moment.
const WORN_BYTES: usize = 8 * 1024 * 1024;
/// The size at which the platform's limit of 128 MB (P74) is near, and the aborts from which on they
/// are to blame for it: large messages leave a large memory, too.
const SPENT_SIZE: usize = 96 * 1024 * 1024;
const SPENT_ABORTS: u32 = 64;

/// Counts an abort that is about to happen. Returns how worn the instance is then, as `life.js`
/// numbers it.
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

/// The functions that read and set the stack pointer, as JavaScript calls them: without a frame of
/// Rust between.
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
