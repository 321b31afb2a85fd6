//! Handles the events that the platform sends to an exported JavaScript class.

use std::cell::OnceCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::super::drive::promise::{self, Answer, answer};
use super::super::drive::tasks;
use super::super::js::bindings::{self, State};
use super::super::js::failure::{error_of, message_of, thrown};
use super::super::seam::remote::{envelope, open_parcel};
use super::super::seam::request::Request;
use super::super::seam::response;
use super::super::seam::sink::Producer;
use super::super::seam::socket::Socket;
use super::super::seam::state::ObjectState;
use crate::codec::message_pack;
use crate::engine::instance::Instance;
use crate::engine::table::{BodyUse, Description, Route};
use crate::error::fault::Fault;
use crate::limits::MAX_JSON_BODY;
use crate::schedule::run::LostTries;
use crate::socket::Message;
use crate::turn::caller::{Caller, Origin};
use crate::turn::chain::CallChain;
use crate::turn::user_code;

/// An exported class. The class is generated into a separate module that the user's names cannot
/// affect. It learns through this trait which object it is.
pub trait Exported {
    /// The object's description.
    fn description() -> &'static Description;
}

/// One instance of an exported class.
///
/// Its constructor runs none of the object's code and never fails. The entry that `worker-build`
/// makes would treat an exception of a constructor as the end of the whole WebAssembly instance.
/// The object starts with its first event.
pub struct ObjectClass {
    /// `None` in the throw-away instance that only provides its prototype.
    start: Option<Start>,
    instance: OnceCell<Rc<Instance>>,
}

/// If panics unwind, the engine catches those of user code and resets the object.
impl UnwindSafe for ObjectClass {}
impl RefUnwindSafe for ObjectClass {}

struct Start {
    description: &'static Description,
    state: JsValue,
    env: JsValue,
}

#[expect(
    clippy::missing_errors_doc,
    reason = "what a method throws is the event's own failure"
)]
impl ObjectClass {
    /// Takes the arguments of the platform's constructor.
    pub fn new(
        description: &'static Description,
        state: JsValue,
        env: JsValue,
    ) -> Result<Self, JsValue> {
        promise::prepare();
        super::super::log::start();
        Ok(Self {
            start: Some(Start {
                description,
                state,
                env,
            }),
            instance: OnceCell::new(),
        })
    }

    /// Returns the throw-away instance for [`extend_durable_object`].
    #[must_use]
    pub fn empty() -> Self {
        Self {
            start: None,
            instance: OnceCell::new(),
        }
    }

    /// Returns the object. The first event starts it. If it fails to start, the platform creates a
    /// new instance for the next event (P16).
    fn instance(&self) -> Result<&Rc<Instance>, JsValue> {
        if let Some(instance) = self.instance.get() {
            return Ok(instance);
        }
        let start = self
            .start
            .as_ref()
            .ok_or_else(|| JsError::new("this instance is only a prototype"))?;
        let state = start.state.clone().unchecked_into::<State>();
        bindings::runs(&state)?;
        let instance = start.wake().map_err(|fault| {
            let error = thrown(&explained(fault, start.description));
            // This event already has the error. The call reports it to the events behind this one.
            let _ = bindings::fail_start(&state, &error);
            error
        })?;
        Ok(self.instance.get_or_init(|| instance))
    }

    fn on_event<F>(&self, event: impl FnOnce(&Rc<Instance>) -> F) -> Answer
    where
        F: Future<Output = Answer> + 'static,
    {
        let instance = self.instance()?;
        answer(instance.state().memory(), || Box::pin(event(instance)))
    }

    /// Handles an HTTP request. The other arguments were read in JavaScript. See `extend` in
    /// `life.js`.
    pub fn fetch(
        &self,
        request: JsValue,
        line: &str,
        chain: Option<String>,
        body: Option<Vec<u8>>,
    ) -> Answer {
        self.on_event(|instance| {
            let request: bindings::Request = request.unchecked_into();
            let caller = caller_of(request.clone());
            let mut request = Request::received(request, line, chain);
            if let Some(body) = body {
                request.set_body(body);
            }
            let chain = request.chain().unwrap_or_default();
            let origin = Origin {
                chain: Rc::new(chain),
                caller,
            };
            let answer = instance.fetch(crate::http::Request::received(request), origin);
            let memory = instance.state().memory().clone();
            async move {
                let answer = answer.await.unwrap_or_else(Fault::into_response);
                response::to_js(answer.checked(), &Producer::Object(&memory))
            }
        })
    }

    /// Handles a call from another object or an app written with this crate.
    pub fn call(&self, method: JsValue, arguments: JsValue, chain: JsValue) -> Answer {
        let method = method.as_string().unwrap_or_default();
        let arguments = open_parcel(&arguments);
        let chain = open_parcel(&chain);
        self.on_event(|instance| {
            let chain = if chain.is_empty() {
                Ok(CallChain::default())
            } else {
                message_pack::decode(&chain)
            };
            let result = chain
                .map_err(|message| {
                    Fault::Undecodable(format!("the call is of another version: {message}"))
                })
                .map(|chain| {
                    let origin = Origin {
                        chain: Rc::new(chain),
                        ..Origin::default()
                    };
                    instance.call(&method, arguments, origin)
                });
            async move {
                let result = match result {
                    Ok(call) => call.await,
                    Err(fault) => Err(fault),
                };
                bindings::parcel(&envelope(result))
            }
        })
    }

