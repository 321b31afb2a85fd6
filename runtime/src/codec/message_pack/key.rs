//! Reads the keys of maps.
//!
//! JSON and the objects of JavaScript have only text as keys. A key that is a number or a boolean is
//! then read from its text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

/// A seed or a deserializer of a key.
pub(super) struct Key<T>(pub(super) T);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Key(key))
    }
}

macro_rules! forward_visits {
    ($($visit:ident $type:ty),* $(,)?) => { $(
        fn $visit<E: Error>(self, key: $type) -> Result<V::Value, E> {
            self.0.$visit(key)
        }
    )* };
}

macro_rules! parsed {
    ($($method:ident $visit:ident),* $(,)?) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            struct Parsed<V>(V);
            impl<'de, V: Visitor<'de>> Visitor<'de> for Parsed<V> {
                type Value = V::Value;
                fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.expecting(formatter)
                }
                fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
                    match text.parse() {
                        Ok(key) => self.0.$visit(key),
                        Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self.0)),
                    }
                }
                forward_visits! {
                    visit_bool bool, visit_i64 i64, visit_u64 u64, visit_i128 i128,
                    visit_u128 u128, visit_f64 f64,
                }
            }
            self.0.deserialize_any(Parsed(visitor))
        }
    )* };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Key<D> {
    type Error = D::Error;

    parsed! {
        deserialize_bool visit_bool,
        deserialize_i8 visit_i8,
        deserialize_i16 visit_i16,
        deserialize_i32 visit_i32,
        deserialize_i64 visit_i64,
        deserialize_i128 visit_i128,
        deserialize_u8 visit_u8,
        deserialize_u16 visit_u16,
        deserialize_u32 visit_u32,
        deserialize_u64 visit_u64,
        deserialize_u128 visit_u128,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}
