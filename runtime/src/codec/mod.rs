//! Encodings of values: MessagePack for storage and calls, text for paths and queries.

pub(crate) mod message_pack;
pub(crate) mod text;
