//! Bytes in place of values: stored values, arguments of calls, sessions, JSON.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use bolero::TypeGenerator;
use bolero::generator::produce;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::target;
use crate::Timestamp;
use crate::codec::message_pack;
use crate::engine::input::{Input, Source};
use crate::error::fault::Fault;

/// A piece of MessagePack that may be valid, or misstate its length.
#[derive(Clone, Debug, TypeGenerator)]
enum Piece {
    Raw(Vec<u8>),
    Integer(i64),
    Float(f64),
    Text(String),
    Nil,
    Name(Name),
    /// A container that claims this many entries.
    Claim(Container, u32),
    /// A short container.
    Open(Container, Few),
    /// Nested containers with one entry each.
    Nested(Container, u16),
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Few {
    None,
    One,
    Two,
    Three,
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Container {
    List,
    Map,
    Text,
    Bytes,
    Extension,
}

/// The field names of the types below.
#[derive(Clone, Copy, Debug, TypeGenerator)]
pub(super) enum Name {
    Count,
    Label,
    Inner,
    Leaf,
    Node,
    Kind,
    Content,
    Secs,
}

impl Name {
    fn text(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Label => "label",
            Self::Inner => "inner",
            Self::Leaf => "Leaf",
            Self::Node => "Node",
            Self::Kind => "kind",
            Self::Content => "content",
            Self::Secs => "secs",
        }
    }
}

fn bytes_of(pieces: &[Piece]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Raw(raw) => bytes.extend(raw),
            Piece::Integer(integer) => put(&mut bytes, integer),
            Piece::Float(float) => put(&mut bytes, float),
            Piece::Text(text) => put(&mut bytes, text),
            Piece::Nil => put(&mut bytes, &()),
            Piece::Name(name) => put(&mut bytes, name.text()),
            Piece::Claim(container, length) => {
                bytes.push(match container {
                    Container::List => 0xdd,
                    Container::Map => 0xdf,
                    Container::Text => 0xdb,
                    Container::Bytes => 0xc6,
                    Container::Extension => 0xc9,
                });
                bytes.extend(length.to_be_bytes());
            }
            Piece::Open(container, few) => open(&mut bytes, *container, *few as u8),
            Piece::Nested(container, times) => {
                for _ in 0..times % 1_024 {
                    open(&mut bytes, *container, 1);
                    if matches!(container, Container::Map) {
                        put(&mut bytes, "Node");
                    }
                }
            }
        }
    }
    bytes
}

fn put<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) {
    message_pack::encode_into(bytes, value).expect("plain values can be written");
}

