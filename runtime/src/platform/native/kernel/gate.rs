//! The output gate of one object (P6, P7). What the object sends waits for the writes before it.

use std::collections::VecDeque;
use std::ops::Range;

/// The approximate size of an output besides its bytes.
pub(super) const OUTPUT: usize = 256;

/// Writes collect in an open transaction. A commit closes it, and the disk makes it durable later.
/// Transactions are numbered. An output waits for the transaction that was current when it was
/// issued.
#[derive(Debug)]
pub(crate) struct Gate<Output> {
    open: u64,
    /// When the open transaction's first write was made.
    dirty: Option<i64>,
    committing: Option<Closed>,
    durable: u64,
    held: VecDeque<Held<Output>>,
    held_bytes: usize,
}

/// A transaction in flight to the disk.
#[derive(Clone, Copy, Debug)]
struct Closed {
    number: u64,
    first_write: i64,
}

#[derive(Debug)]
struct Held<Output> {
    waits_for: u64,
    bytes: usize,
    output: Output,
}

impl<Output> Gate<Output> {
    pub(crate) fn new() -> Self {
        Self {
            open: 1,
            dirty: None,
            committing: None,
            durable: 0,
            held: VecDeque::new(),
            held_bytes: 0,
        }
    }

    /// Records a write. Returns `true` if it is the first of its transaction.
    pub(crate) fn write(&mut self, now: i64) -> bool {
        let is_first = self.dirty.is_none();
        self.dirty.get_or_insert(now);
        is_first
    }

    /// Returns the output if nothing before it is in flight to the disk. Otherwise holds it.
    pub(crate) fn emit(&mut self, output: Output, bytes: usize) -> Option<Output> {
        let waits_for = self.open - u64::from(self.dirty.is_none());
        if waits_for <= self.durable {
            return Some(output);
        }
        let bytes = bytes + OUTPUT;
        self.held_bytes += bytes;
        self.held.push_back(Held {
            waits_for,
            bytes,
            output,
        });
        None
    }

    /// Closes the open transaction. Later writes belong to the next one.
    pub(crate) fn begin_commit(&mut self) {
        debug_assert!(self.committing.is_none(), "one commit at a time");
        if let Some(first_write) = self.dirty.take() {
            self.committing = Some(Closed {
                number: self.open,
                first_write,
            });
            self.open += 1;
        }
    }

    /// Records that the closed transaction is on disk. Returns what waited for it, in the order of
    /// issue.
    pub(crate) fn durable(&mut self) -> impl Iterator<Item = Output> + use<'_, Output> {
        if let Some(committed) = self.committing.take() {
            self.durable = committed.number;
        }
        let ready = self.held_before(self.durable + 1);
        self.take_out(0..ready)
    }

    /// Records that the open transaction was rolled back. Returns what waited for it.
    pub(crate) fn discard_open(&mut self) -> impl Iterator<Item = Output> + use<'_, Output> {
        self.dirty = None;
        let kept = self.held_before(self.open);
        self.take_out(kept..self.held.len())
    }

    /// Records that the closed transaction may be lost, with everything based on it. Returns all
    /// held outputs.
    pub(crate) fn discard_all(&mut self) -> impl Iterator<Item = Output> + use<'_, Output> {
        self.committing = None;
        self.dirty = None;
        self.durable = self.open - 1;
        self.take_out(0..self.held.len())
    }

    /// Returns how many outputs wait for transactions before this one.
    fn held_before(&self, transaction: u64) -> usize {
        self.held
            .iter()
            .take_while(|held| held.waits_for < transaction)
            .count()
    }

    fn take_out(&mut self, range: Range<usize>) -> impl Iterator<Item = Output> + use<'_, Output> {
        let taken = self.held.range(range.clone());
        self.held_bytes -= taken.map(|held| held.bytes).sum::<usize>();
        self.held.drain(range).map(|held| held.output)
    }

    /// Whether the open transaction has writes.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.is_some()
    }

    pub(crate) fn is_committing(&self) -> bool {
        self.committing.is_some()
    }

    /// Returns when the oldest write was made that is not durable.
    pub(crate) fn unsynced_since(&self) -> Option<i64> {
        let committing = self.committing.map(|closed| closed.first_write);
        committing.or(self.dirty)
    }

    /// Returns how many bytes the held outputs take.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether everything written is durable and nothing is held.
    pub(crate) fn is_quiet(&self) -> bool {
        self.unsynced_since().is_none() && self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Gate, OUTPUT};

    #[test]
    fn without_writes_outputs_leave_at_once() {
        let mut gate = Gate::new();
        assert_eq!(gate.emit(1, 1), Some(1));
        assert!(gate.is_quiet());
    }

    #[test]
    fn an_output_waits_for_the_writes_before_it_only() {
        let mut gate = Gate::new();
        assert!(gate.write(0));
        assert!(!gate.write(0));
        assert_eq!(gate.emit(1, 1), None);
        gate.begin_commit();
        // Issued after the commit began, without a write of its own. It still waits behind the
        // first.
        assert_eq!(gate.emit(2, 1), None);
        assert!(gate.write(0));
        assert_eq!(gate.emit(3, 1), None);
        assert_eq!(gate.durable().collect::<Vec<_>>(), [1, 2]);
        gate.begin_commit();
        assert_eq!(gate.durable().collect::<Vec<_>>(), [3]);
        assert!(gate.is_quiet());
        assert_eq!(gate.emit(4, 1), Some(4));
    }

    #[test]
    fn a_rollback_takes_the_outputs_of_the_open_transaction_only() {
        let mut gate = Gate::new();
        gate.write(0);
        gate.emit(1, 1);
        gate.begin_commit();
        gate.write(0);
        gate.emit(2, 1);
        assert_eq!(gate.discard_open().collect::<Vec<_>>(), [2]);
        assert_eq!(gate.emit(3, 1), None);
        assert_eq!(gate.durable().collect::<Vec<_>>(), [1, 3]);
        assert!(gate.is_quiet());
    }

    #[test]
    fn a_lost_commit_takes_everything_held() {
        let mut gate = Gate::new();
        gate.write(0);
        gate.emit(1, 1);
        gate.begin_commit();
        gate.write(0);
        gate.emit(2, 1);
        assert_eq!(gate.held_bytes(), 2 * (1 + OUTPUT));
        assert_eq!(gate.discard_all().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(gate.held_bytes(), 0);
        assert!(gate.is_quiet());
        assert_eq!(gate.emit(3, 1), Some(3));
    }

    #[test]
    fn age_counts_from_the_first_write_of_a_transaction() {
        let mut gate = Gate::<()>::new();
        assert_eq!(gate.unsynced_since(), None);
        gate.write(5);
        gate.write(6);
        gate.begin_commit();
        gate.write(9);
        assert_eq!(gate.unsynced_since(), Some(5));
        drop(gate.durable());
        assert_eq!(gate.unsynced_since(), Some(9));
    }
}
