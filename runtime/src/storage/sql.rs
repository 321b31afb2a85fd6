//! SQL with bound parameters, and conversion of rows to the caller's types.

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
/// Values are bound parameters and never part of the statement's text. The limits are the same on
/// every host: statements up to 100 kB, 100 parameters, 100 columns. `BEGIN`, `SAVEPOINT`,
/// `ATTACH`, temporary tables and names that start with `_cf_` are refused. For transactions use
/// [`Storage::transaction`](crate::Storage::transaction). Names that start with `_anchorhold_` are
/// reserved for the runtime.
///
/// Numbers are JavaScript's on both hosts: integers are exact up to 2^53. A bound number is stored
/// as an integer in a column that is declared so, and is REAL elsewhere. `? / 2` is 3.5 for 7,
/// unless the statement says `CAST(? AS INTEGER)`.
///
/// The bare word `ROLLBACK` is refused in every statement and migration: `INSERT OR ROLLBACK`,
/// `ON CONFLICT ROLLBACK` and `RAISE(ROLLBACK, …)` would roll back the writes of other turns. Use
/// `ABORT` or `FAIL`, and quote a name: `"rollback"`.
///
/// A constraint that is checked at the commit (a deferred foreign key) resets the object when it
/// fails. Every caller whose writes share that commit gets an error, and none of the writes is
/// kept.
///
/// The embedded host aborts a call that runs for more than 30 s. A call that only reads fails with
/// an error. A call that writes resets the object, because SQLite rolls the whole transaction back.
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

    /// Runs a statement. Returns the number of rows written. With several statements, separated by
    /// `;`, the parameters are bound to the last one.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn example(ctx: &Ctx) -> Result<(), StorageError> {
    /// let sql = ctx.storage().sql();
    /// sql.execute("CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, text TEXT)", ())?;
    /// sql.execute("INSERT INTO entry (text) VALUES (?)", ("buy tea",))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// SQLite or the platform's rules refuse a statement.
    pub fn execute(
        &self,
        statement: &str,
        parameters: impl SqlParameters,
    ) -> Result<u64, StorageError> {
        self.run(statement, parameters.into_values())
            .map(|rows| rows.rows_written)
    }

    /// Runs a query. Each row becomes a struct (by column name), a tuple (by position) or, with a
    /// single column, the value of that column.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn example(ctx: &Ctx) -> Result<(), StorageError> {
    /// let rows: Vec<(i64, String)> = ctx
    ///     .storage()
    ///     .sql()
    ///     .query("SELECT id, text FROM entry WHERE id > ?", (10,))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`execute`](Self::execute), or a row does not fit `T`.
    pub fn query<T: DeserializeOwned>(
        &self,
        statement: &str,
        parameters: impl SqlParameters,
    ) -> Result<Vec<T>, StorageError> {
        decode_rows(self.run(statement, parameters.into_values())?)
    }

    /// Runs a query. Returns its first row, or `None`. All rows are read, so write `LIMIT 1`.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn example(ctx: &Ctx) -> Result<(), StorageError> {
    /// let count: Option<i64> = ctx
    ///     .storage()
    ///     .sql()
    ///     .query_first("SELECT count(*) FROM entry", ())?;
    /// # Ok(())
    /// # }
    /// ```
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
