//! Reads structs by the names of their fields only.
//!
//! Derived `Deserialize` implementations also read a struct from a list, in the order of its fields.
//! No struct is written that way. A list in place of an object is a client's mistake, which would
//! bind values to the fields that come first.
//!
//! serde buffers the contents of `flatten`, `untagged` and internally tagged types. Structs inside of
//! them are read from the buffer, which still accepts a list.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::key::Key;
use super::wide::Wide;

/// A deserializer, or a part of one, that reads structs by name.
///
/// `JSON` says that `T` reads JSON. Otherwise it reads MessagePack.
pub(super) struct ByName<T, const JSON: bool>(pub(super) T);

/// A visitor of a value that may contain structs, or of a struct.
struct Inside<V, const JSON: bool> {
    visitor: V,
    requested: Requested,
}

/// What a type has requested, as far as it matters.
#[derive(Clone, Copy, PartialEq)]
enum Requested {
    Value,
    Struct,
    Newtype,
    Single,
}

impl<V, const JSON: bool> Inside<V, JSON> {
    fn value(visitor: V) -> Self {
        Self::new(visitor, Requested::Value)
    }

    fn new(visitor: V, requested: Requested) -> Self {
        Self { visitor, requested }
    }
}

macro_rules! forward {
    ($($method:ident($($argument:ident: $ty:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $ty,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* Inside::<V, JSON>::value(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>, const JSON: bool> Deserializer<'de> for ByName<D, JSON> {
    type Error = D::Error;

    forward! {
        deserialize_any() deserialize_bool()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64()
        deserialize_f64() deserialize_char() deserialize_str()
        deserialize_string() deserialize_bytes() deserialize_byte_buf() deserialize_option()
        deserialize_unit() deserialize_unit_struct(name: &'static str) deserialize_seq()
        deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize) deserialize_map()
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Inside::<V, JSON>::new(visitor, Requested::Struct);
        self.0.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Inside::<V, JSON>::new(visitor, Requested::Newtype);
        self.0.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Inside::<V, JSON>::new(visitor, Requested::Single);
        self.0.deserialize_f32(visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Inside::<V, JSON>::value(visitor);
        if JSON {
            self.0.deserialize_i128(visitor)
        } else {
            self.0.deserialize_any(visitor)
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = Inside::<V, JSON>::value(visitor);
        if JSON {
            self.0.deserialize_u128(visitor)
        } else {
            self.0.deserialize_any(visitor)
        }
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! forward_visits {
    ($($method:ident($ty:ty))*) => {$(
        fn $method<E: Error>(self, value: $ty) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>, const JSON: bool> Visitor<'de> for Inside<V, JSON> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(formatter)
    }

    forward_visits! {
        visit_bool(bool)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_char(char)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        let is_beyond = value.is_finite() && value.abs() > f64::from(f32::MAX);
        // The conversion to an `f32` would be an infinity.
        if self.requested == Requested::Single && is_beyond {
            return Err(E::custom(format!(
                "{value:e} is out of the range of an f32"
            )));
        }
        self.visitor.visit_f64(value)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(ByName::<_, JSON>(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        if self.requested == Requested::Newtype {
            return self.visitor.visit_newtype_struct(ByName::<_, JSON>(inner));
        }
        // The only extension is an integer beyond 64 bits.
        match Wide::deserialize(inner)? {
            Wide::Positive(integer) => self.visitor.visit_u128(integer),
            Wide::Negative(integer) => self.visitor.visit_i128(integer),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        if self.requested == Requested::Struct {
            return Err(A::Error::custom("the value is a list, expected an object"));
        }
        self.visitor.visit_seq(ByName::<_, JSON>(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(ByName::<_, JSON>(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(ByName::<_, JSON>(variant))
    }
}

impl<'de, S: DeserializeSeed<'de>, const JSON: bool> DeserializeSeed<'de> for ByName<S, JSON> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(ByName::<_, JSON>(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>, const JSON: bool> SeqAccess<'de> for ByName<A, JSON> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(ByName::<_, JSON>(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>, const JSON: bool> MapAccess<'de> for ByName<A, JSON> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        if JSON {
            self.0.next_key_seed(ByName::<_, JSON>(seed))
        } else {
            self.0.next_key_seed(ByName::<_, JSON>(Key(seed)))
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(ByName::<_, JSON>(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>, const JSON: bool> EnumAccess<'de> for ByName<A, JSON> {
    type Error = A::Error;
    type Variant = ByName<A::Variant, JSON>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.0.variant_seed(ByName::<_, JSON>(seed))?;
        Ok((value, ByName(variant)))
    }
}

impl<'de, A: VariantAccess<'de>, const JSON: bool> VariantAccess<'de> for ByName<A, JSON> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(ByName::<_, JSON>(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0
            .tuple_variant(length, Inside::<V, JSON>::value(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Inside::<V, JSON>::new(visitor, Requested::Struct);
        self.0.struct_variant(fields, visitor)
    }
}
