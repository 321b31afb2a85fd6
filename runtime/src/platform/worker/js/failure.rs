//! Failures across the boundary: JavaScript exceptions become faults, and faults are thrown as
//! errors.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use super::bindings;
use crate::codec::message_pack;
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::limits::TOO_BIG;
use crate::platform::sql_message::without_code;

/// Returns the message of a JavaScript exception, for people.
pub(in super::super) fn message_of(error: &JsValue) -> String {
    property(error, "message")
        .and_then(|message| message.as_string())
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "the platform threw something that is not an error".to_owned())
}

pub(in super::super) fn storage_error(error: &JsValue) -> StorageError {
    let message = message_of(error);
    match property(error, "name")
        .and_then(|name| name.as_string())
        .as_deref()
    {
        Some("TypeError" | "RangeError") => StorageError::Usage(message),
        _ => StorageError::Io(message),
    }
}

/// Returns why a statement failed, in SQLite's words, without the result code that workerd adds.
pub(in super::super) fn sql_error(error: &JsValue, parameters: usize) -> StorageError {
    let message = message_of(error);
    if message.starts_with("Wrong number of parameter bindings") {
        return StorageError::Usage(format!(
            "the statement has another number of parameters than the {parameters} that were given"
        ));
    }
    let (said, code) = without_code(&message);
    if code.starts_with("TOOBIG") {
        return StorageError::Limit(TOO_BIG.to_owned());
    }
    StorageError::Sql(said.to_owned())
}

/// The beginning of the platform's message when a constraint failed at the commit, which reset the
/// object (P51).
const VIOLATED: &str = "Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: ";

/// Returns why a call or request to another object failed, from the properties that the platform
/// sets (P67).
pub(in super::super) fn fault_of(error: &JsValue) -> Fault {
    if let Some(fault) = carried_fault(error) {
        return fault;
    }
    let message = message_of(error);
    if let Some(said) = message.strip_prefix(VIOLATED) {
        // The platform marks it as retryable, but the same writes would fail again.
        let (said, _) = without_code(said);
        return Fault::Storage(StorageError::Sql(said.to_owned()));
    }
    let is = |flag| property(error, flag).is_some_and(|value| value.is_truthy());
    let is_trap = property(error, "name").is_some_and(|name| name == "RuntimeError");
    if is("overloaded") {
        Fault::Overloaded(message)
    } else if is("durableObjectReset") || is_trap {
        Fault::Reset(message)
    } else if message.starts_with("The RPC receiver does not implement") {
        Fault::NoSuchMethod("the object is not an anchorhold object".to_owned())
    } else if message.starts_with("Serialized RPC arguments") {
        Fault::TooLarge(message)
    } else {
        Fault::Disconnected(message)
    }
}

/// Returns the fault of an object that threw one as [`thrown`] made it.
fn carried_fault(error: &JsValue) -> Option<Fault> {
    let bytes = property(error, "anchorholdFault")?
        .dyn_into::<Uint8Array>()
        .ok()?;
    message_pack::decode(&bytes.to_vec()).ok()
}

/// Returns the error for a JavaScript caller of a method: `name` and `code` for programs, `message`
/// for people.
pub(in super::super) fn error_of(fault: &Fault) -> JsValue {
    make(fault, None)
}

/// Like [`error_of`], for errors that the platform passes to callers written with this crate.
pub(in super::super) fn thrown(fault: &Fault) -> JsValue {
    make(
        fault,
        message_pack::encode(fault)
            .ok()
            .map(|bytes| Uint8Array::from(bytes.as_slice())),
    )
}

fn make(fault: &Fault, carried: Option<Uint8Array>) -> JsValue {
    let (status, code, message) = fault.summary();
    let flag = match fault {
        Fault::Overloaded(_) => Some("overloaded"),
        Fault::Reset(_) | Fault::Panicked => Some("durableObjectReset"),
        Fault::Disconnected(_) => Some("retryable"),
        _ => None,
    };
    bindings::failure(code, &message, status, flag, carried)
}

fn property(error: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(error, &JsValue::from_str(name))
        .ok()
        .filter(|value| !value.is_undefined())
}
