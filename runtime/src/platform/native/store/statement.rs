//! An object's own SQL.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Batch, ErrorCode, Statement, ToSql, params_from_iter};

use super::authorizer::USERS_MARK;
use super::database::Database;
use super::failure::storage_error;
use super::statement_text::{only_reads, pragmas};
use crate::error::StorageError;
use crate::storage::sql::{MAX_EXACT, SqlRows, SqlValue};

impl Database {
    /// Runs one or more statements, with `parameters` bound to the last. Returns its rows.
    ///
    /// # Errors
    /// A statement that fails has no effect. `StorageError::Io` means that the disk failed, or that
    /// SQLite rolled back the whole transaction.
    pub(crate) fn sql(&self, text: &str, parameters: &[SqlValue]) -> Result<SqlRows, StorageError> {
        self.check_transaction()?;
        let changes_before = self.connection.total_changes();
        let was_open = self.is_in_transaction();
        let limit = self.statement_limit;
        let result = self.guard.untrusted(limit, || self.run(text, parameters));
        // A refusal that SQLite reported differently may be left. It must not explain a later
        // error.
        let refusal = self.guard.take_refusal();
        let result = self.settled(result.map_err(|error| match (refusal, error) {
            (Some(refusal), StorageError::Sql(_)) => StorageError::Sql(refusal),
            (_, error) => error,
        }));
        if !was_open {
            self.end_empty_transaction();
        }
        let mut rows = result?;
        rows.rows_written = self.connection.total_changes() - changes_before;
        Ok(rows)
    }

    fn run(&self, text: &str, parameters: &[SqlValue]) -> Result<SqlRows, StorageError> {
        let pragmas = pragmas(text);
        if pragmas.defer_keys {
            self.defers_keys.set(true);
        }
        if pragmas.any {
            // SQLite changes a setting when it prepares the statement, so preparing must not be
            // cached.
            return self.run_several(text, parameters);
        }
        match self
            .connection
            .prepare_cached(&format!("{USERS_MARK}{text}"))
        {
            Ok(mut statement) => {
                let writes = !statement.readonly() || !only_reads(text);
                self.run_statement(&mut statement, writes, parameters)
            }
            // There are several statements, or an invalid one. The latter fails again and reports
            // why.
            Err(_) => self.run_several(text, parameters),
        }
    }

    fn run_several(&self, text: &str, parameters: &[SqlValue]) -> Result<SqlRows, StorageError> {
        let mut statements = Batch::new(&self.connection, text);
        let mut next = || fallible_next(&mut statements);
        let Some(mut current) = next()? else {
            return Ok(SqlRows::default());
        };
        // A statement is prepared after those before it have run, because it may use what they
        // create. So the last one is only recognized by its parameters, or by preparing the next.
        loop {
            // Just prepared, so SQLite's answer is accurate, except for a pragma.
            let writes =
                !current.readonly() || current.expanded_sql().is_none_or(|text| !only_reads(&text));
            if current.parameter_count() > 0 {
                let rows = self.run_statement(&mut current, writes, parameters)?;
                return match next()? {
                    None => Ok(rows),
                    Some(_) => Err(StorageError::Usage(
                        "of several statements only the last may have parameters".to_owned(),
                    )),
                };
            }
            let rows = self.run_statement(&mut current, writes, &[])?;
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
        writes: bool,
        parameters: &[SqlValue],
    ) -> Result<SqlRows, StorageError> {
        let expected = statement.parameter_count();
        if expected != parameters.len() {
            return Err(wrong_count(expected, parameters.len()));
        }
        if writes {
            self.guard.trusted(|| self.begin())?;
        }
        let mut columns = None;
        let mut found = Vec::new();
        let mut run = || -> rusqlite::Result<()> {
            let mut rows = statement.query(params_from_iter(parameters))?;
            while let Some(row) = rows.next()? {
                // Known only from the first step on: if the tables have changed, SQLite prepares a
                // statement again inside that step.
                let columns: &Vec<String> = columns.get_or_insert_with(|| names(row.as_ref()));
                let values = (0..columns.len()).map(|column| row.get_ref(column).map(value_of));
                found.push(values.collect::<Result<_, _>>()?);
            }
            Ok(())
        };
        run().map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => StorageError::Limit(format!(
                "a statement ran for more than {} s; read fewer rows, use an index, or split the work",
                self.statement_limit.as_secs()
            )),
            _ => storage_error(&error),
        })?;
        Ok(SqlRows {
            columns: columns.unwrap_or_else(|| names(statement)),
            rows: found,
            rows_written: 0,
        })
    }
}

fn names(statement: &Statement<'_>) -> Vec<String> {
    let names = statement.column_names();
    names.map(str::to_owned).collect()
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

/// Integers are returned as JavaScript numbers: exact to 2^53, and as reals beyond (P49).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the rounding is the point"
)]
fn integer_of(integer: i64) -> SqlValue {
    let number = integer as f64;
    if number.abs() <= MAX_EXACT as f64 {
        SqlValue::Integer(number as i64)
    } else {
        SqlValue::Real(number)
    }
}

fn value_of(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(integer) => integer_of(integer),
        ValueRef::Real(real) => SqlValue::Real(real),
        ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
    }
}

impl ToSql for SqlValue {
    /// Binds integers as JavaScript numbers. Unless a column says otherwise they are REAL, and
    /// `? / 2` is 3.5 for 7 (P49).
    #[expect(
        clippy::cast_precision_loss,
        reason = "the common code refuses integers beyond 2^53"
    )]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(integer) => ToSqlOutput::Owned(Value::Real(*integer as f64)),
            Self::Real(real) => ToSqlOutput::Owned(Value::Real(*real)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}
