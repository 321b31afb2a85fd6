//! SQL with bound parameters, and rows into the caller's types.

use serde::Deserialize;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::StorageError;
use crate::limits::{MAX_PARAMETERS, MAX_STATEMENT};
use crate::platform::ObjectState;
use crate::sql_text;
use crate::time::Timestamp;

/// The largest integer that a JavaScript number, and so a value of the platform's SQL API, holds exactly.
pub(crate) const MAX_EXACT: i64 = 1 << 53;

/// The object's SQLite database.
///
/// Values come in as bound parameters, never as text in the statement. Limits, on every host:
/// statements up to 100 kB, 100 parameters, 100 columns. `BEGIN`, `SAVEPOINT`, `ATTACH`, temporary
/// tables and names that begin `_cf_` are refused: use
/// [`Storage::transaction`](crate::Storage::transaction). Names that begin `_anchorhold_` are the
/// runtime's own.
///
/// Numbers are JavaScript's on both hosts: integers are exact up to 2^53. A bound number is stored as
/// an integer in a column that is declared so, and is REAL elsewhere: `? / 2` is 3.5 for 7, unless the
/// statement says `CAST(? AS INTEGER)`.
///
/// The bare word `ROLLBACK` is refused in every statement and migration: `INSERT OR ROLLBACK`,
/// `ON CONFLICT ROLLBACK` and `RAISE(ROLLBACK, …)` would take back what other turns wrote. Use
/// `ABORT` or `FAIL`, and quote a name: `"rollback"`.
///
/// A constraint that is checked at the commit (a deferred foreign key) resets the object when it
/// fails: every caller whose writes share that commit gets an error, and none of the writes stays.
///
/// The embedded host ends a call that runs for more than 30 s. One that only reads fails with an
/// error; one that writes resets the object, since SQLite takes the whole transaction back.
///
/// ```
/// # use anchorhold::prelude::*;
/// # use serde::Deserialize;
/// #[derive(Deserialize)]
/// struct Entry {
///     id: i64,
///     text: String,
/// }
///
/// fn newest(ctx: &Ctx, author: &str) -> Result<Vec<Entry>, StorageError> {
///     ctx.storage().sql().query(
///         "SELECT id, text FROM entry WHERE author = ? ORDER BY id DESC LIMIT 10",
///         (author,),
///     )
/// }
/// ```
#[derive(Clone)]
pub struct Sql {
    state: ObjectState,
}

impl Sql {
    pub(crate) fn new(state: ObjectState) -> Self {
        Self { state }
    }

    /// Runs a statement (or several, separated by `;`, with the parameters bound to the last);
    /// the number of rows written.
    ///
    /// # Errors
    /// What SQLite or the platform's rules refuse.
    pub fn execute(
        &self,
        statement: &str,
        parameters: impl SqlParameters,
    ) -> Result<u64, StorageError> {
        self.run(statement, parameters.into_values())
            .map(|rows| rows.rows_written)
    }

    /// Runs a query; each row becomes a struct (by column name), a tuple (by position) or, with one
    /// column, that column's value.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), or a row that does not fit `T`.
    pub fn query<T: DeserializeOwned>(
        &self,
        statement: &str,
        parameters: impl SqlParameters,
    ) -> Result<Vec<T>, StorageError> {
        decode_rows(self.run(statement, parameters.into_values())?)
    }

    /// Runs a query for its first row, if there is one. All rows are read: write `LIMIT 1`.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn query_first<T: DeserializeOwned>(
        &self,
        statement: &str,
        parameters: impl SqlParameters,
    ) -> Result<Option<T>, StorageError> {
        let SqlRows { columns, rows, .. } = self.run(statement, parameters.into_values())?;
        rows.into_iter()
            .next()
            .map(|values| decode_row(&columns, values))
            .transpose()
    }

    fn run(&self, statement: &str, parameters: Vec<SqlValue>) -> Result<SqlRows, StorageError> {
        if statement.len() > MAX_STATEMENT {
            return Err(StorageError::Limit(format!(
                "a statement of {} bytes is over the limit of {MAX_STATEMENT}",
                statement.len()
            )));
        }
        if parameters.len() > MAX_PARAMETERS {
            return Err(StorageError::Limit(format!(
                "{} parameters are over the limit of {MAX_PARAMETERS}",
                parameters.len()
            )));
        }
        for value in &parameters {
            if let SqlValue::Integer(integer) = value
                && integer.unsigned_abs() > MAX_EXACT.unsigned_abs()
            {
                return Err(StorageError::Limit(format!(
                    "the integer {integer} is beyond 2^53, which SQL values hold exactly; bind it as text"
                )));
            }
        }
        sql_text::check(statement)?;
        self.state.sql(statement, &parameters)
    }
}

