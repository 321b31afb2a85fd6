//! The one encoding of values: MessagePack with field names.
//!
//! Stored fields, RPC arguments and results, attachments and alarm payloads all use it, so a value
//! has the same meaning everywhere. Names are written, so a struct may gain and lose fields between
//! the version that wrote and the version that reads. Types with two serialised forms (identifiers,
//! addresses, dates) use the human-readable one, as in JSON. A result can be converted to JSON
//! without its type.

mod by_name;
mod nesting;

use serde::Serialize;
use serde::de::DeserializeOwned;

use by_name::ByName;
use nesting::{MAX_DEPTH, is_too_deep};

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, value)?;
    Ok(bytes)
}

pub(crate) fn encode_into<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    value: &T,
) -> Result<(), String> {
    let before = bytes.len();
    let mut serializer = rmp_serde::Serializer::new(&mut *bytes)
        .with_struct_map()
        .with_human_readable();
    value
        .serialize(&mut serializer)
        .map_err(|error| error.to_string())?;
    // A value that could not be decoded again must not be written either.
    check_depth(&bytes[before..])
}

fn check_depth(bytes: &[u8]) -> Result<(), String> {
    if is_too_deep(bytes) {
        return Err(too_deep());
    }
    Ok(())
}

fn too_deep() -> String {
    format!("the value nests deeper than {MAX_DEPTH} levels")
}

/// Decodes one value, which must be all of `bytes`. An error names the field inside it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut rest = bytes;
    let value = decode_next(&mut rest).map_err(|message| {
        // The location of an error is found by decoding a second time, so that valid values are
        // decoded at full speed.
        match decode_foreign::<T>(bytes) {
            Err(Misfit {
                field: Some(field),
                message,
            }) => format!("`{field}`: {message}"),
            _ => message,
        }
    })?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(format!("{} bytes are left over", rest.len()))
    }
}

/// The reason why a received value does not fit: the field, as in `author.name` (unless it is the
/// whole value), and its error.
pub(crate) struct Misfit {
    pub(crate) field: Option<String>,
    pub(crate) message: String,
}

/// Decodes one untrusted value. An error names the field.
pub(crate) fn decode_foreign<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Misfit> {
    check_depth(bytes).map_err(|message| Misfit {
        field: None,
        message,
    })?;
    let mut deserializer = rmp_serde::Deserializer::new(bytes).with_human_readable();
    deserializer.set_max_depth(MAX_DEPTH);
    serde_path_to_error::deserialize(ByName(&mut deserializer)).map_err(|error| {
        let message = readable(error.inner());
        let depth = error.path().iter().len();
        // The message already names a field that is unknown.
        let whole = depth == 0 || depth == 1 && message.starts_with("unknown field");
        Misfit {
            field: (!whole).then(|| error.path().to_string()),
            message,
        }
    })
}

/// Decodes the value at the front of `bytes` and advances past it. The arguments of a call are
/// values written one after another.
pub(crate) fn decode_next<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, String> {
    check_depth(bytes)?;
    let mut deserializer = rmp_serde::Deserializer::new(bytes).with_human_readable();
    deserializer.set_max_depth(MAX_DEPTH);
    T::deserialize(ByName(&mut deserializer)).map_err(|error| readable(&error))
}

/// Converts JSON text to the encoding.
pub(crate) fn from_json(json: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(json.len());
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes)
        .with_struct_map()
        .with_human_readable();
    serde_transcode::transcode(&mut deserializer, &mut serializer)
        .map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The encoding of `null`.
pub(crate) const NIL: &[u8] = &[0xc0];

/// Converts an encoded value to JSON.
pub(crate) fn to_json(bytes: &[u8]) -> Result<Vec<u8>, String> {
    next_to_json(&mut &*bytes)
}

/// Converts the value at the front of `bytes` to JSON, and advances past it.
pub(crate) fn next_to_json(bytes: &mut &[u8]) -> Result<Vec<u8>, String> {
    let mut json = Vec::with_capacity(bytes.len() + bytes.len() / 2 + 8);
    let mut deserializer = rmp_serde::Deserializer::new(bytes).with_human_readable();
    deserializer.set_max_depth(MAX_DEPTH);
    let mut serializer = serde_json::Serializer::new(&mut json);
    serde_transcode::transcode(&mut deserializer, &mut serializer)
        .map_err(|error| error.to_string())?;
    Ok(json)
}

