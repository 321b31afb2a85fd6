//! Determines the shape of a type, as far as serde shows it.
//!
//! serde cannot be asked for it directly. The type is asked to deserialise itself: what it requests
//! is recorded and refused. A type that panics then has no known shape.

use std::cell::Cell;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::misfit::QueryMisfit;
use super::wrappers::{RECURSIVE, Wrappers, read_what_is_inside};
use crate::turn::user_code;

/// Returns what makes a type impossible to read from one text, such as "a struct", or `None` if it
/// is not known.
pub(crate) fn misfit<T: DeserializeOwned>() -> Option<&'static str> {
    let noted = Cell::new(None);
    ask::<T>(OneText {
        noted: &noted,
        wrappers: Wrappers::NONE,
    });
    noted.get()
}

/// Returns what makes a type impossible to read from a query string, or `None` if it is not known.
pub(crate) fn query_misfit<T: DeserializeOwned>() -> Option<QueryMisfit> {
    let noted = Cell::new(Noted::default());
    let question = WholeQuery {
        noted: &noted,
        field: None,
        wrappers: Wrappers::NONE,
    };
    ask::<T>(question);
    let Noted { shape, fields, .. } = noted.get();
    if let Some(shape) = shape {
        return Some(QueryMisfit::Whole(shape));
    }
    fields.iter().find_map(|field| {
        noted.set(Noted::default());
        ask::<T>(WholeQuery {
            field: Some(field),
            ..question
        });
        let misfit = noted.get().of_field?;
        Some(QueryMisfit::Field(field, misfit))
    })
}

fn ask<T: DeserializeOwned>(question: impl Deserializer<'static, Error = Error>) {
    let decoded = user_code::call(|| T::deserialize(question));
    user_code::dispose(decoded);
}

fn answered<T>() -> Result<T, Error> {
    Err(Error::custom("only asked for its shape"))
}

/// Methods of a `Deserializer` that record a shape, whatever their arguments.
macro_rules! note {
    ($($shape:literal: $($method:ident)*;)*) => {$($( note! { @ $method $shape } )*)*};
    (@ deserialize_tuple $shape:literal) => {
        note! { @ deserialize_tuple $shape, usize }
    };
    (@ deserialize_tuple_struct $shape:literal) => {
        note! { @ deserialize_tuple_struct $shape, &'static str, usize }
    };
    (@ deserialize_struct $shape:literal) => {
        note! { @ deserialize_struct $shape, &'static str, &'static [&'static str] }
    };
    (@ deserialize_enum $shape:literal) => {
        note! { @ deserialize_enum $shape, &'static str, &'static [&'static str] }
    };
    (@ $method:ident $shape:literal $(, $argument:ty)*) => {
        fn $method<V: Visitor<'de>>(self, $(_: $argument,)* _: V) -> Result<V::Value, Error> {
            self.note($shape)
        }
    };
}

/// Requests the shape of a type that is read from one text.
struct OneText<'a> {
    noted: &'a Cell<Option<&'static str>>,
    wrappers: Wrappers,
}

impl OneText<'_> {
    fn note<T>(&self, shape: &'static str) -> Result<T, Error> {
        self.noted.set(Some(shape));
        answered()
    }

    fn wrapped(self) -> Result<Self, Error> {
        match self.wrappers.one_more() {
            Ok(wrappers) => Ok(Self { wrappers, ..self }),
            Err(_) => self.note(RECURSIVE),
        }
    }
}

impl<'de> Deserializer<'de> for OneText<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.noted.set(None);
        answered()
    }

    read_what_is_inside! { option newtype_struct }

    note! {
        "a struct": deserialize_struct;
        "a map": deserialize_map;
        "a list": deserialize_seq;
        "a tuple": deserialize_tuple deserialize_tuple_struct;
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct enum identifier ignored_any
    }
}

