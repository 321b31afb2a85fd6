//! The calls that the turns of this thread's objects wait for.

use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    /// The numbers of the calls that a turn waits for.
    static AWAITED: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
    /// The running turns that have made a call.
    static CALLING: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

pub(crate) fn begin(call: u64) {
    AWAITED.with_borrow_mut(|awaited| awaited.insert(call));
}

pub(crate) fn end(call: u64) {
    // Access fails only while the thread ends.
    let _ = AWAITED.try_with(|awaited| awaited.borrow_mut().remove(&call));
}

/// Records that a turn has made its first call.
pub(crate) fn turn_calls(turn: u64) {
    CALLING.with_borrow_mut(|calling| calling.insert(turn));
}

/// Records that a turn that has made a call has ended.
pub(crate) fn turn_ended(turn: u64) {
    // Access fails only while the thread ends.
    let _ = CALLING.try_with(|calling| calling.borrow_mut().remove(&turn));
}

/// Returns `true` if the turn that started a call still waits for it.
pub(crate) fn is_awaited(call: u64) -> bool {
    AWAITED.with_borrow(|awaited| awaited.contains(&call))
}

/// Returns `true` if `turn` is a running turn of this thread that no longer waits for its `call`. What
/// the turns of other threads wait for is not known.
pub(crate) fn is_given_up(turn: u64, call: u64) -> bool {
    !is_awaited(call) && CALLING.with_borrow(|calling| calling.contains(&turn))
}
