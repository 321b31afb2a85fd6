//! What the handles of one object's storage share.

use std::cell::Cell;

/// What all handles to one object's storage know together.
#[derive(Default)]
pub(crate) struct Shared {
    /// `delete_all` was called, and the stored fields have not gone back to their defaults yet.
    pub(crate) wiped: Cell<bool>,
    /// How many transactions are open, one inside the other.
    transactions: Cell<u32>,
}

impl Shared {
    pub(super) fn is_in_transaction(&self) -> bool {
        self.transactions.get() > 0
    }
}

/// Counts an open transaction for as long as it lives, a panic in its body included.
pub(super) struct OpenTransaction<'a>(&'a Cell<u32>);

impl<'a> OpenTransaction<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        let count = &shared.transactions;
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
