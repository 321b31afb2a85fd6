//! The bindings of the deployment, including its namespaces.

use std::rc::Rc;
use std::time::Duration;

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::super::clock;
use super::super::drive::timer::Sleep;
use super::super::js::bindings;
use super::super::js::failure::message_of;
use super::namespace::Namespace;
use super::raw_response::RawResponse;
use crate::error::fault::Fault;
use crate::http::{Body, Request, Response};
use crate::object::class::Class;
use crate::time::within;
use crate::turn::LocalFuture;

/// How long a request to the outside world may take, including the body of its answer.
const FETCH_LIMIT: Duration = Duration::from_secs(60);
/// The largest body of such an answer.
const MOST_FETCHED: u32 = 32 * 1024 * 1024;

/// The bindings of the deployment.
#[derive(Clone)]
pub(crate) struct Env(Rc<JsValue>);

impl Env {
    pub(in super::super) fn new(env: JsValue) -> Self {
        Self(Rc::new(env))
    }

    pub(in super::super) fn raw(&self) -> &JsValue {
        &self.0
    }

    pub(in super::super) fn binding(&self, name: &str) -> Option<JsValue> {
        Reflect::get(&self.0, &JsValue::from_str(name))
            .ok()
            .filter(JsValue::is_object)
    }

    pub(crate) fn namespace(&self, class: &'static Class) -> Result<Namespace, Fault> {
        Namespace::known(class, || {
            self.binding(class.binding).ok_or_else(|| {
                Fault::Configuration(format!(
                    "the Wrangler configuration binds no `{}`: add {{\"name\": \"{}\", \"class_name\": \"{}\"}} to durable_objects.bindings",
                    class.binding, class.binding, class.name
                ))
            })
        })
    }

    pub(crate) fn var(&self, name: &str) -> Option<String> {
        bindings::variable(&self.0, name)
    }

    pub(crate) fn now(&self) -> i64 {
        clock::now()
    }

    /// Sends a request to the outside world. The platform's gate holds it (P6).
    #[expect(
        clippy::unused_self,
        reason = "on the other host the way out depends on who asks"
    )]
    pub(crate) fn fetch(&self, request: Request) -> LocalFuture<'static, Result<Response, Fault>> {
        let flight = request
            .inner
            .to_outgoing()
            .and_then(|request| Flight::start(&request));
        Box::pin(async move {
            let flight = flight?;
            let answer = within(Sleep::new(FETCH_LIMIT), flight.answer()).await;
            answer.unwrap_or_else(|| {
                let seconds = FETCH_LIMIT.as_secs();
                Err(Fault::TimedOut(format!("no answer within {seconds} s")))
            })
        })
    }

    pub(crate) fn sleep(&self, duration: Duration) -> LocalFuture<'static, ()> {
        Box::pin(Sleep::new(duration))
    }
}

/// A request in flight. Dropping it cancels the request.
struct Flight(bindings::Flight);

impl Flight {
    fn start(request: &bindings::Request) -> Result<Self, Fault> {
        bindings::Flight::new(request)
            .map(Self)
            .map_err(|error| disconnected(&error))
    }

    /// Waits for the whole answer.
    async fn answer(&self) -> Result<Response, Fault> {
        let answer = JsFuture::from(self.0.answer())
            .await
            .map_err(|error| disconnected(&error))?;
        let mut answer = RawResponse::new(answer.unchecked_into()).into_response();
        // A handshake has no body. Its response carries the socket.
        if answer.status == 101 {
            return Ok(answer);
        }
        let body = JsFuture::from(self.0.body(MOST_FETCHED))
            .await
            .map_err(|error| {
                Fault::Disconnected(format!("the response ended early: {}", message_of(&error)))
            })?;
        let body = body.dyn_into::<Uint8Array>().map_err(|_| {
            Fault::TooLarge(format!(
                "the response's body is over the limit of {MOST_FETCHED} bytes"
            ))
        })?;
        answer.body = Body::Bytes(body.to_vec());
        Ok(answer)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        // Does nothing if the request has finished.
        let _ = self.0.abort();
    }
}

fn disconnected(error: &JsValue) -> Fault {
    Fault::Disconnected(message_of(error))
}
