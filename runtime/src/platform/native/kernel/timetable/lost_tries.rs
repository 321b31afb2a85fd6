//! Which tries of an object's runs are not counted, because the disk lost what they wrote (P30).

use crate::schedule::run::{LostTries, Try};

/// The most runs of one object whose lost tries are remembered. The oldest are then counted.
const MAX_RUNS: usize = 1_000;

/// What the disk has lost of one object's tries.
#[derive(Debug, Default)]
pub(super) struct Losses {
    lost: LostTries,
    current: Current,
    /// The tries of the current event.
    tries: Vec<Try>,
}

/// The event that is under way, or the last one if nothing of it is known to be durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Current {
    /// None, or one that has not reached the object, or that tried nothing.
    #[default]
    None,
    Started,
    Ended,
    Lost,
}

impl Losses {
    /// Returns what was lost before this event.
    pub(super) fn start(&mut self) -> LostTries {
        self.current = Current::Started;
        self.tries.clear();
        self.lost.clone()
    }

    pub(super) fn begin(&mut self, next: Try) {
        self.tries.push(next);
    }

    /// Records that the disk lost what the event wrote. More than one part of the host may notice
    /// it.
    pub(super) fn lose(&mut self) {
        if !matches!(self.current, Current::Started | Current::Ended) {
            return;
        }
        self.current = Current::Lost;
        self.lost.events = self.lost.events.saturating_add(1);
        self.forget_tried();
        self.lost.tries.append(&mut self.tries);
        let too_many = self.lost.tries.len().saturating_sub(MAX_RUNS);
        self.lost.tries.drain(..too_many);
    }

    /// Records that the event is over. What was lost of a run counts until the run is tried again.
    pub(super) fn end(&mut self, tried: bool) {
        if self.current != Current::Started {
            return;
        }
        if tried {
            self.current = Current::Ended;
            self.lost.events = 0;
            self.forget_tried();
        } else {
            self.current = Current::None;
        }
    }

    /// Whether nothing is lost that the next event must know.
    pub(super) fn is_empty(&self) -> bool {
        self.lost.tries.is_empty()
    }

    fn forget_tried(&mut self) {
        let is_tried = |lost: &Try| {
            self.tries
                .iter()
                .any(|tried| tried.alarm == lost.alarm && tried.key == lost.key)
        };
        self.lost.tries.retain(|lost| !is_tried(lost));
    }
}
