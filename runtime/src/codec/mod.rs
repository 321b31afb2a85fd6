//! Encodings of values: MessagePack for storage and calls, JSON for clients, text for paths and
//! queries.

pub(crate) mod json;
pub(crate) mod message_pack;
pub(crate) mod text;