fn readable(error: &rmp_serde::decode::Error) -> String {
    use rmp_serde::decode::Error;
    match error {
        // The crate's message is for its own users ("wrong msgpack marker").
        Error::TypeMismatch(found) => format!("the value is {}", kind(*found)),
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => {
            "the value is cut short".to_owned()
        }
        Error::DepthLimitExceeded => too_deep(),
        // serde's message is for Rust programmers.
        Error::Syntax(message) | Error::Uncategorized(message) => {
            message.replace("invalid type: unit value", "invalid type: null")
        }
        other => other.to_string(),
    }
}

fn kind(marker: rmp::Marker) -> &'static str {
    use rmp::Marker;
    match marker {
        Marker::Null => "null",
        Marker::True | Marker::False => "a boolean",
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => "text",
        Marker::F32 | Marker::F64 => "a number with a fraction",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "a list",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "an object",
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "bytes",
        _ => "a whole number",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Unit,
        One(f64),
        Named { x: u64, y: Option<String> },
    }

    #[test]
    fn values_survive_the_way_there_and_back() {
        let shapes = vec![
            Shape::Unit,
            Shape::One(0.1),
            Shape::Named {
                x: u64::MAX,
                y: Some("ü\0\u{10ffff}".to_owned()),
            },
        ];
        assert_eq!(
            decode::<Vec<Shape>>(&encode(&shapes).unwrap()).unwrap(),
            shapes
        );
    }

    #[test]
    fn json_is_what_serde_json_would_have_written() {
        let value = (
            Shape::Named {
                x: 1 << 60,
                y: None,
            },
            Ipv4Addr::LOCALHOST,
            BTreeMap::from([("a", -5), ("b", i64::MIN.try_into().unwrap_or(i32::MIN))]),
        );
        let json = to_json(&encode(&value).unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            serde_json::to_string(&value).unwrap()
        );
    }

    #[test]
    fn float_that_comes_as_json_is_exact() {
        for float in [0.1 + 0.2, 1.807_872_510_037_100_6e-308, f64::MAX, -5e-324] {
            let json = serde_json::to_vec(&float).unwrap();
            let read: f64 = decode(&from_json(&json).unwrap()).unwrap();
            assert_eq!(read.to_bits(), float.to_bits(), "{float}");
        }
    }

    #[test]
    fn a_struct_may_gain_and_lose_fields() {
        #[derive(Serialize)]
        struct Old {
            kept: u8,
            _dropped: u8,
        }
        #[derive(Deserialize)]
        struct New {
            kept: u8,
            #[serde(default)]
            added: u8,
        }
        let new: New = decode(
            &encode(&Old {
                kept: 1,
                _dropped: 2,
            })
            .unwrap(),
        )
        .unwrap();
        assert_eq!((new.kept, new.added), (1, 0));
    }

    #[test]
    fn stored_value_that_no_longer_fits_names_the_field() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct Inner {
            count: u64,
        }
        let stored = from_json(br#"{"a": [{"count": 1}, {"count": "x"}]}"#).unwrap();
        assert_eq!(
            decode::<BTreeMap<String, Vec<Inner>>>(&stored).unwrap_err(),
            "`a[1].count`: the value is text"
        );
    }

    #[test]
    fn a_misfit_names_the_field() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only read")]
        struct Inner {
            count: u64,
        }
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only read")]
        struct Outer {
            name: String,
            inner: Vec<Inner>,
        }
        for (json, field, message) in [
            (r#"{"inner": []}"#, None, "missing field `name`"),
            (
                r#"{"name": 5, "inner": []}"#,
                Some("name"),
                "invalid type: integer `5`, expected a string",
            ),
            (
                r#"{"name": null, "inner": []}"#,
                Some("name"),
                "invalid type: null, expected a string",
            ),
            (
                r#"{"name": "", "inner": [{"count": 1}, {"count": "x"}]}"#,
                Some("inner[1].count"),
                "the value is text",
            ),
            (
                r#"{"name": "", "inner": [{}]}"#,
                Some("inner[0]"),
                "missing field `count`",
            ),
            (
                r#"{"name": "", "outer": 1}"#,
                None,
                "unknown field `outer`, expected `name` or `inner`",
            ),
            ("[1]", None, "the value is a list, expected an object"),
            (
                r#"{"name": "", "inner": [[1]]}"#,
                Some("inner[0]"),
                "the value is a list, expected an object",
            ),
        ] {
            let misfit = decode_foreign::<Outer>(&from_json(json.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(
                (misfit.field.as_deref(), misfit.message.as_str()),
                (field, message),
                "{json}"
            );
        }
    }

    #[test]
    fn list_in_place_of_an_object_is_refused() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Point(u64, u64);
        #[derive(Debug, PartialEq, Deserialize)]
        struct Line {
            from: Point,
            #[serde(default)]
            label: String,
        }
        fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
            decode_next(&mut &*from_json(json.as_bytes()).unwrap())
        }
        let line = Line {
            from: Point(1, 2),
            label: String::new(),
        };
        assert_eq!(read(r#"{"from": [1, 2]}"#), Ok(line));
        let refused = "the value is a list, expected an object";
        assert_eq!(read::<Line>("[[1, 2]]").unwrap_err(), refused);
        assert_eq!(read::<Option<Line>>("[[1, 2]]").unwrap_err(), refused);
        assert_eq!(
            read::<(u8, Box<Line>)>("[1, [[1, 2]]]").unwrap_err(),
            refused
        );
        assert_eq!(
            read::<Shape>(r#"{"Named": [1, null]}"#).unwrap_err(),
            refused
        );
        assert_eq!(read(r#"{"One": 1.5}"#), Ok(Shape::One(1.5)));
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Tree {
        Leaf,
        Node(Box<Tree>),
        Fork(Vec<Tree>),
    }

    fn nested(levels: usize) -> Tree {
        (0..levels).fold(Tree::Leaf, |inner, _| Tree::Node(Box::new(inner)))
    }

    #[test]
    fn recursive_enum_is_followed_to_the_limit_and_not_to_the_end_of_the_stack() {
        let deepest = nested(MAX_DEPTH - 1);
        assert_eq!(decode(&encode(&deepest).unwrap()), Ok(deepest));
        let mut bytes = Vec::new();
        for _ in 0..100_000 {
            bytes.extend(b"\x81\xa4Node");
        }
        bytes.extend(b"\xa4Leaf");
        let error = decode::<Tree>(&bytes).unwrap_err();
        assert_eq!(error, "the value nests deeper than 128 levels");
        assert_eq!(decode_foreign::<Tree>(&bytes).unwrap_err().message, error);
    }

    #[test]
    fn value_that_is_too_deep_to_be_read_is_not_written() {
        let wide = Tree::Fork((0..1_000).map(|_| Tree::Leaf).collect());
        assert_eq!(decode(&encode(&wide).unwrap()), Ok(wide));
        assert!(encode(&nested(MAX_DEPTH)).is_err());
        let list = (0..MAX_DEPTH).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        assert!(encode(&list).is_err());
        assert!(encode(&list[0]).is_ok());
    }

    #[test]
    fn bytes_behind_the_value_are_an_error_and_not_ignored() {
        let mut bytes = encode(&7).unwrap();
        bytes.extend([1, 2]);
        assert_eq!(
            decode::<u8>(&bytes),
            Err("2 bytes are left over".to_owned())
        );
    }

    #[test]
    fn hostile_bytes_are_refused_and_not_believed() {
        // An array that claims four billion elements, and unbounded nesting.
        assert!(decode::<Vec<u8>>(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
        let deep = vec![0x91; 100_000];
        assert!(to_json(&deep).is_err());
        assert!(from_json("[".repeat(100_000).as_bytes()).is_err());
        assert_eq!(
            decode::<i64>(&encode("x").unwrap()).unwrap_err(),
            "the value is text"
        );
    }
}