/// A value of SQLite.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// `NULL`
    Null,
    /// An integer, exact up to 2^53 on either side of zero.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

macro_rules! integers {
    ($($type:ty),*) => { $(
        impl From<$type> for SqlValue {
            fn from(value: $type) -> Self {
                Self::Integer(i64::from(value))
            }
        }
    )* };
}
integers!(i8, i16, i32, i64, u8, u16, u32, bool);

macro_rules! unsigned_integers {
    ($($type:ty),*) => { $(
        impl From<$type> for SqlValue {
            /// What no `i64` holds becomes the largest one, and is refused with everything beyond
            /// 2^53 where the statement runs.
            fn from(value: $type) -> Self {
                Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
            }
        }
    )* };
}
unsigned_integers!(u64, usize);

impl From<f64> for SqlValue {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}
impl From<&str> for SqlValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for SqlValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<&String> for SqlValue {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}
impl From<Vec<u8>> for SqlValue {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}
impl From<&[u8]> for SqlValue {
    fn from(value: &[u8]) -> Self {
        Self::Blob(value.to_vec())
    }
}
impl From<Timestamp> for SqlValue {
    fn from(value: Timestamp) -> Self {
        Self::Integer(value.as_millis())
    }
}
impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The parameters of a statement: `()`, a tuple of up to eight values, or a `Vec<SqlValue>`.
///
/// A value is text, bytes, a `bool`, an integer up to 2^53 on either side of zero, an `f64`, a
/// [`Timestamp`] (as milliseconds), or an `Option` of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the parameters of a statement",
    label = "needs a tuple of values",
    note = "write `()`, `(name,)`, `(name, 5)` up to eight values, or a `Vec<SqlValue>`;\na value is text, bytes, a `bool`, an integer, an `f64`, a `Timestamp`, or an `Option` of these"
)]
pub trait SqlParameters {
    #[doc(hidden)]
    fn into_values(self) -> Vec<SqlValue>;
}

impl SqlParameters for () {
    fn into_values(self) -> Vec<SqlValue> {
        Vec::new()
    }
}
impl SqlParameters for Vec<SqlValue> {
    fn into_values(self) -> Vec<SqlValue> {
        self
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => { $(
        impl<$($name: Into<SqlValue>),+> SqlParameters for ($($name,)+) {
            #[allow(non_snake_case, reason = "the type parameters name the bindings")]
            fn into_values(self) -> Vec<SqlValue> {
                let ($($name,)+) = self;
                vec![$($name.into()),+]
            }
        }
    )* };
}
tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
}

/// What a statement returned, as the hosts hand it over.
#[derive(Debug, Default)]
pub(crate) struct SqlRows {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<SqlValue>>,
    pub(crate) rows_written: u64,
}

pub(crate) fn decode_rows<T: DeserializeOwned>(rows: SqlRows) -> Result<Vec<T>, StorageError> {
    let SqlRows { columns, rows, .. } = rows;
    rows.into_iter()
        .map(|values| decode_row(&columns, values))
        .collect()
}

fn decode_row<T: DeserializeOwned>(
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
        // One column asked for as a sequence is a blob; several are a tuple.
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
            // workerd hands every number over as a double, so a whole one is an integer on both hosts.
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
        // SQLite has no booleans.
        match self {
            Self::Integer(0) => visitor.visit_bool(false),
            Self::Integer(1) => visitor.visit_bool(true),
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
    /// So that a column may be read as it is, whatever it holds.
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
