//! Produces the streaming bodies of objects' responses, after their handlers have returned.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::super::seam::carried::Carried;
use super::super::seam::incoming::Incoming;
use super::slot::Life;
use super::work::Output;
use super::{Event, Shard};
use crate::http::Response;
use crate::http::stream::BodyStream;

impl Shard {
    /// Makes an object's response ready to be sent.
    pub(super) fn carried(self: &Rc<Self>, life: &Rc<Life>, response: Response) -> Carried {
        Carried::new(response.checked(), |chunks| self.produce(life, chunks))
    }

    /// Produces a body in the background of its object, which stays in memory meanwhile. Each chunk
    /// waits for the writes before it. There is at most one that the reader has not taken.
    fn produce(self: &Rc<Self>, life: &Rc<Life>, mut chunks: BodyStream) -> Incoming {
        let (steps, incoming) = Incoming::produced();
        let producing = Rc::clone(life);
        let work = async move {
            // Fails if the reader is gone.
            while let Ok(place) = steps.clone().reserve_owned().await {
                let mut gone = pin!(steps.closed());
                let chunk = poll_fn(|context| {
                    if gone.as_mut().poll(context).is_ready() {
                        return Poll::Ready(None);
                    }
                    chunks.poll_chunk(context).map(Some)
                });
                let Some(chunk) = chunk.await else { return };
                let step = chunk.transpose();
                let is_last = !matches!(step, Ok(Some(_)));
                producing.emit(Output::Chunk { place, step });
                if is_last {
                    return;
                }
            }
        };
        let object = life.slot.index;
        life.slot.handle(Event::StreamOpened { object });
        self.run_in_background(life, Box::pin(work), Event::StreamEnded { object });
        incoming
    }
}
