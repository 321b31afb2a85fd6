//! Bodies of requests that are passed to their object while they arrive.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep};

use super::bodies::{BODY_TIMEOUT, discard, no_room, timed_out};
use super::budget::{Budget, Share};
use crate::error::fault::Fault;

/// The least rate of a client whose body is waited for: 3 kB a second after the first 30 s.
const MIN_BYTES_PER_MS: usize = 3;

/// A body of a connection. It may be read on another thread. The connection reads no further than
/// a chunk ahead.
pub(in super::super) struct Arriving {
    /// `None` after the end.
    body: Option<Incoming>,
    /// Whether the client waits to be asked for the body.
    is_expected: bool,
    /// Runs while nothing arrives.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Since when a reader has waited for the client.
    waits_since: Option<Instant>,
    /// How long readers have waited for the client, and for how many bytes.
    waited: Duration,
    received: usize,
    /// What is held of the body in memory.
    held: Share,
}

impl Arriving {
    pub(super) fn new(headers: &HeaderMap, body: Incoming, held: &Budget) -> Self {
        Self {
            body: Some(body),
            is_expected: headers.contains_key(header::EXPECT),
            stalled: None,
            waits_since: None,
            waited: Duration::ZERO,
            received: 0,
            held: held.open(),
        }
    }

    pub(in super::super) fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        self.is_expected = false;
        loop {
            let Some(body) = &mut self.body else {
                return Poll::Ready(None);
            };
            let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else {
                let stalled = self
                    .stalled
                    .get_or_insert_with(|| Box::pin(sleep(BODY_TIMEOUT)));
                self.waits_since.get_or_insert_with(Instant::now);
                ready!(stalled.as_mut().poll(context));
                return Poll::Ready(Some(Err(timed_out())));
            };
            self.stalled = None;
            self.waited += self
                .waits_since
                .take()
                .map_or(Duration::ZERO, |since| since.elapsed());
            match frame {
                None => self.body = None,
                Some(Err(error)) => {
                    self.body = None;
                    let message = format!("the body ended early: {error}");
                    return Poll::Ready(Some(Err(Fault::BadRequest(message))));
                }
                // Trailers are dropped.
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        self.received += chunk.len();
                        if self.is_too_slow() {
                            return Poll::Ready(Some(Err(timed_out())));
                        }
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
            }
        }
    }

    /// Whether the client sends less than the minimum rate. A client that sends a byte from time to
    /// time could otherwise hold an object, and the room for its body, for weeks.
    fn is_too_slow(&self) -> bool {
        let allowed = u64::try_from(self.received / MIN_BYTES_PER_MS).unwrap_or(u64::MAX);
        self.waited > BODY_TIMEOUT + Duration::from_millis(allowed)
    }

    /// Counts bytes that a reader keeps until it has the whole body.
    pub(in super::super) fn hold(&mut self, bytes: usize) -> Result<(), Fault> {
        if self.held.grow(bytes) {
            Ok(())
        } else {
            Err(no_room())
        }
    }
}

impl Drop for Arriving {
    /// Reads what the client still sends. Otherwise its connection would be reset, and the answer
    /// lost with it.
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !self.is_expected
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(discard(body));
        }
    }
}
