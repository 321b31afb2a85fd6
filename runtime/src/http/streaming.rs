//! Requests and responses with bodies in chunks.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use pin_project_lite::pin_project;

use super::stream::BodyStream;
use super::{Body, Request, Response};
use crate::error::Error;
use crate::platform;

pin_project! {
    /// A user's stream, with its items converted.
    struct Converted<S> {
        #[pin]
        chunks: S,
    }
}

impl<S, B, E> Stream for Converted<S>
where
    S: Stream<Item = Result<B, E>>,
    B: Into<Bytes>,
    E: Into<Error>,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.project().chunks.poll_next(context);
        polled.map(|chunk| chunk.map(|chunk| chunk.map(Into::into).map_err(Into::into)))
    }
}

impl Response {
    /// Creates a response whose body is sent in chunks while it is produced.
    ///
    /// `chunks` is polled after the handler has returned, so it is not part of the turn: other
    /// turns run between its polls. It cannot borrow the object. It may hold the handles of
    /// [`Ctx`](crate::Ctx), such as [`Storage`](crate::Storage) or a stub. A chunk is sent when the
    /// writes before it are durable. `chunks` is polled again when the client has taken what was
    /// sent before, so a slow client slows it. It is dropped when the client has disconnected.
    ///
    /// The object stays in memory until the stream has ended. An error as an item, a panic of
    /// `chunks` and a reset of the object break the connection, so that the client does not take
    /// the body for complete.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use futures_util::stream;
    ///
    /// #[durable_object]
    /// struct Archive {
    ///     lines: StoredLog<String, 1_000>,
    /// }
    ///
    /// #[durable_object]
    /// impl Archive {
    ///     /// Sends the numbers of a file of any size.
    ///     #[get("/numbers")]
    ///     fn numbers(&self, count: u64) -> Response {
    ///         let lines = (0..count).map(|number| Ok::<_, Error>(format!("{number}\n")));
    ///         Response::stream(200, "text/plain", stream::iter(lines))
    ///     }
    /// }
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn stream<S, B, E>(status: u16, content_type: &'static str, chunks: S) -> Self
    where
        S: Stream<Item = Result<B, E>> + 'static,
        B: Into<Bytes>,
        E: Into<Error>,
    {
        let chunks = BodyStream::made(Converted { chunks });
        Self::of_any_type(status, content_type, Body::Stream(chunks))
    }

    /// Returns the chunks of the body. A body of bytes is read in chunks of 64 KiB.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// /// Counts the bytes of a body of any size.
    /// async fn size(response: Response) -> Result<usize, Error> {
    ///     let mut chunks = response.into_stream();
    ///     let mut size = 0;
    ///     while let Some(chunk) = chunks.next().await {
    ///         size += chunk?.len();
    ///     }
    ///     Ok(size)
    /// }
    /// ```
    #[must_use]
    pub fn into_stream(self) -> BodyStream {
        match self.body {
            Body::Stream(chunks) => chunks,
            Body::Bytes(bytes) => BodyStream::whole(bytes),
            Body::Raw(raw) => match raw.into_incoming() {
                Some(incoming) => BodyStream::incoming(incoming),
                None => BodyStream::empty(),
            },
            Body::Empty | Body::Upgrade(_) => BodyStream::empty(),
        }
    }
}

impl Request {
    /// Returns the chunks of the body, which may still be on its way. The sender is slowed until
    /// they are read.
    ///
    /// On the embedded host the body arrives in chunks in a route with `max_body`. For other routes
    /// and the app's handlers it has already arrived, and is at most 1 MiB. A turn lasts until its
    /// handler returns, so read in an `async fn(&self)`, which lets other turns run meanwhile.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// #[durable_object]
    /// struct Uploads {}
    ///
    /// #[durable_object]
    /// impl Uploads {
    ///     /// Returns the size of a body of up to 1 GiB.
    ///     #[post("/", max_body = "1 GiB")]
    ///     async fn size(&self, request: Request) -> Result<usize, Error> {
    ///         let mut chunks = request.into_stream();
    ///         let mut size = 0;
    ///         while let Some(chunk) = chunks.next().await {
    ///             size += chunk?.len();
    ///         }
    ///         Ok(size)
    ///     }
    /// }
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn into_stream(mut self) -> BodyStream {
        let limit = self.max_body.unwrap_or(platform::MAX_BODY);
        let chunks = match self.inner.take_incoming() {
            Some(incoming) => BodyStream::incoming(incoming),
            None => BodyStream::whole(self.inner.take_whole()),
        };
        chunks.within(limit)
    }
}
