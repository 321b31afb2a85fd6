//! Calls and requests to other objects.

use std::rc::Rc;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use super::super::drive::promise::PlatformAnswer;
use super::super::drive::timer::InContext;
use super::super::ids::raw_id;
use super::super::js::bindings::{self, Fetcher, Namespace};
use super::super::js::failure::{fault_of, message_of};
use super::raw_response::RawResponse;
use super::response;
use crate::codec::message_pack;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::object::id::{Placement, RawId};
use crate::turn::LocalFuture;
use crate::turn::chain::CallChain;

/// One object, wherever it is located. A clone is the same connection.
#[derive(Clone)]
pub(crate) struct Remote(Rc<Inner>);

struct Inner {
    namespace: Namespace,
    address: Address,
    placement: Placement,
    /// The platform's own stub. It works only in the context that opened it, keeps the order of
    /// calls there, and stays broken after its first failure (P68).
    stub: InContext<Fetcher>,
}

pub(super) enum Address {
    Name(String),
    Id(RawId),
}

impl Remote {
    pub(super) fn new(namespace: Namespace, address: Address, placement: Placement) -> Self {
        Self(Rc::new(Inner {
            namespace,
            address,
            placement,
            stub: InContext::default(),
        }))
    }

    pub(crate) fn id(&self) -> RawId {
        match &self.0.address {
            Address::Id(id) => *id,
            Address::Name(name) => raw_id(&self.0.namespace.id_from_name(name)),
        }
    }

    pub(crate) fn call(
        &self,
        method: &'static str,
        arguments: Vec<u8>,
        chain: &CallChain,
    ) -> LocalFuture<'static, Result<Vec<u8>, Fault>> {
        let sent = self.send_call(method, &arguments, chain);
        let answer = sent.map(PlatformAnswer::new);
        let this = self.clone();
        Box::pin(async move {
            let envelope = this.received(answer?.await)?;
            open_envelope(open_parcel(&envelope))
        })
    }

    fn send_call(
        &self,
        method: &str,
        arguments: &[u8],
        chain: &CallChain,
    ) -> Result<Promise, Fault> {
        let chain = if chain.links.is_empty() {
            Vec::new()
        } else {
            encode(chain)?
        };
        let stub = self.stub()?;
        bindings::call(&stub, method, arguments, &chain).map_err(|error| self.failed(&error))
    }

    pub(crate) fn fetch(
        &self,
        request: Request,
        chain: &CallChain,
    ) -> LocalFuture<'static, Result<Response, Fault>> {
        let sent = request
            .inner
            .to_js(chain)
            .and_then(|request| self.send(&request));
        let answer = sent.map(PlatformAnswer::new);
        let this = self.clone();
        Box::pin(async move {
            let answer = this.received(answer?.await)?;
            Ok(RawResponse::new(answer.unchecked_into()).into_response())
        })
    }

    fn send(&self, request: &JsValue) -> Result<Promise, Fault> {
        self.stub()?
            .fetch(request)
            .map_err(|error| self.failed(&error))
    }

    /// Forwards a request with another address and otherwise unchanged. Returns the platform's own
    /// promise, whose failures are answered.
    pub(in super::super) fn forward(&self, url: &str, request: &JsValue) -> Result<JsValue, Fault> {
        let answer = self
            .stub()?
            .fetch_at(url, request)
            .map_err(|error| self.failed(&error))?;
        response::with_failures_answered(&answer)
    }

    fn stub(&self) -> Result<Fetcher, Fault> {
        let Inner {
            namespace,
            address,
            placement,
            stub,
        } = &*self.0;
        stub.get_or_try_make(|| {
            let (name, id) = match address {
                Address::Name(name) => (Some(name.as_str()), None),
                Address::Id(id) => (None, Some(id.to_string())),
            };
            bindings::open(
                namespace,
                name,
                id.as_deref(),
                placement.location_hint.as_deref(),
            )
            .map_err(|error| Fault::Configuration(message_of(&error)))
        })
    }

    fn received(&self, answer: Result<JsValue, JsValue>) -> Result<JsValue, Fault> {
        answer.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &JsValue) -> Fault {
        self.0.stub.forget();
        fault_of(error)
    }
}

fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    message_pack::encode(value).map_err(Fault::Undecodable)
}

/// Returns the bytes in a value that `parcel` in `glue.js` made. Returns no bytes for other values.
pub(in super::super) fn open_parcel(parcel: &JsValue) -> Vec<u8> {
    if let Some(text) = parcel.as_string() {
        let bytes = text.chars().map(u8::try_from);
        return bytes.collect::<Result<_, _>>().unwrap_or_default();
    }
    parcel
        .dyn_ref::<Uint8Array>()
        .map(Uint8Array::to_vec)
        .unwrap_or_default()
}

/// A result travels between two Rust objects as bytes, prefixed by one that distinguishes it from a
/// fault. An exception would lose the error's own fields.
const RESULT: u8 = 0;
const FAULT: u8 = 1;

pub(in super::super) fn envelope(result: Result<Vec<u8>, Fault>) -> Vec<u8> {
    let (kind, bytes) = match result {
        Ok(bytes) => (RESULT, bytes),
        Err(fault) => (FAULT, encode(&fault).unwrap_or_default()),
    };
    let mut envelope = Vec::with_capacity(bytes.len() + 1);
    envelope.push(kind);
    envelope.extend(bytes);
    envelope
}

fn open_envelope(mut envelope: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let undecodable =
        |message| Fault::Undecodable(format!("the answer is of another version: {message}"));
    match envelope.first() {
        Some(&RESULT) => {
            envelope.remove(0);
            Ok(envelope)
        }
        Some(&FAULT) => Err(message_pack::decode(&envelope[1..]).unwrap_or_else(undecodable)),
        _ => Err(undecodable("it has no known beginning".to_owned())),
    }
}
