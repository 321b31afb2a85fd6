//! Values of statements: parameters and results.

use crate::time::Timestamp;

/// The largest integer that a JavaScript number, and therefore a value of the platform's SQL API,
/// represents exactly.
pub(crate) const MAX_EXACT: i64 = 1 << 53;

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
            /// A value beyond `i64` becomes the largest `i64`. When the statement runs, it is
            /// refused like every value beyond 2^53.
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

/// The result of a statement, as the hosts return it.
#[derive(Debug, Default)]
pub(crate) struct SqlRows {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<SqlValue>>,
    pub(crate) rows_written: u64,
}
