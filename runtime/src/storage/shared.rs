//! State shared by the handles to one object's storage.

use std::cell::Cell;

/// State shared by all handles to one object's storage.
#[derive(Default)]
pub(crate) struct Shared {
    /// `delete_all` was called, and the stored fields have not been reset to their defaults yet.
    pub(crate) wiped: Cell<bool>,
    /// The depth of nested open transactions.
    transactions: Cell<u32>,
}

impl Shared {
    pub(super) fn is_in_transaction(&self) -> bool {
        self.transactions.get() > 0
    }
}

/// Counts an open transaction until it is dropped, also when its body panics.
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
