//! The arguments of an outgoing call.

use serde::Serialize;

use crate::codec::message_pack;

/// Builds the arguments of a call: one encoded value after another. The first value that fails to
/// serialise fails the call.
#[allow(missing_docs, reason = "the vocabulary of generated code")]
pub struct Arguments {
    pub(crate) bytes: Result<Vec<u8>, String>,
}

#[allow(missing_docs, reason = "the vocabulary of generated code")]
impl Arguments {
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self {
            bytes: Ok(Vec::with_capacity(count * 8)),
        }
    }

    pub fn push<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        if let Ok(bytes) = &mut self.bytes
            && let Err(message) = message_pack::encode_into(bytes, value)
        {
            self.bytes = Err(format!("argument `{name}` cannot be encoded: {message}"));
        }
    }
}
