//! What a method of a stub returns.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// A call that was made. Awaiting it returns the result.
    ///
    /// The methods of stubs return it. The call is on its way before it is first polled, and dropping it does not take the
    /// call back.
    #[must_use = "the call was made, but its result and its error are lost: `.await` it, or `drop` it on purpose"]
    #[derive(Debug)]
    pub struct PendingCall<F> {
        #[pin]
        answer: F,
    }
}

impl<F> PendingCall<F> {
    pub(crate) fn new(answer: F) -> Self {
        Self { answer }
    }
}

impl<F: Future> Future for PendingCall<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.project().answer.poll(context)
    }
}
