//! SQL with bound parameters, and rows into the caller's types.

mod row;
mod value;

pub(crate) use row::decode_rows;
pub(crate) use value::{MAX_EXACT, SqlRows};
pub use value::{SqlParameters, SqlValue};

use serde::de::DeserializeOwned;

use row::decode_row;

use super::sql_text;
use crate::error::StorageError;
use crate::limits::{MAX_PARAMETERS, MAX_STATEMENT};
use crate::platform::ObjectState;

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
