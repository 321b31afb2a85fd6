//! The numbers of the calls that the turns of this thread's objects wait for.

use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    static AWAITED: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

pub(crate) fn begin(call: u64) {
    AWAITED.with_borrow_mut(|awaited| awaited.insert(call));
}

pub(crate) fn end(call: u64) {
    // Access fails only while the thread ends.
    let _ = AWAITED.try_with(|awaited| awaited.borrow_mut().remove(&call));
}

/// Returns `true` if the turn that started a call still waits for it.
pub(crate) fn is_awaited(call: u64) -> bool {
    AWAITED.with_borrow(|awaited| awaited.contains(&call))
}
