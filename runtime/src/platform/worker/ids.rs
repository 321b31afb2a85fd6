//! The platform's identifiers.

use super::js::bindings;
use crate::object::id::RawId;

pub(super) fn raw_id(id: &bindings::Id) -> RawId {
    // The platform prints 64 hexadecimal digits (P70). No object has the identifier of all zeros.
    RawId::from_hex(&id.hex()).unwrap_or(RawId([0; 32]))
}
