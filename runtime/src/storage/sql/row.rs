//! Conversion of rows to the caller's types.

use serde::Deserialize;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::value::{SqlRows, SqlValue};
use crate::error::StorageError;

pub(crate) fn decode_rows<T: DeserializeOwned>(rows: SqlRows) -> Result<Vec<T>, StorageError> {
    let SqlRows { columns, rows, .. } = rows;
    rows.into_iter()
        .map(|values| decode_row(&columns, values))
        .collect()
}

pub(super) fn decode_row<T: DeserializeOwned>(
    columns: &[String],
    values: Vec<SqlValue>,
) -> Result<T, StorageError> {
    T::deserialize(Row { columns, values }).map_err(|error| StorageError::Undecodable {
        subject: format!("a row of ({})", columns.join(", ")),
        message: error.to_string(),
    })
}

type RowError = de::value::Error;

struct Row<'a> {
    columns: &'a [String],
    values: Vec<SqlValue>,
}

impl Row<'_> {
    fn only(self) -> Result<SqlValue, RowError> {
        let count = self.values.len();
        match self.values.into_iter().next() {
            Some(value) if count == 1 => Ok(value),
            _ => Err(de::Error::custom(format!(
                "{count} columns do not make one value; use a struct or a tuple"
            ))),
        }
    }
}

impl<'de> de::Deserializer<'de> for Row<'_> {
    type Error = RowError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        self.only()?.deserialize_any(visitor)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        self.only()?.deserialize_option(visitor)
    }
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        self.only()?.deserialize_bool(visitor)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        let columns = self.columns.iter().map(String::as_str);
        visitor.visit_map(MapDeserializer::new(columns.zip(self.values)))
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        self.deserialize_map(visitor)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        // A single column requested as a sequence is a blob; several columns are a tuple.
        if self.values.len() == 1 && matches!(self.values[0], SqlValue::Blob(_)) {
            return self.only()?.deserialize_seq(visitor);
        }
        visitor.visit_seq(SeqDeserializer::new(self.values.into_iter()))
    }
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_seq(SeqDeserializer::new(self.values.into_iter()))
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_seq(SeqDeserializer::new(self.values.into_iter()))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, RowError> for SqlValue {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for SqlValue {
    type Error = RowError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Integer(integer) => visitor.visit_i64(integer),
            // workerd returns every number as a double, so a whole one is an integer on both hosts.
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            Self::Real(real) if real.fract() == 0.0 && real.abs() <= 9_007_199_254_740_992.0 => {
                visitor.visit_i64(real as i64)
            }
            Self::Real(real) => visitor.visit_f64(real),
            Self::Text(text) => visitor.visit_string(text),
            Self::Blob(bytes) => visitor.visit_byte_buf(bytes),
        }
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self {
            Self::Null => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        // SQLite does not have booleans, and workerd returns every number as a double.
        match self {
            Self::Integer(0) => visitor.visit_bool(false),
            Self::Integer(1) => visitor.visit_bool(true),
            Self::Real(0.0) => visitor.visit_bool(false),
            Self::Real(1.0) => visitor.visit_bool(true),
            other => other.deserialize_any(visitor),
        }
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self {
            Self::Blob(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.into_iter())),
            other => other.deserialize_any(visitor),
        }
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        match self {
            Self::Text(text) => visitor.visit_enum(text.into_deserializer()),
            _ => Err(de::Error::custom("only text makes an enum")),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> Deserialize<'de> for SqlValue {
    /// Lets a column be read as an `SqlValue`, whatever its type.
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = SqlValue;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a value of SQLite")
            }
            fn visit_unit<E>(self) -> Result<SqlValue, E> {
                Ok(SqlValue::Null)
            }
            fn visit_i64<E>(self, value: i64) -> Result<SqlValue, E> {
                Ok(SqlValue::Integer(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<SqlValue, E> {
                Ok(SqlValue::Real(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<SqlValue, E> {
                Ok(SqlValue::Text(value.to_owned()))
            }
            fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<SqlValue, E> {
                Ok(SqlValue::Blob(value))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: DeserializeOwned>(value: SqlValue) -> Option<T> {
        decode_row(&["column".to_owned()], vec![value]).ok()
    }

    /// workerd returns every number as a double.
    #[test]
    fn whole_double_is_read_as_an_integer_is() {
        for whole in [0_i64, 1, 2, -1, 1 << 53] {
            let integer = || SqlValue::Integer(whole);
            #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
            let real = || SqlValue::Real(whole as f64);
            assert_eq!(read::<bool>(real()), read::<bool>(integer()));
            assert_eq!(read::<Option<bool>>(real()), read(integer()));
            assert_eq!(read::<u8>(real()), read(integer()));
            assert_eq!(read::<i64>(real()), read(integer()));
            assert_eq!(read::<u128>(real()), read(integer()));
            assert_eq!(read::<f32>(real()), read(integer()));
            assert_eq!(read::<f64>(real()), read(integer()));
            assert_eq!(read::<String>(real()), read(integer()));
            assert_eq!(read::<serde_json::Value>(real()), read(integer()));
            assert_eq!(read::<SqlValue>(real()), read(integer()));
        }
        assert_eq!(read(SqlValue::Real(1.0)), Some(true));
        assert_eq!(read::<bool>(SqlValue::Real(0.5)), None);
    }
}
