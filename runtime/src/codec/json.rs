//! Reads and writes JSON without a loss: what is written can be read.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Serializer;
use serde_json::error::Category;
use serde_json::ser::{CompactFormatter, Formatter};

use super::message_pack::{self, Misfit};

/// Decodes one untrusted value, which must be all of `json`. An error names the field.
pub(crate) fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, Misfit> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = message_pack::deserialize_by_name(&mut deserializer);
    let whole = value.and_then(|value| deserializer.end().map(|()| value));
    // The location of an error is found by decoding a second time, so that valid values are
    // decoded at full speed.
    whole.map_err(|error| {
        let json = &mut serde_json::Deserializer::from_slice(json);
        let located = is_misfit(&error).then(|| message_pack::located::<T, _>(json, readable));
        let whole = || Misfit::whole(readable(&error));
        located.flatten().unwrap_or_else(whole)
    })
}

/// Returns `true` if the JSON is not a value of the type. For `serde_json`, a key that is not a number
/// and a text in place of an integer of 128 bits are mistakes of syntax.
fn is_misfit(error: &serde_json::Error) -> bool {
    let message = error.to_string();
    error.classify() == Category::Data
        || message.starts_with("invalid value: ")
        || message.starts_with("invalid number ")
}

/// A value of the wrong type is found by its field. Its line and column are left out.
fn readable(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) if is_misfit(error) => message[..end].to_owned(),
        _ => message,
    }
}

/// Encodes a value. NaN and the infinities are errors that name the field. `serde_json` would write
/// `null`.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    let mut json = Vec::with_capacity(128);
    let mut nulls = Nulls {
        compact: CompactFormatter,
        written: false,
    };
    value
        .serialize(&mut Serializer::with_formatter(&mut json, &mut nulls))
        .map_err(|error| error.to_string())?;
    if nulls.written {
        message_pack::check_finite(value)?;
    }
    Ok(json)
}

/// As [`encode`], as text.
pub(crate) fn encode_text<T: Serialize + ?Sized>(value: &T) -> Result<String, String> {
    String::from_utf8(encode(value)?).map_err(|error| error.to_string())
}

/// Notices a `null`, which may stand for a number that is not finite.
struct Nulls {
    compact: CompactFormatter,
    written: bool,
}

impl Formatter for &mut Nulls {
    fn write_null<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.written = true;
        self.compact.write_null(writer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Wide {
        large: u128,
        small: i128,
        counts: BTreeMap<u64, bool>,
        flags: BTreeMap<bool, i8>,
    }

    #[test]
    fn written_value_is_read() {
        let wide = Wide {
            large: u128::MAX,
            small: i128::MIN,
            counts: BTreeMap::from([(u64::MAX, true)]),
            flags: BTreeMap::from([(false, -1)]),
        };
        let json = encode(&wide).unwrap();
        assert_eq!(decode::<Wide>(&json).ok(), Some(wide));
    }

    #[test]
    fn number_that_json_cannot_represent_names_its_field() {
        let ratios = HashMap::from([("all", vec![None, Some(1.0), Some(f64::NAN)])]);
        assert_eq!(
            encode(&ratios).unwrap_err(),
            "`all[2]`: NaN has no form in JSON"
        );
        assert_eq!(
            encode(&f32::INFINITY).unwrap_err(),
            "infinity has no form in JSON"
        );
        assert_eq!(encode(&[None::<f64>]).unwrap(), b"[null]");
    }

    #[test]
    fn number_out_of_range_is_refused() {
        let error = |json: &[u8]| decode::<f32>(json).unwrap_err().message;
        assert_eq!(error(b"1e39"), "number out of range at line 1 column 4");
        assert_eq!(error(b"1e999"), "number out of range at line 1 column 5");
        assert_eq!(decode::<f32>(b"3e38").ok(), Some(3e38));
    }

    #[test]
    fn wrong_type_has_no_line() {
        let misfit = decode::<Vec<u64>>(b"[1, \"x\"]").unwrap_err();
        assert_eq!(misfit.field.as_deref(), Some("[1]"));
        assert_eq!(misfit.message, "invalid type: string \"x\", expected u64");
        let misfit = decode::<Wide>(br#"{"counts": {"x": true}}"#).unwrap_err();
        assert_eq!(misfit.field.as_deref(), Some("counts"));
        assert_eq!(
            misfit.message,
            "invalid value: expected key to be a number in quotes"
        );
        assert!(decode::<u64>(b"1 2").is_err());
    }
}
