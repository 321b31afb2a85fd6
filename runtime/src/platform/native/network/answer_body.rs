//! The bodies of answers as hyper sends them: whole, or in chunks while they are produced.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::budget::Budget;
use super::requests::Answering;
use crate::error::fault::Fault;
use crate::http::stream::BodyStream;
use crate::turn::{LocalFuture, user_code};

/// Chunks up to this size are not counted, because the number of clients bounds them.
const SMALL: usize = 8 * 1024;
/// How often to check whether there is room for a chunk again.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(50);

pub(in super::super) enum AnswerBody {
    Whole(Bytes),
    // Boxed, because most answers are whole.
    Chunks(Box<Chunks>),
}

/// A body that is still produced.
pub(in super::super) struct Chunks {
    /// `None` after the last chunk.
    stream: Option<BodyStream>,
    answers: Budget,
    /// A large chunk for which there was no room, until the next try.
    waiting: Option<(Bytes, Pin<Box<Sleep>>)>,
    /// Resolves when the host shuts down, if the body then ends.
    host_ends: Option<LocalFuture<'static, ()>>,
    answering: Option<Answering>,
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl AnswerBody {
    pub(super) fn chunks(
        stream: BodyStream,
        answers: Budget,
        draining: &watch::Sender<bool>,
    ) -> Self {
        let host_ends = stream.ends_with_host.then(|| {
            let mut draining = draining.subscribe();
            Box::pin(async move {
                // Fails if the host is gone.
                let _ = draining.wait_for(|draining| *draining).await;
            }) as LocalFuture<'static, ()>
        });
        Self::Chunks(Box::new(Chunks {
            stream: Some(stream),
            answers,
            waiting: None,
            host_ends,
            answering: None,
        }))
    }

    /// Counts the connection as busy until the last chunk. Whole bodies are sent at once.
    pub(super) fn until_sent(mut self, answering: Answering) -> Self {
        if let Self::Chunks(chunks) = &mut self {
            chunks.answering = Some(answering);
        }
        self
    }
}

/// Breaks the connection, so that the client does not take the body for complete.
#[derive(Debug, thiserror::Error)]
#[error("the body ended early: {0}")]
pub(in super::super) struct Broken(String);

impl Chunks {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some((chunk, pause)) = &mut self.waiting {
            ready!(pause.as_mut().poll(context));
            let chunk = std::mem::take(chunk);
            self.waiting = None;
            return self.admit(chunk, context);
        }
        if let Some(ends) = &mut self.host_ends
            && ends.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(None);
        }
        loop {
            let Some(stream) = &mut self.stream else {
                return Poll::Ready(None);
            };
            // The stream of an app's handler is polled here, and is the user's code.
            let polled = user_code::call(|| stream.poll_chunk(context));
            return match ready!(polled.unwrap_or(Poll::Ready(Some(Err(Fault::Panicked))))) {
                None => Poll::Ready(None),
                // An empty one would end a body that is sent in chunks.
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => self.admit(chunk, context),
                Some(Err(fault)) => {
                    let (_, code, message) = fault.summary();
                    tracing::warn!(code, message, "a streaming response was broken off");
                    Poll::Ready(Some(Err(Broken(message))))
                }
            };
        }
    }

    /// Returns a chunk when there is room for it among the answers that wait for their readers.
    fn admit(
        &mut self,
        chunk: Bytes,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        if chunk.len() <= SMALL {
            return Poll::Ready(Some(Ok(chunk)));
        }
        if let Some(share) = self.answers.take_any(chunk.len()) {
            return Poll::Ready(Some(Ok(share.holding(chunk))));
        }
        let mut pause = Box::pin(sleep(NO_ROOM_PAUSE));
        // Registers the waker. It is not over yet.
        let _ = pause.as_mut().poll(context);
        self.waiting = Some((chunk, pause));
        Poll::Pending
    }

    fn end(&mut self) {
        user_code::dispose(self.stream.take());
        self.answering = None;
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.end();
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Chunks(chunks) => {
                let chunk = ready!(chunks.poll_chunk(context));
                if !matches!(chunk, Some(Ok(_))) {
                    chunks.end();
                }
                Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Chunks(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Chunks(_) => SizeHint::default(),
        }
    }
}
