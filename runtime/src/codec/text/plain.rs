//! Parses one value from its text.

use std::fmt::Display;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::wrappers::{Wrappers, read_what_is_inside};

/// The requested type decides how the text is parsed, because text has no types: `5` is a number
/// for an `i64` and a text for a `String`.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    T::deserialize(Text::new(text)).map_err(|error| error.to_string())
}

pub(super) struct Text<'a> {
    text: &'a str,
    wrappers: Wrappers,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            wrappers: Wrappers::NONE,
        }
    }

    fn wrapped(self) -> Result<Self, Error> {
        let wrappers = self.wrappers.one_more()?;
        Ok(Self { wrappers, ..self })
    }
}

impl Text<'_> {
    fn parse<T: std::str::FromStr>(&self, expected: impl Display) -> Result<T, Error> {
        self.text
            .parse()
            .map_err(|_| de::Error::custom(format!("`{}` is not {expected}", self.text)))
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
        deserialize_bool visit_bool "true or false",
        deserialize_i8 visit_i8 "a whole number from -128 to 127",
        deserialize_i16 visit_i16 "a whole number from -32768 to 32767",
        deserialize_i32 visit_i32 "a whole number of 32 bits",
        deserialize_i64 visit_i64 "a whole number of 64 bits",
        deserialize_u8 visit_u8 "a whole number from 0 to 255",
        deserialize_u16 visit_u16 "a whole number from 0 to 65535",
        deserialize_u32 visit_u32 "a whole number of 32 bits, zero or more",
        deserialize_u64 visit_u64 "a whole number of 64 bits, zero or more",
        deserialize_f32 visit_f32 "a number",
        deserialize_f64 visit_f64 "a number",
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let deserializer: StrDeserializer<'_, Error> = self.text.into_deserializer();
        deserializer.deserialize_enum(name, variants, visitor)
    }

    read_what_is_inside! { option newtype_struct }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides() {
        assert_eq!(decode::<i64>("5"), Ok(5));
        assert_eq!(decode::<String>("5"), Ok("5".to_owned()));
        assert_eq!(decode::<Option<u8>>("7"), Ok(Some(7)));
        assert_eq!(
            decode::<u8>("300").unwrap_err(),
            "`300` is not a whole number from 0 to 255"
        );
        assert!(decode::<Vec<u8>>("1").is_err());
    }

    #[test]
    fn recursive_type_is_refused() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct List(Option<Box<List>>);
        assert_eq!(
            decode::<List>("5").unwrap_err(),
            "it is a type that contains itself"
        );
    }
}
