//! Escape hatches to the `worker` crate, for what this crate does not wrap.

use wasm_bindgen::prelude::*;

use super::js::bindings::State;

impl crate::Ctx {
    /// The platform's own handle to the object. Only on wasm32.
    #[must_use]
    pub fn raw_state(&self) -> worker::State {
        let state: &State = self.state().raw();
        worker::State::from(
            state
                .clone()
                .unchecked_into::<worker::worker_sys::DurableObjectState>(),
        )
    }
}

impl crate::Env {
    /// The platform's own bindings. Only on wasm32.
    #[must_use]
    pub fn raw(&self) -> worker::Env {
        self.inner.raw().clone().unchecked_into()
    }
}

impl crate::Request {
    /// The platform's own request, if this one came from outside. Only on wasm32.
    #[must_use]
    pub fn raw(&self) -> Option<worker::Request> {
        let request: &JsValue = self.inner.raw()?;
        Some(worker::Request::from(
            request.clone().unchecked_into::<worker::web_sys::Request>(),
        ))
    }
}

impl From<worker::Response> for crate::Response {
    /// A response of the platform's own, such as one that streams, passed through untouched.
    fn from(response: worker::Response) -> Self {
        let response = JsValue::from(worker::web_sys::Response::from(response));
        super::RawResponse::new(response.unchecked_into()).into_response()
    }
}