    /// Handles native RPC: calls method number `index` of the class from JavaScript.
    pub fn rpc(&self, index: usize, mut arguments: Vec<JsValue>) -> Answer {
        // An omitted argument equals `undefined` to a JavaScript caller.
        while arguments.last().is_some_and(JsValue::is_undefined) {
            arguments.pop();
        }
        let arguments = if arguments.is_empty() {
            Vec::new()
        } else {
            bindings::encode(arguments)?
        };
        self.on_event(|instance| {
            let name = instance
                .description()
                .methods
                .get(index)
                .map_or("", |method| method.name);
            let call = instance.call(name, arguments, Origin::default());
            async move {
                match call.await {
                    Ok(value) => bindings::decode(&value),
                    Err(fault) => Err(error_of(&fault)),
                }
            }
        })
    }

    /// Handles the platform's alarm. Its information is not needed: the object's own table has the
    /// schedules that are due, and the times for which they were set.
    pub fn alarm(&self, _info: JsValue) -> Answer {
        self.on_event(|instance| {
            // The platform does not tell which tries its storage has lost.
            let alarm = instance.alarm(LostTries::default());
            async move {
                alarm
                    .await
                    .map(|_| JsValue::UNDEFINED)
                    .map_err(|fault| thrown(&fault))
            }
        })
    }

    /// Handles a message of a hibernatable socket.
    pub fn web_socket_message(&self, socket: JsValue, message: JsValue) -> Answer {
        let message = match message.as_string() {
            Some(text) => Message::Text(text),
            None => Message::Binary(Uint8Array::new(&message).to_vec()),
        };
        self.on_socket(socket, |instance, socket| {
            instance.socket_message(socket, message)
        })
    }

    /// Handles the end of a hibernatable socket.
    pub fn web_socket_close(
        &self,
        socket: JsValue,
        code: JsValue,
        reason: JsValue,
        clean: JsValue,
    ) -> Answer {
        const NO_STATUS: u16 = 1005;
        const BROKEN: u16 = 1006;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates"
        )]
        let code = code.as_f64().map_or(NO_STATUS, |code| code as u16);
        // A peer that sent no Close gave no reason. The reason passed here is workerd's (P58).
        let reason = match code {
            BROKEN => String::new(),
            _ => reason.as_string().unwrap_or_default(),
        };
        let clean = clean.is_truthy();
        self.on_socket(socket, |instance, socket| {
            instance.socket_close(socket, code, reason, clean)
        })
    }

    /// Handles the failure of a hibernatable socket.
    pub fn web_socket_error(&self, socket: JsValue, error: JsValue) -> Answer {
        let message = message_of(&error);
        self.on_socket(socket, |instance, socket| {
            instance.socket_error(socket, message)
        })
    }

    fn on_socket<F>(
        &self,
        socket: JsValue,
        event: impl FnOnce(&Rc<Instance>, Socket) -> F,
    ) -> Answer
    where
        F: Future<Output = ()> + 'static,
    {
        self.on_event(|instance| {
            let socket = Socket::new(socket.unchecked_into(), instance.state().raw().clone());
            let handled = event(instance, socket);
            async move {
                handled.await;
                Ok(JsValue::UNDEFINED)
            }
        })
    }
}

/// Adds what to do about a class whose objects are not backed by SQLite. The platform reports this
/// at the first use of storage.
fn explained(fault: Fault, description: &Description) -> Fault {
    match fault {
        Fault::Storage(error) if error.to_string().contains("SQLite-backed") => {
            Fault::Configuration(format!(
                "`{0}` is not backed by SQLite: list \"{0}\" in `new_sqlite_classes`, not in \
                 `new_classes`, of the Wrangler configuration's migrations; a class that is \
                 deployed already needs a new name",
                description.class.name
            ))
        }
        other => other,
    }
}

impl Start {
    fn wake(&self) -> Result<Rc<Instance>, Fault> {
        let Self {
            description,
            state,
            env,
        } = self;
        let state = ObjectState::new(state.clone().unchecked_into(), env.clone())?;
        tasks::forget_former(state.memory());
        state.memory().context().enter();
        let instance = Instance::wake(description, state.clone());
        if let Some(fault) = instance.failure() {
            // Not a reset with its own message, so that the callers receive the cause.
            state.memory().take_doom();
            return Err(fault);
        }
        let weak = Rc::downgrade(&instance);
        state.memory().set_at_the_end(move || {
            if let Some(instance) = weak.upgrade() {
                drop_value(&instance);
            }
        });
        Ok(instance)
    }
}

/// Drops the object's value. If an abort ended execution inside a turn, its frames still borrow the
/// value. The value is then leaked.
fn drop_value(instance: &Instance) {
    let resident = instance.resident.try_borrow_mut();
    user_code::dispose(resident.ok().and_then(|mut resident| resident.take()));
}

/// The caller that made a request. With the flag `enable_request_signal`, the request's signal
/// tells when it disconnects.
fn caller_of(request: bindings::Request) -> Caller {
    Caller::asked(move |caller| {
        let caller = AssertUnwindSafe(caller);
        let gone = Closure::once_into_js(move || caller.leave());
        // A caller that cannot be watched never counts as disconnected.
        let _ = bindings::when_aborted(&request, &gone);
    })
}

/// Makes an exported class extend the platform's `DurableObject`, which answers RPC. Takes a
/// throw-away instance, because a Rust struct's prototype can only be reached through an instance.
///
/// # Errors
/// Fails if the platform's class does not exist.
pub fn extend_durable_object(
    instance: JsValue,
    description: &'static Description,
) -> Result<(), JsValue> {
    let is_raw = |route: &Route| route.body == BodyUse::Raw;
    let takes_raw_requests = description.routes.iter().any(is_raw);
    let largest_body = u32::try_from(MAX_JSON_BODY).unwrap_or(u32::MAX);
    bindings::extend(&instance, takes_raw_requests, largest_body)
}
