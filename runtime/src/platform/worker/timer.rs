//! Waiting for time to pass.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use wasm_bindgen_futures::JsFuture;

use super::bindings::Timer;

/// Ready when the time is over; a timer that nobody waits for is cancelled, because a running one
/// keeps the object in memory (P20).
///
/// `worker::Delay` keeps the first waker it sees, and the first poll of an event has none.
pub(super) struct Sleep {
    timer: Timer,
    fired: JsFuture,
}

impl Sleep {
    pub(super) fn new(duration: Duration) -> Self {
        // Beyond 31 bits the platform's timer fires at once.
        let timer = Timer::new(i32::try_from(duration.as_millis()).unwrap_or(i32::MAX));
        let fired = JsFuture::from(timer.fired());
        Self { timer, fired }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.fired).poll(context).map(|_| ())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.timer.cancel();
    }
}
