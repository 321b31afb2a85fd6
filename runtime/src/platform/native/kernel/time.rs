//! The two clocks of a kernel.

/// The readings of both clocks, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// The date, since 1970. An administrator or a time server may set it forward or back.
    pub(crate) wall: i64,
    /// The time since some start. It is monotonic, and every duration is measured by it.
    pub(crate) steady: i64,
}

impl Now {
    /// When the steady clock will reach a date, if the date is not set meanwhile.
    pub(super) fn steady_at(self, date: i64) -> i64 {
        self.steady
            .saturating_add(date.saturating_sub(self.wall).max(0))
    }
}
