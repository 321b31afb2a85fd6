//! What the objects of a simulated host run, to be named in a message if it does not end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[derive(Default)]
pub(in super::super) struct UnderWay {
    next: Cell<u64>,
    turns: RefCell<Vec<Turn>>,
    /// The label of the work that is being started.
    label: RefCell<String>,
    /// The latest clock time at which work was started.
    latest: Cell<i64>,
}

struct Turn {
    number: u64,
    what: String,
    object: String,
    since: i64,
}

/// A turn is under way for as long as this exists.
pub(in super::super) struct Entry(Rc<UnderWay>, u64);

impl Drop for Entry {
    fn drop(&mut self) {
        let number = self.1;
        self.0
            .turns
            .borrow_mut()
            .retain(|turn| turn.number != number);
    }
}

impl UnderWay {
    /// Records what is about to be started.
    pub(in super::super) fn begins(&self, label: String, now: i64) {
        self.label.replace(label);
        self.latest.set(self.latest.get().max(now));
    }

    /// The label of what was started last.
    pub(in super::super) fn label(&self) -> String {
        self.label.borrow().clone()
    }

    /// The latest clock time at which work was started.
    pub(in super::super) fn latest(&self) -> i64 {
        self.latest.get()
    }

    /// Records that an object runs this.
    pub(in super::super) fn note(self: &Rc<Self>, what: &str, object: String, now: i64) -> Entry {
        let number = self.next.replace(self.next.get() + 1);
        self.turns.borrow_mut().push(Turn {
            number,
            what: what.to_owned(),
            object,
            since: now,
        });
        Entry(Rc::clone(self), number)
    }

    /// Describes what objects run and for how many seconds, in the order in which it began.
    pub(in super::super) fn described(&self, now: i64) -> Vec<String> {
        let turns = self.turns.borrow();
        let describe = |turn: &Turn| {
            let Turn { what, object, .. } = turn;
            let seconds = (now - turn.since) / 1_000;
            format!("{what} of {object} has run for {seconds} s")
        };
        turns.iter().map(describe).collect()
    }
}
