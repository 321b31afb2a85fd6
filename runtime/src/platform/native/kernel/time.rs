//! The two clocks of a kernel.

/// What the clocks say, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// The date, since 1970. An administrator or a time server may set it, in both directions.
    pub(crate) wall: i64,
    /// Time that passed since some start. It only grows: every duration is measured by it.
    pub(crate) steady: i64,
}

impl Now {
    /// When a date is reached by the steady clock, if the date is not set meanwhile.
    pub(super) fn steady_at(self, date: i64) -> i64 {
        self.steady
            .saturating_add(date.saturating_sub(self.wall).max(0))
    }
}
