//! The output gate of one object (P6, P7): what the object sends waits for the writes before it.

use std::collections::VecDeque;

/// Writes gather in an open transaction, which a commit closes and the disk makes durable later.
/// Transactions are numbered; an output waits for the number that was current when it was issued.
#[derive(Debug)]
pub(crate) struct Gate<Output> {
    open: u64,
    dirty: bool,
    committing: Option<u64>,
    durable: u64,
    held: VecDeque<(u64, Output)>,
}

impl<Output> Gate<Output> {
    pub(crate) fn new() -> Self {
        Self {
            open: 1,
            dirty: false,
            committing: None,
            durable: 0,
            held: VecDeque::new(),
        }
    }

    /// Notes a write; true if it is the first of its transaction.
    pub(crate) fn write(&mut self) -> bool {
        !std::mem::replace(&mut self.dirty, true)
    }

    /// Gives the output back if nothing before it is on its way to the disk, else keeps it.
    pub(crate) fn emit(&mut self, output: Output) -> Option<Output> {
        let waits_for = if self.dirty { self.open } else { self.open - 1 };
        if waits_for <= self.durable {
            return Some(output);
        }
        self.held.push_back((waits_for, output));
        None
    }

    /// Closes the open transaction: writes from now on belong to the next one.
    pub(crate) fn begin_commit(&mut self) {
        debug_assert!(self.dirty && self.committing.is_none());
        self.dirty = false;
        self.committing = Some(self.open);
        self.open += 1;
    }

    /// The closed transaction is on disk; what waited for it, in the order of issue.
    pub(crate) fn durable(&mut self) -> impl Iterator<Item = Output> + use<'_, Output> {
        if let Some(committed) = self.committing.take() {
            self.durable = committed;
        }
        let ready = self
            .held
            .iter()
            .take_while(|(waits_for, _)| *waits_for <= self.durable)
            .count();
        self.held.drain(..ready).map(|(_, output)| output)
    }

    /// The open transaction was rolled back; what waited for it.
    pub(crate) fn discard_open(&mut self) -> impl Iterator<Item = Output> + use<'_, Output> {
        self.dirty = false;
        let open = self.open;
        let kept = self
            .held
            .iter()
            .take_while(|(waits_for, _)| *waits_for < open)
            .count();
        self.held.drain(kept..).map(|(_, output)| output)
    }

    /// The closed transaction may be lost, and with it everything built on it: all that was held.
    pub(crate) fn discard_all(&mut self) -> impl Iterator<Item = Output> + use<'_, Output> {
        self.committing = None;
        self.dirty = false;
        self.durable = self.open - 1;
        self.held.drain(..).map(|(_, output)| output)
    }

    pub(crate) fn is_committing(&self) -> bool {
        self.committing.is_some()
    }

    /// Nothing written that is not durable, nothing held.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.dirty && self.committing.is_none() && self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;

    #[test]
    fn without_writes_outputs_leave_at_once() {
        let mut gate = Gate::new();
        assert_eq!(gate.emit(1), Some(1));
        assert!(gate.is_quiet());
    }

    #[test]
    fn an_output_waits_for_the_writes_before_it_only() {
        let mut gate = Gate::new();
        assert!(gate.write());
        assert!(!gate.write());
        assert_eq!(gate.emit(1), None);
        gate.begin_commit();
        // Issued after the commit began, without a write of its own: still behind the first.
        assert_eq!(gate.emit(2), None);
        assert!(gate.write());
        assert_eq!(gate.emit(3), None);
        assert_eq!(gate.durable().collect::<Vec<_>>(), [1, 2]);
        gate.begin_commit();
        assert_eq!(gate.durable().collect::<Vec<_>>(), [3]);
        assert!(gate.is_quiet());
        assert_eq!(gate.emit(4), Some(4));
    }

    #[test]
    fn a_rollback_takes_the_outputs_of_the_open_transaction_only() {
        let mut gate = Gate::new();
        gate.write();
        gate.emit(1);
        gate.begin_commit();
        gate.write();
        gate.emit(2);
        assert_eq!(gate.discard_open().collect::<Vec<_>>(), [2]);
        assert_eq!(gate.emit(3), None);
        assert_eq!(gate.durable().collect::<Vec<_>>(), [1, 3]);
        assert!(gate.is_quiet());
    }

    #[test]
    fn a_lost_commit_takes_everything_held() {
        let mut gate = Gate::new();
        gate.write();
        gate.emit(1);
        gate.begin_commit();
        gate.write();
        gate.emit(2);
        assert_eq!(gate.discard_all().collect::<Vec<_>>(), [1, 2]);
        assert!(gate.is_quiet());
        assert_eq!(gate.emit(3), Some(3));
    }
}
