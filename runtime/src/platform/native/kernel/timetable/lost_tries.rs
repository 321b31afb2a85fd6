//! Which tries of an object's runs are not counted, because the disk lost what they wrote (P30).

/// The tries that the disk has lost, one after another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LostTries {
    count: u32,
    /// Whether the last try was lost.
    last: bool,
    current: Current,
}

/// The event that is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Current {
    /// None, or one that has not reached the object.
    #[default]
    None,
    Started,
    Lost,
}

impl LostTries {
    /// Returns how many tries before this one were lost, one after another.
    pub(super) fn start(&mut self) -> u32 {
        if !self.last {
            self.count = 0;
        }
        self.current = Current::Started;
        self.count
    }

    /// Records that the disk lost what the current or the last try wrote. More than one part of the
    /// host may notice it.
    pub(super) fn lose(&mut self) {
        if self.current == Current::Lost {
            return;
        }
        self.count = self.count.saturating_add(1);
        self.last = true;
        self.current = Current::Lost;
    }

    /// Records that the event is over. Without a try, the last one is still the last.
    pub(super) fn end(&mut self, tried: bool) {
        if tried && self.current == Current::Started {
            self.last = false;
        }
        self.current = Current::None;
    }
}
