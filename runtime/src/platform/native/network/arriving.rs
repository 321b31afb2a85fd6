//! Bodies of requests that are passed to their object while they arrive.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep};

use super::bodies::{BODY_TIMEOUT, discard, no_room, timed_out};
use super::budget::{Budget, Share};
use crate::error::fault::Fault;

/// A body of a connection. It may be read on another thread. The connection reads no further than
/// a chunk ahead.
pub(in super::super) struct Arriving {
    /// `None` after the end.
    body: Option<Incoming>,
    /// Whether the client waits to be asked for the body.
    is_expected: bool,
    /// Runs while nothing arrives.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What is held of the body in memory.
    held: Share,
}

impl Arriving {
    pub(super) fn new(headers: &HeaderMap, body: Incoming, held: &Budget) -> Self {
        Self {
            body: Some(body),
            is_expected: headers.contains_key(header::EXPECT),
            stalled: None,
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
                ready!(stalled.as_mut().poll(context));
                return Poll::Ready(Some(Err(timed_out())));
            };
            self.stalled = None;
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
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
            }
        }
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
