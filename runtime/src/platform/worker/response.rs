//! Responses, made with as few crossings as they allow.

use std::borrow::Cow;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::bindings;
use super::failure::fault_of;
use super::promise::Answer;
use crate::fault::Fault;
use crate::http::{Body, Response};

type Headers = [(Cow<'static, str>, Cow<'static, str>)];

/// A response of the platform's own.
pub(crate) struct RawResponse {
    response: bindings::Response,
    /// How many of the headers beside it are its own; what follows was added here.
    own_headers: usize,
}

impl RawResponse {
    pub(super) fn new(response: bindings::Response) -> Self {
        Self {
            response,
            own_headers: 0,
        }
    }

    pub(super) fn into_response(mut self) -> Response {
        let status = self.response.status();
        let mut own = bindings::headers_of(&self.response).into_iter();
        let mut headers = Vec::new();
        while let (Some(name), Some(value)) = (own.next(), own.next()) {
            headers.push((Cow::Owned(name), Cow::Owned(value)));
        }
        self.own_headers = headers.len();
        Response {
            status,
            headers,
            body: Body::Raw(self),
        }
    }

    /// The whole body, for a caller who reads it here.
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

    fn to_js(&self, status: u16, headers: &Headers) -> Answer {
        let added = headers.get(self.own_headers..).unwrap_or_default();
        if added.is_empty() && status == self.response.status() {
            return Ok(self.response.clone().into());
        }
        bindings::changed_response(&self.response, status, flat(added))
    }
}

pub(super) fn to_js(response: &Response) -> Answer {
    let Response {
        status,
        headers,
        body,
    } = response;
    match (body, headers.as_slice()) {
        (Body::Bytes(bytes), headers) if is_plain_json(headers) => {
            bindings::json_response(*status, bytes)
        }
        (Body::Bytes(bytes), headers) => {
            bindings::make_response(*status, flat(headers), Some(bytes), None)
        }
        (Body::Empty, headers) => bindings::make_response(*status, flat(headers), None, None),
        (Body::Upgrade(upgrade), headers) => {
            bindings::make_response(*status, flat(headers), None, Some(&upgrade.0))
        }
        (Body::Raw(raw), headers) => raw.to_js(*status, headers),
    }
}

fn is_plain_json(headers: &Headers) -> bool {
    matches!(headers, [(name, value)] if name == "content-type" && value == "application/json")
}

fn flat(headers: &Headers) -> Vec<String> {
    headers
        .iter()
        .flat_map(|(name, value)| [name.to_string(), value.to_string()])
        .collect()
}

thread_local! {
    static ON_FAILURE: Closure<dyn Fn(JsValue) -> Answer> =
        Closure::new(|error| to_js(&fault_of(&error).into_response()));
}

/// The platform's own promise of a response, whose rejection becomes an answer like any other fault.
pub(super) fn with_failures_answered(answer: &Promise) -> Result<JsValue, Fault> {
    ON_FAILURE
        .with(|on_failure| bindings::catch_with(answer, on_failure.as_ref()))
        .map_err(|error| fault_of(&error))
}
