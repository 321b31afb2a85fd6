//! The segments of a turn, in types that both halves of the contract use.

/// Identifies a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HandlerKey {
    /// Handlers that were compiled to the same code share this.
    pub(crate) code: usize,
    /// Whether the handler takes `&Ctx`. Without one it cannot reach the object's storage.
    pub(crate) takes_context: bool,
}

/// How a segment of a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentEnd {
    /// The turn waits. What it has written so far is kept (P12).
    Await,
    Success,
    /// What the segment wrote is rolled back.
    Failure,
}

/// The payload that unwinds out of a handler that called [`Ctx::abort`](crate::Ctx::abort).
pub(crate) struct Aborted(pub(crate) String);