#[derive(Clone, Copy, Default)]
struct Noted {
    /// The shape of the whole, if it has no fields.
    shape: Option<&'static str>,
    fields: &'static [&'static str],
    /// The shape of the requested field.
    of_field: Option<&'static str>,
}

/// Requests the fields of a type that is read from a query string, or the shape of one of them.
#[derive(Clone, Copy)]
struct WholeQuery<'a> {
    noted: &'a Cell<Noted>,
    field: Option<&'static str>,
    wrappers: Wrappers,
}

impl WholeQuery<'_> {
    fn note<T>(&self, shape: &'static str) -> Result<T, Error> {
        self.noted.set(Noted {
            shape: Some(shape),
            ..Noted::default()
        });
        answered()
    }

    fn wrapped(self) -> Result<Self, Error> {
        match self.wrappers.one_more() {
            Ok(wrappers) => Ok(Self { wrappers, ..self }),
            Err(_) => self.note(RECURSIVE),
        }
    }
}

impl<'de> Deserializer<'de> for WholeQuery<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        answered()
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.noted.set(Noted {
            fields,
            ..Noted::default()
        });
        match self.field {
            Some(field) => visitor.visit_map(OneField {
                noted: self.noted,
                field,
            }),
            None => answered(),
        }
    }

    read_what_is_inside! { option newtype_struct }

    note! {
        "a list": deserialize_seq;
        "a tuple": deserialize_tuple deserialize_tuple_struct;
        "an enum": deserialize_enum;
        "one value":
            deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
            deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
            deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
            deserialize_string deserialize_bytes deserialize_byte_buf;
    }

    forward_to_deserialize_any! {
        map unit unit_struct identifier ignored_any
    }
}

/// One field, whose value is asked for its shape.
struct OneField<'a> {
    noted: &'a Cell<Noted>,
    field: &'static str,
}

impl<'de> MapAccess<'de> for OneField<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let name: StrDeserializer<'_, Error> = self.field.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let of_field = Cell::new(None);
        let answer = seed.deserialize(OneText {
            noted: &of_field,
            wrappers: Wrappers::NONE,
        });
        self.noted.set(Noted {
            of_field: of_field.get(),
            ..self.noted.get()
        });
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "only asked for its shape")]
    struct List(Option<Box<List>>);

    #[test]
    fn recursive_type_fits_neither() {
        assert_eq!(misfit::<List>(), Some("a type that contains itself"));
        assert_eq!(
            query_misfit::<List>(),
            Some(QueryMisfit::Whole("a type that contains itself"))
        );
    }

    #[test]
    fn shape_tells_what_a_query_string_cannot_be() {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only asked for its shape")]
        struct Filter {
            from: u64,
            author: Option<String>,
        }
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only asked for its shape")]
        struct Tagged {
            from: u64,
            tags: Option<Vec<String>>,
        }
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only asked for its shape")]
        struct Wrapped(Tagged);
        #[derive(serde::Deserialize)]
        enum Order {
            Newest,
        }
        assert_eq!(query_misfit::<Filter>(), None);
        assert_eq!(query_misfit::<Option<Filter>>(), None);
        assert_eq!(
            query_misfit::<std::collections::BTreeMap<String, u8>>(),
            None
        );
        assert_eq!(query_misfit::<serde_json::Value>(), None);
        for (misfit, expected) in [
            (
                query_misfit::<Tagged>(),
                QueryMisfit::Field("tags", "a list"),
            ),
            (
                query_misfit::<Wrapped>(),
                QueryMisfit::Field("tags", "a list"),
            ),
            (query_misfit::<Order>(), QueryMisfit::Whole("an enum")),
            (query_misfit::<Vec<u8>>(), QueryMisfit::Whole("a list")),
            (query_misfit::<(u8, u8)>(), QueryMisfit::Whole("a tuple")),
            (query_misfit::<u64>(), QueryMisfit::Whole("one value")),
        ] {
            assert_eq!(misfit, Some(expected));
        }
    }
}
