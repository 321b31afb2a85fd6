//! The platform's clock and its randomness.

use super::js::bindings;

/// Returns the milliseconds since 1970. The platform's clock does not advance between I/O.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole milliseconds within 2^53"
)]
pub(super) fn now() -> i64 {
    js_sys::Date::now() as i64
}

pub(super) fn random(into: &mut [u8]) {
    // The platform fills at most this many bytes at once. It has no other reason to fail.
    const MOST: usize = 65_536;
    for part in into.chunks_mut(MOST) {
        if let Err(error) = bindings::fill_random(part) {
            wasm_bindgen::throw_val(error);
        }
    }
}
