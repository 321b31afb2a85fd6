//! The untyped half of a stub: a client handle for calling one object.

use std::fmt;
use std::future::Future;

use super::arguments::Arguments;
use super::id::RawId;
use super::pending_call::PendingCall;
use crate::engine::running_turn::{awaited, waiting_turns};
use crate::error::CallError;
use crate::error::fault::{Fault, expects_none};
use crate::http::{Request, Response};
use crate::limits;
use crate::macro_support::values::{Failed, Returned, decoded};
use crate::platform::Remote;
use crate::turn::effects;

/// The untyped half of a stub, which the generated stubs wrap.
#[derive(Clone)]
pub struct StubCore {
    pub(crate) remote: Result<Remote, Fault>,
}

impl StubCore {
    pub(crate) fn new(remote: Result<Remote, Fault>) -> Self {
        Self { remote }
    }

    pub(crate) fn id(&self) -> Result<RawId, Fault> {
        self.remote.as_ref().map(Remote::id).map_err(Clone::clone)
    }

    fn send(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> impl Future<Output = Result<Vec<u8>, Fault>> + use<> {
        // The call starts before its future is first polled, as with a JavaScript stub. In an
        // atomic turn it starts when the turn has succeeded.
        let (chain, call) = waiting_turns();
        let answer = match (&self.remote, arguments.bytes) {
            (Err(fault), _) => Err(fault.clone()),
            (_, Err(message)) => Err(Fault::BadRequest(message)),
            (Ok(remote), Ok(bytes)) => limits::check_call(&bytes).map(|()| {
                let remote = remote.clone();
                effects::begin(move || remote.call(method, bytes, &chain))
            }),
        };
        awaited(call, async move { answer?.await })
    }

    /// Calls a method that does not return a `Result`.
    pub fn call<T>(
        &self,
        returned: &Returned<T>,
        method: &'static str,
        arguments: Arguments,
    ) -> PendingCall<impl Future<Output = Result<T, CallError>> + use<T>> {
        PendingCall::new(decoded(
            self.send(method, arguments),
            returned.decode(),
            expects_none,
        ))
    }

    /// Calls a method that returns a `Result`.
    pub fn call_fallible<T, E, const IS_RESULT: bool>(
        &self,
        returned: &Returned<T>,
        failed: &Failed<E, IS_RESULT>,
        method: &'static str,
        arguments: Arguments,
    ) -> PendingCall<impl Future<Output = Result<T, CallError<E>>> + use<T, E, IS_RESULT>> {
        PendingCall::new(decoded(
            self.send(method, arguments),
            returned.decode(),
            failed.decode(),
        ))
    }

    /// Sends a request, and reads the whole response.
    pub(crate) fn fetch(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, Fault>> + use<> {
        let answer = self.fetch_stream(request);
        async move { answer.await?.gathered().await }
    }

    pub(crate) fn fetch_stream(
        &self,
        mut request: Request,
    ) -> impl Future<Output = Result<Response, Fault>> + use<> {
        let (chain, call) = waiting_turns();
        let answer = match (&self.remote, request.check()) {
            (Err(fault), _) => Err(fault.clone()),
            (_, Err(fault)) => Err(fault),
            (Ok(remote), Ok(())) => {
                let remote = remote.clone();
                Ok(effects::begin(move || remote.fetch(request, &chain)))
            }
        };
        awaited(call, async move { answer?.await })
    }
}

impl fmt::Debug for StubCore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Ok(id) => write!(formatter, "{id}"),
            Err(_) => formatter.write_str("(not bound)"),
        }
    }
}
