//! Bodies that arrive in chunks: from an object on any thread, or from a connection.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::mpsc;

use super::super::network::arriving::Arriving;
use crate::error::fault::Fault;
use crate::turn::LocalFuture;

/// One step of a body: a chunk, or `None` for its end.
pub(in super::super) type Step = Result<Option<Bytes>, Fault>;

/// A body on its way. Dropping it tells its sender.
pub(crate) struct Incoming(Sender);

enum Sender {
    Object(mpsc::Receiver<Step>),
    Client(Box<Arriving>),
}

/// The place for one step, which the reader has asked for.
pub(in super::super) type Place = mpsc::OwnedPermit<Step>;

impl Incoming {
    /// Creates a body whose producer is at most one chunk ahead of its reader.
    pub(in super::super) fn produced() -> (mpsc::Sender<Step>, Self) {
        let (steps, incoming) = mpsc::channel(1);
        (steps, Self(Sender::Object(incoming)))
    }

    pub(in super::super) fn arriving(body: Arriving) -> Self {
        Self(Sender::Client(Box::new(body)))
    }

    pub(crate) fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        match &mut self.0 {
            Sender::Client(body) => body.poll_chunk(context),
            Sender::Object(steps) => Poll::Ready(match ready!(steps.poll_recv(context)) {
                Some(step) => step.transpose(),
                // The producer was dropped before the end.
                None => Some(Err(Fault::Reset(
                    "the object that produced the body was reset".to_owned(),
                ))),
            }),
        }
    }

    /// Reads the whole body. Returns `None` if it is larger than `limit`. The body counts as held
    /// until this is dropped.
    pub(in super::super) async fn gather(
        &mut self,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let mut gathered = Vec::new();
        while let Some(chunk) = poll_fn(|context| self.poll_chunk(context)).await {
            let chunk = chunk?;
            if gathered.len() + chunk.len() > limit {
                return Ok(None);
            }
            if let Sender::Client(body) = &mut self.0 {
                body.hold(chunk.len())?;
            }
            gathered.extend_from_slice(&chunk);
        }
        Ok(Some(gathered))
    }
}

pub(crate) fn sleep(duration: Duration) -> LocalFuture<'static, ()> {
    Box::pin(tokio::time::sleep(duration))
}
