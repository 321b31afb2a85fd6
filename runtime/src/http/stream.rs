//! Bodies that are sent and read in chunks.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use crate::error::Error;
use crate::error::fault::Fault;
use crate::limits::body_too_large;
use crate::platform;

/// The size of the chunks in which a body that is already there is read.
const PART: usize = 64 * 1024;

/// The chunks of a body. It is a [`Stream`] of `Result<Bytes, Error>`.
///
/// Dropping it tells the producer that nothing more is wanted. An error is the last item: the body
/// is incomplete.
pub struct BodyStream {
    source: Source,
    /// Whether the host ends it when it shuts down. Clients of events connect again.
    pub(crate) ends_with_host: bool,
    /// The limit and the bytes that are left of it, for the body of a request.
    limit: Option<(usize, usize)>,
}

enum Source {
    /// Made by a handler on this thread.
    Made(Pin<Box<dyn Stream<Item = Result<Bytes, Error>>>>),
    Incoming(platform::Incoming),
    Whole(Bytes),
    Over,
}

impl BodyStream {
    pub(crate) fn made(chunks: impl Stream<Item = Result<Bytes, Error>> + 'static) -> Self {
        Self::of(Source::Made(Box::pin(chunks)))
    }

    pub(crate) fn incoming(incoming: platform::Incoming) -> Self {
        Self::of(Source::Incoming(incoming))
    }

    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::of(Source::Whole(bytes.into()))
    }

    pub(crate) fn empty() -> Self {
        Self::of(Source::Over)
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            ends_with_host: false,
            limit: None,
        }
    }

    /// Fails when more than so many bytes have come.
    pub(crate) fn within(mut self, bytes: usize) -> Self {
        self.limit = Some((bytes, bytes));
        self
    }

    /// Waits for the next chunk. Returns `None` at the end of the body.
    ///
    /// # Errors
    /// The body ended early: the peer disconnected, or the object that produced it was reset.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Reads everything that is left, at most `limit` bytes.
    pub(crate) async fn gather(&mut self, limit: usize) -> Result<Vec<u8>, Fault> {
        let mut gathered = Vec::new();
        while let Some(chunk) = poll_fn(|context| self.poll_chunk(context)).await {
            let chunk = chunk?;
            if gathered.len() + chunk.len() > limit {
                self.source = Source::Over;
                return Err(Fault::TooLarge(format!(
                    "a streaming body is over the limit of {limit} bytes; read it in chunks"
                )));
            }
            gathered.extend_from_slice(&chunk);
        }
        Ok(gathered)
    }

    fn count(&mut self, chunk: Bytes) -> Result<Bytes, Fault> {
        let Some((limit, left)) = &mut self.limit else {
            return Ok(chunk);
        };
        match left.checked_sub(chunk.len()) {
            Some(rest) => *left = rest,
            None => return Err(body_too_large(None, *limit)),
        }
        Ok(chunk)
    }

    /// Like the stream's own, with the failure as it travels.
    pub(crate) fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        let chunk = match &mut self.source {
            Source::Made(chunks) => chunks
                .as_mut()
                .poll_next(context)
                .map_err(|error| Fault::application(&error)),
            Source::Incoming(incoming) => incoming.poll_chunk(context),
            Source::Whole(bytes) => {
                let size = bytes.len().min(PART);
                let part = bytes.split_to(size);
                Poll::Ready((size > 0).then_some(Ok(part)))
            }
            Source::Over => Poll::Ready(None),
        };
        let chunk = chunk.map_ok(|chunk| self.count(chunk));
        let chunk = chunk.map(|chunk| chunk.map(Result::flatten));
        if let Poll::Ready(None | Some(Err(_))) = chunk {
            self.source = Source::Over;
        }
        chunk
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(context).map_err(Fault::into_error)
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BodyStream")
    }
}
