//! The one encoding of values: MessagePack with field names.
//!
//! Stored fields, RPC arguments and results, attachments and alarm payloads all use it, so that a
//! value means the same wherever it travels. Names are written out, so a struct may gain and lose
//! fields between the version that wrote and the version that reads. It is the human-readable
//! flavour: types with two forms (identifiers, addresses, dates) are text here as in JSON, and a
//! result turns into JSON without knowing its type.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How deep a value may nest: the bound of `serde_json`, so that both entrances refuse the same.
const MAX_DEPTH: usize = 128;

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, value)?;
    Ok(bytes)
}

pub(crate) fn encode_into<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> Result<(), String> {
    let mut serializer = rmp_serde::Serializer::new(bytes).with_struct_map().with_human_readable();
    value.serialize(&mut serializer).map_err(|error| error.to_string())
}

/// Reads one value, which must be all there is.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut rest = bytes;
    let value = decode_next(&mut rest)?;
    if rest.is_empty() { Ok(value) } else { Err(format!("{} bytes are left over", rest.len())) }
}

/// Reads the value at the front of `bytes` and moves on behind it: the arguments of a call are
/// values written one after another.
pub(crate) fn decode_next<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, String> {
    let mut deserializer = rmp_serde::Deserializer::new(bytes).with_human_readable();
    deserializer.set_max_depth(MAX_DEPTH);
    T::deserialize(&mut deserializer).map_err(|error| readable(&error))
}

/// Converts JSON text to the encoding.
pub(crate) fn from_json(json: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(json.len());
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_human_readable();
    serde_transcode::transcode(&mut deserializer, &mut serializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The value `null`, as MessagePack writes it.
pub(crate) const NIL: &[u8] = &[0xc0];

/// Writes an encoded value as JSON.
pub(crate) fn to_json(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut json = Vec::with_capacity(bytes.len() + bytes.len() / 2 + 8);
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest).with_human_readable();
    deserializer.set_max_depth(MAX_DEPTH);
    let mut serializer = serde_json::Serializer::new(&mut json);
    serde_transcode::transcode(&mut deserializer, &mut serializer).map_err(|error| error.to_string())?;
    Ok(json)
}

fn readable(error: &rmp_serde::decode::Error) -> String {
    use rmp_serde::decode::Error;
    match error {
        // The crate words this one for its own readers ("wrong msgpack marker").
        Error::TypeMismatch(_) => "the value has another type".to_owned(),
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => "the value is cut short".to_owned(),
        Error::DepthLimitExceeded => format!("the value nests deeper than {MAX_DEPTH} levels"),
        Error::Syntax(message) | Error::Uncategorized(message) => message.clone(),
        other => other.to_string(),
    }
}
