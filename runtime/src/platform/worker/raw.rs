//! Escape hatches to the `worker` crate, for features that this crate does not wrap.

use wasm_bindgen::prelude::*;

use super::js::bindings::State;

impl crate::Ctx {
    /// Returns the platform's own handle to the object. Only available on wasm32.
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
    /// Returns the platform's own bindings. Only available on wasm32.
    #[must_use]
    pub fn raw(&self) -> worker::Env {
        self.inner.raw().clone().unchecked_into()
    }
}

impl crate::Request {
    /// Returns the platform's own request, if this request came from outside. Only available on
    /// wasm32.
    #[must_use]
    pub fn raw(&self) -> Option<worker::Request> {
        let request: &JsValue = self.inner.raw()?;
        Some(worker::Request::from(
            request.clone().unchecked_into::<worker::web_sys::Request>(),
        ))
    }
}

impl From<worker::Response> for crate::Response {
    /// Passes through a response of the platform's, such as a streaming one, unchanged.
    fn from(response: worker::Response) -> Self {
        let response = JsValue::from(worker::web_sys::Response::from(response));
        super::RawResponse::new(response.unchecked_into()).into_response()
    }
}
