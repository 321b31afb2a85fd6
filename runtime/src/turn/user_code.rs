//! The one place where the runtime calls the user's code. A panic ends the call instead of the
//! thread, and the caller decides the consequence: an object is reset, a request gets a 500.
//!
//! User code is more than handlers: `Serialize`, `Deserialize`, `Default` and `Drop` of the user's
//! types, guards, the app's own handlers, and background futures. On wasm with `panic = "abort"` a
//! panic traps before it can be caught here; `platform/worker` handles it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// The payload of a panic.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Runs user code.
///
/// # Errors
/// It panicked. Its changes may be incomplete, so the caller must drop the value or reset the
/// object.
pub(crate) fn call<T>(run: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(run))
}

/// Drops a value that holds the user's types. A panic in their `Drop` is logged.
pub(crate) fn dispose<T>(value: T) {
    if call(|| drop(value)).is_err() {
        tracing::error!("a `Drop` implementation panicked");
    }
}

pin_project! {
    /// A future that runs user code. Catches panics in its polls and in its drop.
    pub(crate) struct Guarded<F> {
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Guarded<F> {
        fn drop(this: Pin<&mut Self>) {
            this.drop_future();
        }
    }
}

impl<F> Guarded<F> {
    pub(crate) fn new(future: F) -> Self {
        Self {
            future: Some(future),
        }
    }

    fn drop_future(self: Pin<&mut Self>) {
        let mut future = self.project().future;
        if call(|| future.set(None)).is_err() {
            tracing::error!("a `Drop` implementation panicked");
        }
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.as_mut().project().future.as_pin_mut() else {
            // The future was polled again after it resolved.
            return Poll::Pending;
        };
        let polled = match call(|| future.poll(context)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(panic) => Err(panic),
        };
        self.drop_future();
        Poll::Ready(polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::{LocalFuture, poll_once};

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    #[test]
    fn guarded_future_yields_its_panic_and_not_an_unwind() {
        let mut future: LocalFuture<'_, _> = Box::pin(Guarded::new(async { panic!("on purpose") }));
        assert!(matches!(poll_once(&mut future), Some(Err(_))));
        assert!(poll_once(&mut future).is_none());
    }

    #[test]
    fn guarded_future_survives_a_panic_in_drop_when_it_is_cut_off_or_done() {
        let held = PanicsWhenDropped;
        let mut cut_off: LocalFuture<'_, _> = Box::pin(Guarded::new(async move {
            let _held = held;
            std::future::pending::<()>().await;
        }));
        assert!(poll_once(&mut cut_off).is_none());
        drop(cut_off);
        dispose(PanicsWhenDropped);
    }
}
