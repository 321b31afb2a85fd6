//! A response of the platform's that is passed on unchanged.

use std::borrow::Cow;

use js_sys::Uint8Array;
use wasm_bindgen_futures::JsFuture;

use super::super::drive::promise::Answer;
use super::super::js::bindings;
use super::super::js::failure::fault_of;
use super::incoming::Incoming;
use crate::error::fault::Fault;

/// Pairs of names and values.
pub(super) type Headers = [(Cow<'static, str>, Cow<'static, str>)];

/// A response of the platform's own.
pub(crate) struct RawResponse {
    pub(super) response: bindings::Response,
    /// How many of the headers are the response's own. The headers after them were added here.
    pub(super) own_headers: usize,
}

impl RawResponse {
    pub(in super::super) fn new(response: bindings::Response) -> Self {
        Self {
            response,
            own_headers: 0,
        }
    }

    /// The whole body, for a caller that reads it here.
    pub(crate) async fn bytes(&self) -> Result<Vec<u8>, Fault> {
        let buffer = self
            .response
            .array_buffer()
            .map_err(|error| fault_of(&error))?;
        let buffer = JsFuture::from(buffer)
            .await
            .map_err(|error| fault_of(&error))?;
        Ok(Uint8Array::new(&buffer).to_vec())
    }

    /// Returns the body, for a caller that reads it in chunks. Returns `None` if there is none, or
    /// if it was read already.
    pub(crate) fn into_incoming(self) -> Option<Incoming> {
        Incoming::of(&self.response).ok().flatten()
    }

    pub(super) fn to_js(&self, status: u16, headers: &Headers) -> Answer {
        let added = headers.get(self.own_headers..).unwrap_or_default();
        if added.is_empty() && status == self.response.status() {
            return Ok(self.response.clone().into());
        }
        bindings::changed_response(&self.response, status, flat(added))
    }
}

pub(super) fn flat(headers: &Headers) -> Vec<String> {
    headers
        .iter()
        .flat_map(|(name, value)| [name.to_string(), value.to_string()])
        .collect()
}
