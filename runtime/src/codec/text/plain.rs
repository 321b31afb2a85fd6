//! Parses one value from its text, or a list from the texts of a repeated name.

use std::fmt::Display;

use serde::de::value::{Error, SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::wrappers::{Wrappers, read_what_is_inside};

/// The requested type decides how the text is parsed, because text has no types: `5` is a number
/// for an `i64` and a text for a `String`.
///
/// `texts` are the values of one name, in their order. A list takes all of them. Any other type takes
/// the only one. Without a value a list is empty, and an `Option` is `None`.
pub(crate) fn decode<T: DeserializeOwned>(texts: &[&str]) -> Result<T, String> {
    T::deserialize(Text::new(texts)).map_err(|error| error.to_string())
}

#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    texts: &'a [&'a str],
    wrappers: Wrappers,
}

impl<'a> Text<'a> {
    pub(super) fn new(texts: &'a [&'a str]) -> Self {
        Self {
            texts,
            wrappers: Wrappers::NONE,
        }
    }

    fn only(&self) -> Result<&'a str, Error> {
        match self.texts {
            [text] => Ok(text),
            [] => Err(Error::custom("it is missing")),
            texts => Err(Error::custom(format!(
                "it is given {} times, and takes one value",
                texts.len()
            ))),
        }
    }

    fn wrapped(self) -> Result<Self, Error> {
        let wrappers = self.wrappers.one_more()?;
        Ok(Self { wrappers, ..self })
    }
}

impl Text<'_> {
    fn parse<T: std::str::FromStr>(&self, expected: impl Display) -> Result<T, Error> {
        let text = self.only()?;
        text.parse()
            .map_err(|_| de::Error::custom(format!("`{text}` is not {expected}")))
    }

    /// A number that JSON can represent, too. Rust also parses `NaN` and `inf`.
    fn finite<T: std::str::FromStr + Copy + Into<f64>>(&self) -> Result<T, Error> {
        let expected = "a number";
        let number: T = self.parse(expected)?;
        if number.into().is_finite() {
            return Ok(number);
        }
        let text = self.only()?;
        Err(Error::custom(
            if text.contains(|c: char| c.is_ascii_digit()) {
                format!("`{text}` is out of range")
            } else {
                format!("`{text}` is not {expected}")
            },
        ))
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $expected:literal),* $(,)?) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.parse($expected)?)
        }
    )* };
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Error;

    parsed! {
        deserialize_i8 visit_i8 "a whole number from -128 to 127",
        deserialize_i16 visit_i16 "a whole number from -32768 to 32767",
        deserialize_i32 visit_i32 "a whole number of 32 bits",
        deserialize_i64 visit_i64 "a whole number of 64 bits",
        deserialize_u8 visit_u8 "a whole number from 0 to 255",
        deserialize_u16 visit_u16 "a whole number from 0 to 65535",
        deserialize_u32 visit_u32 "a whole number of 32 bits, zero or more",
        deserialize_u64 visit_u64 "a whole number of 64 bits, zero or more",
        deserialize_i128 visit_i128 "a whole number of 128 bits",
        deserialize_u128 visit_u128 "a whole number of 128 bits, zero or more",
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f32(self.finite()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.finite()?)
    }

    /// A checkbox of a form sends `on`, and many clients send `1` and `0`.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.only()? {
            "true" | "1" | "on" => visitor.visit_bool(true),
            "false" | "0" | "off" => visitor.visit_bool(false),
            text => Err(Error::custom(format!("`{text}` is not true or false"))),
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.texts {
            [text] => visitor.visit_str(text),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.only()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // A list of lists could not be told from a list.
        let wrappers = self.wrappers.one_more()?;
        visitor.visit_seq(SeqDeserializer::new(
            self.texts
                .chunks(1)
                .map(|texts| Element(Self { texts, wrappers })),
        ))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.texts.is_empty() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self.wrapped()?)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let deserializer: StrDeserializer<'_, Error> = self.only()?.into_deserializer();
        deserializer.deserialize_enum(name, variants, visitor)
    }

    read_what_is_inside! { newtype_struct }

    forward_to_deserialize_any! {
        bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

/// One text of a list.
struct Element<'a>(Text<'a>);

impl<'de, 'a> IntoDeserializer<'de, Error> for Element<'a> {
    type Deserializer = Text<'a>;

    fn into_deserializer(self) -> Text<'a> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides() {
        assert_eq!(decode::<i64>(&["5"]), Ok(5));
        assert_eq!(decode::<String>(&["5"]), Ok("5".to_owned()));
        assert_eq!(decode::<Option<u8>>(&["7"]), Ok(Some(7)));
        assert_eq!(decode::<u128>(&[&u128::MAX.to_string()]), Ok(u128::MAX));
        assert_eq!(decode::<i128>(&[&i128::MIN.to_string()]), Ok(i128::MIN));
        assert_eq!(
            decode::<u8>(&["300"]).unwrap_err(),
            "`300` is not a whole number from 0 to 255"
        );
    }

    #[test]
    fn repeated_name_makes_a_list() {
        let texts = ["a", "b"].map(str::to_owned).to_vec();
        assert_eq!(decode(&["a", "b"]), Ok(texts.clone()));
        assert_eq!(decode(&["a", "b"]), Ok(Some(texts)));
        assert_eq!(decode(&["7"]), Ok(vec![7_u128]));
        assert_eq!(decode::<Vec<u8>>(&[]), Ok(vec![]));
        assert_eq!(decode::<Option<Vec<u8>>>(&[]), Ok(None));
        assert_eq!(
            decode::<Vec<u8>>(&["1", "x"]).unwrap_err(),
            "`x` is not a whole number from 0 to 255"
        );
    }

    #[test]
    fn repeated_name_of_one_value_is_refused() {
        let error = "it is given 2 times, and takes one value";
        assert_eq!(decode::<u8>(&["1", "1"]).unwrap_err(), error);
        assert_eq!(decode::<String>(&["a", "b"]).unwrap_err(), error);
        assert_eq!(decode::<Option<bool>>(&["1", "0"]).unwrap_err(), error);
        assert_eq!(decode::<u8>(&[]).unwrap_err(), "it is missing");
    }

    #[test]
    fn booleans_are_those_of_forms_too() {
        for text in ["true", "1", "on"] {
            assert_eq!(decode(&[text]), Ok(Some(true)));
        }
        for text in ["false", "0", "off"] {
            assert_eq!(decode(&[text]), Ok(false));
        }
        assert_eq!(
            decode::<bool>(&["yes"]).unwrap_err(),
            "`yes` is not true or false"
        );
    }

    #[test]
    fn number_that_json_cannot_represent_is_refused() {
        for text in ["NaN", "inf", "-infinity", "x"] {
            assert_eq!(
                decode::<f64>(&[text]).unwrap_err(),
                format!("`{text}` is not a number")
            );
        }
        assert_eq!(
            decode::<f32>(&["1e39"]).unwrap_err(),
            "`1e39` is out of range"
        );
        assert_eq!(decode(&["1e39"]), Ok(1e39));
    }

    #[test]
    fn recursive_type_is_refused() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct List(Option<Box<List>>);
        assert_eq!(
            decode::<List>(&["5"]).unwrap_err(),
            "it is a type that contains itself"
        );
    }
}
