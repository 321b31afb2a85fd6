//! Which tries of an object's runs are not counted, because the disk lost what they wrote (P30).

use crate::schedule::run::LostTries;

/// What the disk has lost of one object's tries.
#[derive(Debug, Default)]
pub(super) struct Losses {
    lost: LostTries,
    /// Whether the last event was lost.
    last: bool,
    current: Current,
    /// The runs whose tries were counted in the current event, durably.
    counted: Vec<(&'static str, String)>,
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
        if !self.last {
            self.lost = LostTries::default();
        }
        self.current = Current::Started;
        self.counted.clear();
        self.lost.clone()
    }

    pub(super) fn count(&mut self, run: (&'static str, String)) {
        self.counted.push(run);
    }

    /// Records that the disk lost what the event wrote. More than one part of the host may notice
    /// it.
    pub(super) fn lose(&mut self) {
        if matches!(self.current, Current::Started | Current::Ended) {
            self.lost.events = self.lost.events.saturating_add(1);
            self.lost.runs = std::mem::take(&mut self.counted);
            self.last = true;
            self.current = Current::Lost;
        }
    }

    /// Records that the event is over. If it tried nothing, the one before is still the last.
    pub(super) fn end(&mut self, tried: bool) {
        if self.current == Current::Started {
            self.current = match tried {
                true => Current::Ended,
                false => Current::None,
            };
            self.last &= !tried;
        }
    }

    /// Whether nothing is lost that the next event must know.
    pub(super) fn is_empty(&self) -> bool {
        !self.last
    }
}
