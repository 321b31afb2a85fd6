//! Produces the streaming bodies of responses, after their handlers have returned.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::super::drive::memory::Memory;
use super::super::drive::{promise, tasks};
use super::super::js::bindings::{self, BodyWriter};
use super::super::js::failure::thrown;
use crate::error::fault::Fault;
use crate::http::stream::BodyStream;
use crate::turn::user_code::Guarded;

/// The context that produces the body of a response.
pub(in super::super) enum Producer<'a> {
    Object(&'a Memory),
    /// The app, which answers this request.
    App(&'a bindings::Request),
}

impl Producer<'_> {
    /// Begins to produce a body. Returns the platform's stream. The platform passes each chunk
    /// through the output gate, and takes the next one when the reader has taken it.
    pub(super) fn produce(&self, chunks: BodyStream) -> Result<JsValue, JsValue> {
        match *self {
            Self::Object(memory) => {
                let sink = Sink(BodyWriter::new(Some(memory.raw()))?);
                let readable = sink.0.readable();
                let resetting = memory.clone();
                let work = async move {
                    if Guarded::new(sink.write_all(chunks)).await.is_err() {
                        resetting.doom("the stream of a response panicked");
                    }
                };
                promise::drive_in_background(memory, Box::pin(work));
                Ok(readable)
            }
            Self::App(request) => {
                let sink = Sink(BodyWriter::new(None)?);
                let readable = sink.0.readable();
                let work = async move {
                    if Guarded::new(sink.write_all(chunks)).await.is_err() {
                        tracing::error!("the stream of a response panicked");
                    }
                };
                bindings::watch(request, tasks::spawn(None, Box::pin(work)))?;
                Ok(readable)
            }
        }
    }
}

/// The writing end of a body. If it is dropped before the end, the body breaks off.
struct Sink(BodyWriter);

impl Sink {
    async fn write_all(self, mut chunks: BodyStream) {
        let mut closed = JsFuture::from(self.0.closed());
        loop {
            let chunk = poll_fn(|context| {
                if Pin::new(&mut closed).poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                chunks.poll_chunk(context).map(Some)
            });
            let written = match chunk.await {
                // The reader is gone.
                None => return,
                Some(None) => {
                    // Fails if the reader is gone.
                    let _ = JsFuture::from(self.0.close()).await;
                    return;
                }
                Some(Some(Ok(chunk))) if chunk.is_empty() => continue,
                Some(Some(Ok(chunk))) => JsFuture::from(self.0.write(&chunk)).await,
                Some(Some(Err(fault))) => {
                    let (_, code, message) = fault.summary();
                    tracing::warn!(code, message, "a streaming response was broken off");
                    return;
                }
            };
            if written.is_err() {
                return;
            }
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let early = Fault::Reset("the body ended early".to_owned());
        // Does nothing after the end.
        self.0.abort(&thrown(&early));
    }
}
