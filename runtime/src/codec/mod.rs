//! Encodings of values: MessagePack between objects and in storage, text in paths and queries.

pub(crate) mod message_pack;
pub(crate) mod text;
