//! The stretches of a turn, in words that both halves of the contract use.

/// Tells one handler from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HandlerKey {
    /// Those that were compiled to the same code have the same.
    pub(crate) code: usize,
    /// Whether it takes `&Ctx`: without one it cannot reach the object's storage.
    pub(crate) takes_context: bool,
}

/// How a segment of a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentEnd {
    /// The turn waits; what it wrote so far is kept (P12).
    Await,
    Success,
    /// What the segment wrote is taken back.
    Failure,
}

/// What unwinds out of a handler that called [`Ctx::abort`](crate::Ctx::abort).
pub(crate) struct Aborted(pub(crate) String);
