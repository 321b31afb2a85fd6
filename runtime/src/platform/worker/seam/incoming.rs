//! Bodies that arrive in chunks, from the platform.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;

use super::super::drive::promise::PlatformAnswer;
use super::super::drive::timer::Sleep;
use super::super::js::bindings::BodyReader;
use super::super::js::failure::message_of;
use crate::error::fault::Fault;
use crate::turn::LocalFuture;

/// A body of the platform's. Dropping it cancels the body.
pub(crate) struct Incoming {
    reader: BodyReader,
    reading: Option<PlatformAnswer>,
}

impl Incoming {
    /// Reads the body of a request or a response. Returns `None` if it has none.
    pub(super) fn of(message: &JsValue) -> Result<Option<Self>, Fault> {
        let reader = BodyReader::of(message).map_err(|error| broken(&error))?;
        Ok(reader.map(|reader| Self {
            reader,
            reading: None,
        }))
    }

    pub(crate) fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Fault>>> {
        let reader = &self.reader;
        let reading = self
            .reading
            .get_or_insert_with(|| PlatformAnswer::new(reader.read()));
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        Poll::Ready(match read {
            Ok(end) if end.is_undefined() => None,
            Ok(chunk) => Some(Ok(Uint8Array::new(&chunk).to_vec().into())),
            Err(error) => Some(Err(broken(&error))),
        })
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Fails only if the body has failed already.
        let _ = self.reader.cancel();
    }
}

fn broken(error: &JsValue) -> Fault {
    Fault::Disconnected(format!("the body ended early: {}", message_of(error)))
}

pub(crate) fn sleep(duration: Duration) -> LocalFuture<'static, ()> {
    Box::pin(Sleep::new(duration))
}
