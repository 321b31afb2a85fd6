//! Reads values out of the plain text of a path segment or a query parameter.

use std::cell::Cell;
use std::fmt::Display;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::user_code;

/// Text has no types of its own, so the type asked for decides how it is read: `5` is a number to
/// an `i64` and a text to a `String`.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    T::deserialize(Text(text)).map_err(|error| error.to_string())
}

struct Text<'a>(&'a str);

impl Text<'_> {
    fn parse<T: std::str::FromStr>(&self, expected: impl Display) -> Result<T, Error> {
        self.0
            .parse()
            .map_err(|_| de::Error::custom(format!("`{}` is not {expected}", self.0)))
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
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let deserializer: StrDeserializer<'_, Error> = self.0.into_deserializer();
        deserializer.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// What makes a type impossible to read from one text, such as "a struct"; `None` if nothing shows.
/// serde has no such question, so the type is asked to decode itself, and what it asks for in turn
/// is noted and refused. A type that panics over that shows nothing.
pub(crate) fn misfit<T: DeserializeOwned>() -> Option<&'static str> {
    let asked = Cell::new(None);
    let decoded = user_code::call(|| T::deserialize(Shape(&asked)));
    user_code::dispose(decoded);
    asked.get()
}

struct Shape<'a>(&'a Cell<Option<&'static str>>);

impl Shape<'_> {
    fn refuse<T>(&self, shape: Option<&'static str>) -> Result<T, Error> {
        self.0.set(shape);
        Err(de::Error::custom("only asked for its shape"))
    }
}

impl<'de> Deserializer<'de> for Shape<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.refuse(None)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.refuse(Some("a struct"))
    }

    fn deserialize_map<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.refuse(Some("a map"))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.refuse(Some("a list"))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        self.refuse(Some("a tuple"))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, Error> {
        self.refuse(Some("a tuple"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct enum identifier ignored_any
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
    fn shape_tells_what_one_text_cannot_be() {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only asked for its shape")]
        struct Filter {
            from: u64,
        }
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only asked for its shape")]
        struct Id(u64);
        #[derive(serde::Deserialize)]
        enum Order {
            Newest,
        }
        struct Touchy;
        impl<'de> serde::Deserialize<'de> for Touchy {
            fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                panic!("on purpose")
            }
        }
        assert_eq!(misfit::<Touchy>(), None);
        assert_eq!(misfit::<Filter>(), Some("a struct"));
        assert_eq!(misfit::<Option<Filter>>(), Some("a struct"));
        assert_eq!(misfit::<Vec<u8>>(), Some("a list"));
        assert_eq!(misfit::<(u8, u8)>(), Some("a tuple"));
        assert_eq!(
            misfit::<std::collections::BTreeMap<String, u8>>(),
            Some("a map")
        );
        assert_eq!(misfit::<Id>(), None);
        assert_eq!(misfit::<Option<Order>>(), None);
        assert_eq!(misfit::<String>(), None);
        assert_eq!(misfit::<serde_json::Value>(), None);
    }
}
