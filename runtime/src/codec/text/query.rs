//! Parses a struct from a whole query string.

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::super::message_pack::Misfit;
use super::plain::Text;
use super::wrappers::{Wrappers, read_what_is_inside};

/// Parses the value whose fields are these pairs. Their names must be unique.
pub(crate) fn decode<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, Misfit> {
    let query = Query {
        pairs,
        wrappers: Wrappers::NONE,
    };
    serde_path_to_error::deserialize(query).map_err(|error| Misfit {
        field: (error.path().iter().len() > 0).then(|| error.path().to_string()),
        message: error.inner().to_string(),
    })
}

struct Query<'a> {
    pairs: &'a [(String, String)],
    wrappers: Wrappers,
}

impl Query<'_> {
    fn wrapped(self) -> Result<Self, Error> {
        let wrappers = self.wrappers.one_more()?;
        Ok(Self { wrappers, ..self })
    }
}

impl<'de> Deserializer<'de> for Query<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Pairs {
            rest: self.pairs,
            value: "",
        })
    }

    /// Unknown fields are mistakes, as for arguments that are read by name.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self
            .pairs
            .iter()
            .find(|(name, _)| !fields.contains(&name.as_str()))
        {
            Some((unknown, _)) => Err(Error::unknown_field(unknown, fields)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.pairs.is_empty() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self.wrapped()?)
        }
    }

    read_what_is_inside! { newtype_struct }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Pairs<'a> {
    rest: &'a [(String, String)],
    /// The value of the key that was read last.
    value: &'a str,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(((name, value), rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        self.value = value;
        let name: StrDeserializer<'_, Error> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Text::new(self.value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Filter {
        page: u32,
        author: Option<String>,
        #[serde(default)]
        newest: bool,
    }

    fn read<T: DeserializeOwned>(pairs: &[(&str, &str)]) -> Result<T, (Option<String>, String)> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        decode(&pairs).map_err(|misfit| (misfit.field, misfit.message))
    }

    #[test]
    fn fields_are_read_by_their_own_types() {
        assert_eq!(
            read(&[("page", "2"), ("newest", "true")]),
            Ok(Filter {
                page: 2,
                author: None,
                newest: true,
            })
        );
        assert_eq!(read::<Option<Filter>>(&[]), Ok(None));
        assert_eq!(
            read::<BTreeMap<String, u8>>(&[("a", "1")]),
            Ok(BTreeMap::from([("a".to_owned(), 1)]))
        );
    }

    #[test]
    fn what_does_not_fit_names_its_field() {
        for (pairs, field, message) in [
            (
                vec![("page", "two")],
                Some("page"),
                "`two` is not a whole number of 32 bits, zero or more",
            ),
            (vec![], None, "missing field `page`"),
            (
                vec![("page", "2"), ("pgae", "3")],
                None,
                "unknown field `pgae`, expected one of `page`, `author`, `newest`",
            ),
        ] {
            assert_eq!(
                read::<Filter>(&pairs),
                Err((field.map(str::to_owned), message.to_owned()))
            );
        }
    }

    #[test]
    fn recursive_type_is_refused() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct List(Option<Box<List>>);
        assert_eq!(
            read::<List>(&[("a", "1")]),
            Err((None, "it is a type that contains itself".to_owned()))
        );
    }
}
