//! An object's own SQL.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Batch, Statement, ToSql, params_from_iter};

use super::{Database, storage_error};
use crate::error::StorageError;
use crate::sql::{SqlRows, SqlValue};

impl Database {
    /// Runs one or more statements, `parameters` bound to the last; its rows.
    pub(crate) fn sql(&self, text: &str, parameters: &[SqlValue]) -> Result<SqlRows, StorageError> {
        let changes_before = self.connection.total_changes();
        let result = self.guard.untrusted(|| self.run(text, parameters));
        // Left behind by a refusal that SQLite reported in other words; it must not explain a later error.
        let refusal = self.guard.take_refusal();
        let mut rows = result.map_err(|error| match refusal {
            Some(refusal) => StorageError::Sql(refusal),
            None => error,
        })?;
        rows.rows_written = self.connection.total_changes() - changes_before;
        Ok(rows)
    }

    fn run(&self, text: &str, parameters: &[SqlValue]) -> Result<SqlRows, StorageError> {
        match self.connection.prepare_cached(text) {
            Ok(mut statement) => self.run_statement(&mut statement, parameters),
            // Several statements, or one that is wrong: the latter fails again, and says why.
            Err(_) => self.run_several(text, parameters),
        }
    }

    fn run_several(&self, text: &str, parameters: &[SqlValue]) -> Result<SqlRows, StorageError> {
        let mut statements = Batch::new(&self.connection, text);
        let mut next = || fallible_next(&mut statements);
        let Some(mut current) = next()? else {
            return Ok(SqlRows::default());
        };
        // A statement is prepared when those before it have run: it may use what they make. So
        // which one is the last is known only by its parameters or by preparing the next.
        loop {
            if current.parameter_count() > 0 {
                let rows = self.run_statement(&mut current, parameters)?;
                return match next()? {
                    None => Ok(rows),
                    Some(_) => Err(StorageError::Usage(
                        "of several statements only the last may have parameters".to_owned(),
                    )),
                };
            }
            let rows = self.run_statement(&mut current, &[])?;
            match next()? {
                Some(following) => current = following,
                None if parameters.is_empty() => return Ok(rows),
                None => return Err(wrong_count(0, parameters.len())),
            }
        }
    }

    fn run_statement(
        &self,
        statement: &mut Statement<'_>,
        parameters: &[SqlValue],
    ) -> Result<SqlRows, StorageError> {
        let expected = statement.parameter_count();
        if expected != parameters.len() {
            return Err(wrong_count(expected, parameters.len()));
        }
        if !statement.readonly() {
            self.guard.trusted(|| self.begin())?;
        }
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut run = || -> rusqlite::Result<Vec<Vec<SqlValue>>> {
            let mut found = Vec::new();
            let mut rows = statement.query(params_from_iter(parameters))?;
            while let Some(row) = rows.next()? {
                let values = (0..columns.len()).map(|column| row.get_ref(column).map(value_of));
                found.push(values.collect::<Result<_, _>>()?);
            }
            Ok(found)
        };
        let rows = run().map_err(|error| storage_error(&error))?;
        Ok(SqlRows {
            columns,
            rows,
            rows_written: 0,
        })
    }
}

fn fallible_next<'connection>(
    statements: &mut Batch<'connection, '_>,
) -> Result<Option<Statement<'connection>>, StorageError> {
    use rusqlite::fallible_iterator::FallibleIterator;
    statements.next().map_err(|error| storage_error(&error))
}

fn wrong_count(expected: usize, given: usize) -> StorageError {
    StorageError::Usage(format!(
        "the statement has {expected} parameters, {given} were given"
    ))
}

/// Integers come back as JavaScript's numbers hold them: exact to 2^53 (P49).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the rounding is the point"
)]
fn value_of(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(integer) => SqlValue::Integer(integer as f64 as i64),
        ValueRef::Real(real) => SqlValue::Real(real),
        ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(integer) => ToSqlOutput::Owned(Value::Integer(*integer)),
            Self::Real(real) => ToSqlOutput::Owned(Value::Real(*real)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}
