//! Values that another version of a type wrote.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bolero::TypeGenerator;
use bolero::generator::produce;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::target;
use crate::codec::message_pack;

#[derive(Clone, Debug, Serialize, Deserialize, TypeGenerator)]
struct First {
    name: String,
    count: u32,
}

/// A field was added, and another can hold more.
#[derive(Clone, Debug, Serialize, Deserialize, TypeGenerator)]
struct Second {
    name: String,
    count: u64,
    #[serde(default)]
    tags: Vec<String>,
}

/// A field may be missing, and others have another type.
#[derive(Clone, Debug, Serialize, Deserialize, TypeGenerator)]
struct Third {
    name: Option<String>,
    #[serde(default)]
    count: i8,
    #[serde(default)]
    level: Level,
    #[serde(default)]
    tags: BTreeMap<String, u32>,
}

/// Fields were removed, and one became a separate struct.
#[derive(Clone, Debug, Serialize, Deserialize, TypeGenerator)]
struct Fourth {
    count: f64,
    #[serde(default)]
    owner: Option<First>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, TypeGenerator)]
enum Level {
    #[default]
    Low,
    High,
}

#[derive(Clone, Debug, Serialize, Deserialize, TypeGenerator)]
enum Shape {
    Low,
    High,
    Circle(f64),
    Named { name: String },
}

#[derive(Clone, Debug, Serialize, Deserialize, TypeGenerator)]
#[serde(untagged)]
enum Either {
    Number(i64),
    Text(String),
}

/// Any value that an earlier version may have written.
#[derive(Clone, Debug, TypeGenerator)]
enum Written {
    First(First),
    Second(Second),
    Third(Third),
    Fourth(Fourth),
    Level(Level),
    Shape(Shape),
    Either(Either),
    Unit,
    Bool(bool),
    Small(u8),
    Signed(i64),
    Large(u64),
    Single(f32),
    Double(f64),
    Letter(char),
    Text(String),
    Numbers(Vec<u16>),
    Texts(Vec<String>),
    Map(BTreeMap<String, u32>),
    Firsts(Vec<First>),
    Pair(String, u32),
    Maybe(Option<u32>),
}

impl Written {
    fn bytes(&self) -> Vec<u8> {
        let bytes = match self {
            Self::First(value) => message_pack::encode(value),
            Self::Second(value) => message_pack::encode(value),
            Self::Third(value) => message_pack::encode(value),
            Self::Fourth(value) => message_pack::encode(value),
            Self::Level(value) => message_pack::encode(value),
            Self::Shape(value) => message_pack::encode(value),
            Self::Either(value) => message_pack::encode(value),
            Self::Unit => message_pack::encode(&()),
            Self::Bool(value) => message_pack::encode(value),
            Self::Small(value) => message_pack::encode(value),
            Self::Signed(value) => message_pack::encode(value),
            Self::Large(value) => message_pack::encode(value),
            Self::Single(value) => message_pack::encode(value),
            Self::Double(value) => message_pack::encode(value),
            Self::Letter(value) => message_pack::encode(value),
            Self::Text(value) => message_pack::encode(value),
            Self::Numbers(value) => message_pack::encode(value),
            Self::Texts(value) => message_pack::encode(value),
            Self::Map(value) => message_pack::encode(value),
            Self::Firsts(value) => message_pack::encode(value),
            Self::Pair(name, count) => message_pack::encode(&(name, count)),
            Self::Maybe(value) => message_pack::encode(value),
        };
        bytes.expect("plain values can be written")
    }
}

fn json(bytes: &[u8]) -> Value {
    let json = message_pack::to_json(bytes).expect("these values have a form in JSON");
    serde_json::from_slice(&json).expect("JSON is well formed")
}

/// Returns `true` if `read` contains only what was written, except for defaults of missing fields.
fn follows(read: &Value, written: &Value) -> bool {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => {
            read.iter().all(|(key, value)| match written.get(key) {
                Some(before) => follows(value, before),
                None => is_default(value),
            })
        }
        (Value::Array(read), Value::Array(written)) => {
            read.len() == written.len()
                && read
                    .iter()
                    .zip(written)
                    .all(|(read, written)| follows(read, written))
        }
        // A float accepts an integer, within its precision.
        (Value::Number(read), Value::Number(written)) => {
            read == written || (read.is_f64() && nearly(read.as_f64(), written.as_f64()))
        }
        // A known weakness that would be expensive to change: serde's derived code also accepts an
        // enum's variant by its number and a struct's fields by their order, because other formats
        // need it.
        (Value::String(variant), Value::Number(number)) => {
            number.as_u64().is_some_and(|number| match number {
                0 => variant == "Low",
                1 => variant == "High",
                _ => false,
            })
        }
        (Value::Object(read), Value::Array(written)) => read
            .values()
            .all(|value| is_default(value) || written.iter().any(|before| follows(value, before))),
        (read, written) => read == written,
    }
}

/// Compares with the precision of the shorter float: JSON has only as many digits as are needed to
/// distinguish one from another.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the precision of `f32` is asked for"
)]
fn nearly(read: Option<f64>, written: Option<f64>) -> bool {
    let (Some(read), Some(written)) = (read, written) else {
        return false;
    };
    read as f32 == written as f32
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text == "Low",
        Value::Array(entries) => entries.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(bool) => !bool,
    }
}

fn read_as<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8], written: &Value) {
    match message_pack::decode::<T>(bytes) {
        Ok(value) => {
            let read = json(&message_pack::encode(&value).expect("what was read can be written"));
            assert!(
                follows(&read, written),
                "{written} was read as {value:?}, a {}",
                std::any::type_name::<T>()
            );
        }
        Err(message) => assert!(!message.is_empty()),
    }
}

target!(
    value_of_another_shape_is_itself_or_an_error,
    produce::<Written>(),
    |written| {
        let bytes = written.bytes();
        let before = &json(&bytes);
        read_as::<First>(&bytes, before);
        read_as::<Second>(&bytes, before);
        read_as::<Third>(&bytes, before);
        read_as::<Fourth>(&bytes, before);
        read_as::<Level>(&bytes, before);
        read_as::<Shape>(&bytes, before);
        read_as::<Either>(&bytes, before);
        read_as::<bool>(&bytes, before);
        read_as::<u8>(&bytes, before);
        read_as::<i64>(&bytes, before);
        read_as::<u64>(&bytes, before);
        read_as::<f64>(&bytes, before);
        read_as::<char>(&bytes, before);
        read_as::<String>(&bytes, before);
        read_as::<Vec<u16>>(&bytes, before);
        read_as::<Vec<String>>(&bytes, before);
        read_as::<Vec<u8>>(&bytes, before);
        read_as::<BTreeMap<String, u32>>(&bytes, before);
        read_as::<Vec<First>>(&bytes, before);
        read_as::<(String, u32)>(&bytes, before);
        read_as::<Option<u32>>(&bytes, before);
        read_as::<Option<First>>(&bytes, before);
        read_as::<[u16; 2]>(&bytes, before);
    }
);