fn open(bytes: &mut Vec<u8>, container: Container, length: u8) {
    match container {
        Container::List => bytes.push(0x90 | length),
        Container::Map => bytes.push(0x80 | length),
        Container::Text => bytes.push(0xa0 | length),
        Container::Bytes => bytes.extend([0xc4, length]),
        Container::Extension => bytes.extend([0xd4, length]),
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    #[serde(default)]
    count: u64,
    label: Option<String>,
    #[serde(default)]
    inner: Vec<Record>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Node(Box<Tree>),
    Named { count: i8, label: char },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent {
    Count(u32),
    Label(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Internal {
    Leaf,
    Inner { count: f32 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Count(u64),
    Label(String),
    Several(Vec<Untagged>),
    Record(Record),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    count: NonZeroU8,
}

#[derive(Debug, Serialize, Deserialize)]
struct Flat {
    label: String,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

/// Decodes the bytes as one type after another.
macro_rules! read_as {
    ($bytes:expr; $($type:ty),* $(,)?) => { $( read_as_one::<$type>($bytes); )* };
}

fn read_as_one<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    // Both decoders must agree on what fits.
    let foreign = message_pack::decode_foreign::<T>(bytes);
    let mut rest = bytes;
    match (message_pack::decode_next::<T>(&mut rest), foreign) {
        (Ok(value), Ok(_)) => {
            assert!(rest.len() < bytes.len(), "a value has one byte at least");
            let written = message_pack::encode(&value).expect("what was read can be written");
            let again: T = message_pack::decode(&written).expect("what was written can be read");
            let rewritten = message_pack::encode(&again).expect("what was read can be written");
            assert_eq!(rewritten, written, "{value:?}");
        }
        (Err(message), Err(misfit)) => {
            assert!(!message.is_empty() && !misfit.message.is_empty());
        }
        (read, foreign) => panic!(
            "as {}: {read:?}, but {:?}",
            std::any::type_name::<T>(),
            foreign.map_err(|misfit| misfit.message)
        ),
    }
}

target!(
    hostile_bytes_are_a_value_or_an_error,
    produce::<Vec<Piece>>(),
    |pieces| {
        let bytes = &bytes_of(pieces);
        read_as!(bytes;
            (), bool, u8, i16, u64, i64, u128, i128, f32, f64, char, String,
            Option<u32>, Vec<u8>, Vec<String>, [u16; 3], (u8, String),
            BTreeMap<String, i64>, HashMap<u64, ()>, BTreeMap<bool, Option<char>>,
            IpAddr, Duration, Timestamp, serde_json::Value,
            Record, Tree, Adjacent, Internal, Untagged, Strict, Flat,
        );
    }
);

target!(
    arguments_of_a_call_are_values_or_an_error,
    produce::<Vec<Piece>>(),
    |pieces| {
        let bytes = bytes_of(pieces);
        let mut input = Input::new(Source::Encoded { bytes, rest: 0 });
        // As in generated code, the first value that does not fit ends the call.
        let outcome = (|| {
            input.argument::<i64>(0, "by")?;
            input.argument::<Option<Record>>(1, "record")?;
            input.body::<Vec<String>>(2, "labels")?;
            input.argument::<Option<Tree>>(3, "tree")
        })();
        if let Err(fault) = outcome {
            assert!(matches!(fault, Fault::BadRequest(_)), "{fault:?}");
            let (_, _, message) = fault.summary();
            let names = ["`by`", "`record`", "`labels`", "`tree`"];
            assert!(names.iter().any(|name| message.contains(name)), "{message}");
        }
    }
);

target!(
    values_are_the_same_after_json,
    produce::<Vec<Piece>>(),
    |pieces| {
        let Ok(json) = message_pack::to_json(&bytes_of(pieces)) else {
            return;
        };
        let text = std::str::from_utf8(&json).expect("JSON is UTF-8");
        let value = message_pack::from_json(&json).expect(text);
        let again = message_pack::to_json(&value).expect(text);
        // Compared as values: an `f32` of 15 digits has an exponent, and none when it was read as
        // an `f64`.
        let read = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).expect(text);
        assert_eq!(read(&again), read(&json), "{text}");
    }
);

target!(
    json_of_strangers_is_a_value_or_an_error,
    produce::<Vec<JsonPiece>>(),
    |pieces| {
        let json: String = pieces.iter().map(JsonPiece::text).collect();
        match message_pack::from_json(json.as_bytes()) {
            Ok(bytes) => {
                let theirs: serde_json::Value = serde_json::from_str(&json).expect(&json);
                let ours: serde_json::Value = message_pack::decode(&bytes).expect(&json);
                assert_eq!(ours, theirs);
            }
            Err(_) => assert!(serde_json::from_str::<serde_json::Value>(&json).is_err()),
        }
    }
);

#[derive(Clone, Debug, TypeGenerator)]
pub(super) enum JsonPiece {
    Raw(String),
    Text(String),
    Integer(i128),
    Float(f64),
    Name(Name),
    Mark(Mark),
    Open(u8),
    Close(u8),
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
pub(super) enum Mark {
    BeginList,
    EndList,
    BeginObject,
    EndObject,
    Comma,
    Colon,
    Null,
    True,
    Surrogate,
}

impl JsonPiece {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Raw(raw) => raw.clone(),
            Self::Text(text) => serde_json::to_string(text).unwrap_or_default(),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(float) => format!("{float:e}"),
            Self::Name(name) => format!("\"{}\":", name.text()),
            Self::Open(times) => "[".repeat(usize::from(*times)),
            Self::Close(times) => "]".repeat(usize::from(*times)),
            Self::Mark(mark) => match mark {
                Mark::BeginList => "[",
                Mark::EndList => "]",
                Mark::BeginObject => "{",
                Mark::EndObject => "}",
                Mark::Comma => ",",
                Mark::Colon => ":",
                Mark::Null => "null",
                Mark::True => "true",
                Mark::Surrogate => "\"\\ud800\"",
            }
            .to_owned(),
        }
    }
}
