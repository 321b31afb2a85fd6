//! The one place where the runtime calls the user's code. A panic ends the call and never the
//! thread; the caller decides what it costs: an object is reset, a request gets a 500.
//!
//! User code is more than handlers: `Serialize`, `Deserialize`, `Default` and `Drop` of the user's
//! types, guards, the app's own handlers, futures in the background. On wasm with `panic = "abort"`
//! a panic traps before it could be caught here; `platform/worker` answers it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::turn::LocalFuture;

/// What a panic unwound with.
pub(crate) type Panic = Box<dyn Any + Send>;

/// Runs user code.
///
/// # Errors
/// It panicked. What it was changing may be half done: the caller drops it or resets the object.
pub(crate) fn call<T>(run: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(run))
}

/// Drops a value that holds the user's types; a panic in their `Drop` is logged.
pub(crate) fn dispose<T>(value: T) {
    if call(|| drop(value)).is_err() {
        tracing::error!("a `Drop` implementation panicked");
    }
}

/// A future that runs user code: panics in its polls and in its drop end here.
pub(crate) struct Guarded<'a, T>(Option<LocalFuture<'a, T>>);

impl<'a, T> Guarded<'a, T> {
    pub(crate) fn new(future: LocalFuture<'a, T>) -> Self {
        Self(Some(future))
    }
}

impl<T> Future for Guarded<'_, T> {
    type Output = Result<T, Panic>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else {
            // Polled again after it resolved.
            return Poll::Pending;
        };
        let polled = match call(|| future.as_mut().poll(context)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(panic) => Err(panic),
        };
        if let Some(done) = self.0.take() {
            dispose(done);
        }
        Poll::Ready(polled)
    }
}

impl<T> Drop for Guarded<'_, T> {
    fn drop(&mut self) {
        if let Some(future) = self.0.take() {
            dispose(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::poll_once;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    #[test]
    fn guarded_future_yields_its_panic_and_not_an_unwind() {
        let mut future: LocalFuture<'_, _> =
            Box::pin(Guarded::<()>::new(Box::pin(async { panic!("on purpose") })));
        assert!(matches!(poll_once(&mut future), Some(Err(_))));
        assert!(poll_once(&mut future).is_none());
    }

    #[test]
    fn guarded_future_survives_a_panic_in_drop_when_it_is_cut_off_or_done() {
        let held = PanicsWhenDropped;
        let mut cut_off: LocalFuture<'_, _> = Box::pin(Guarded::new(Box::pin(async move {
            let _held = held;
            std::future::pending::<()>().await;
        })));
        assert!(poll_once(&mut cut_off).is_none());
        drop(cut_off);
        dispose(PanicsWhenDropped);
    }
}
