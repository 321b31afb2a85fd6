//! Responses, made with as few crossings to JavaScript as possible.

use std::borrow::Cow;

use js_sys::Promise;
use wasm_bindgen::prelude::*;

use super::super::drive::promise::Answer;
use super::super::js::bindings;
use super::super::js::failure::fault_of;
use super::raw_response::{Headers, RawResponse, flat};
use super::sink::Producer;
use crate::error::fault::Fault;
use crate::http::{Body, Response};

impl RawResponse {
    pub(in super::super) fn into_response(mut self) -> Response {
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
}

/// Converts a response, whose body `producer` produces if it is a stream.
pub(in super::super) fn to_js(mut response: Response, producer: &Producer<'_>) -> Answer {
    match std::mem::replace(&mut response.body, Body::Empty) {
        Body::Stream(chunks) => {
            let readable = producer.produce(chunks)?;
            bindings::stream_response(response.status, flat(&response.headers), &readable)
        }
        body => {
            response.body = body;
            whole_to_js(&response)
        }
    }
}

/// Converts a response that does not stream.
pub(in super::super) fn whole_to_js(response: &Response) -> Answer {
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
        (Body::Empty | Body::Stream(_), headers) => {
            bindings::make_response(*status, flat(headers), None, None)
        }
        (Body::Upgrade(upgrade), headers) => {
            bindings::make_response(*status, flat(headers), None, Some(&upgrade.0))
        }
        (Body::Raw(raw), headers) => raw.to_js(*status, headers),
    }
}

fn is_plain_json(headers: &Headers) -> bool {
    matches!(headers, [(name, value)] if name == "content-type" && value == "application/json")
}

thread_local! {
    static ON_FAILURE: Closure<dyn Fn(JsValue) -> Answer> =
        Closure::new(|error| whole_to_js(&fault_of(&error).into_response()));
}

/// The platform's own promise of a response. Its rejection becomes an answer like any other fault.
pub(in super::super) fn with_failures_answered(answer: &Promise) -> Result<JsValue, Fault> {
    ON_FAILURE
        .with(|on_failure| bindings::catch_with(answer, on_failure.as_ref()))
        .map_err(|error| fault_of(&error))
}

/// The platform's own promise of a response, with the headers for pages of other origins.
pub(in super::super) fn with_cross_origin_headers(
    answer: JsValue,
    headers: &Headers,
) -> Result<JsValue, Fault> {
    if headers.is_empty() {
        return Ok(answer);
    }
    bindings::with_cross_origin_headers(&answer.unchecked_into(), flat(headers))
        .map_err(|error| fault_of(&error))
}
