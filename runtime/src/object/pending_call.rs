//! The future that a stub's method returns.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// A call that was made, as the methods of stubs return it. Awaiting it returns the result.
    ///
    /// The call is sent before this is first polled. Dropping this does not cancel it.
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
