//! Bindings of the deployment, and the namespaces among them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use js_sys::Reflect;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::bindings;
use super::failure::message_of;
use super::remote::{Address, Remote};
use super::response::RawResponse;
use super::timer::Sleep;
use crate::description::Description;
use crate::fault::Fault;
use crate::http::{Request, Response};
use crate::id::{InvalidId, Placement, RawId};
use crate::turn::LocalFuture;

/// The bindings of the deployment.
#[derive(Clone)]
pub(crate) struct Env(Rc<JsValue>);

impl Env {
    pub(super) fn new(env: JsValue) -> Self {
        Self(Rc::new(env))
    }

    pub(super) fn raw(&self) -> &JsValue {
        &self.0
    }

    pub(super) fn binding(&self, name: &str) -> Option<JsValue> {
        Reflect::get(&self.0, &JsValue::from_str(name))
            .ok()
            .filter(JsValue::is_object)
    }

    pub(crate) fn namespace(&self, description: &'static Description) -> Result<Namespace, Fault> {
        known_namespace(description, || {
            self.binding(description.binding).ok_or_else(|| {
                Fault::Configuration(format!(
                    "the Wrangler configuration binds no `{}`: add {{\"name\": \"{}\", \"class_name\": \"{}\"}} to durable_objects.bindings",
                    description.binding, description.binding, description.class
                ))
            })
        })
    }

    pub(crate) fn var(&self, name: &str) -> Option<String> {
        Reflect::get(&self.0, &JsValue::from_str(name))
            .ok()?
            .as_string()
    }

    pub(crate) fn now(&self) -> i64 {
        super::now()
    }

    /// A request to the outside world; the platform's gate holds it (P6).
    #[expect(
        clippy::unused_self,
        reason = "on the other host the way out depends on who asks"
    )]
    pub(crate) fn fetch(&self, request: Request) -> LocalFuture<'static, Result<Response, Fault>> {
        let sent = request
            .inner
            .to_outgoing()
            .and_then(|request| bindings::fetch(&request).map_err(|error| disconnected(&error)));
        Box::pin(async move {
            let answer = JsFuture::from(sent?)
                .await
                .map_err(|error| disconnected(&error))?;
            Ok(RawResponse::new(answer.unchecked_into()).into_response())
        })
    }

    pub(crate) fn sleep(&self, duration: Duration) -> LocalFuture<'static, ()> {
        Box::pin(Sleep::new(duration))
    }
}

fn disconnected(error: &JsValue) -> Fault {
    Fault::Disconnected(message_of(error))
}

/// A namespace is the same for every request and object of an isolate, so each is looked up once.
fn known_namespace(
    description: &'static Description,
    find: impl FnOnce() -> Result<JsValue, Fault>,
) -> Result<Namespace, Fault> {
    thread_local! {
        static KNOWN: RefCell<Vec<(&'static Description, Namespace)>> = const { RefCell::new(Vec::new()) };
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some((_, namespace)) = known
            .iter()
            .find(|(other, _)| std::ptr::eq(*other, description))
        {
            return Ok(namespace.clone());
        }
        let namespace = Namespace(find()?.unchecked_into());
        known.push((description, namespace.clone()));
        Ok(namespace)
    })
}

/// The objects of one class.
#[derive(Clone)]
pub(crate) struct Namespace(pub(super) bindings::Namespace);

impl Namespace {
    pub(super) fn id_for_name(&self, name: &str) -> RawId {
        raw_id(&self.0.id_from_name(name))
    }

    pub(crate) fn unique_id(&self) -> RawId {
        raw_id(&self.0.new_unique_id())
    }

    pub(crate) fn parse_id(&self, hex: &str) -> Result<RawId, InvalidId> {
        let id = RawId::from_hex(hex).ok_or(InvalidId::NotHex)?;
        self.0
            .id_from_string(hex)
            .map(|_| id)
            .map_err(|_| InvalidId::Foreign)
    }

    pub(crate) fn by_name(&self, name: &str, options: &Placement) -> Remote {
        Remote::new(
            self.clone(),
            Address::Name(name.to_owned()),
            options.clone(),
        )
    }

    pub(crate) fn by_id(&self, id: RawId, options: &Placement) -> Remote {
        Remote::new(self.clone(), Address::Id(id), options.clone())
    }
}

pub(super) fn raw_id(id: &bindings::Id) -> RawId {
    // The platform prints 64 hexadecimal digits (P70); no object has the identifier of zeros.
    RawId::from_hex(&id.hex()).unwrap_or(RawId([0; 32]))
}
