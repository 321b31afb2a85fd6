//! The key-value part of an object's database, its alarm, and their deletion.

use rusqlite::{OptionalExtension, params};

use super::database::Database;
use super::failure::storage_error;
use crate::error::StorageError;
use crate::storage::ListRange;

impl Database {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.check_transaction()?;
        let run = || {
            self.connection
                .prepare_cached("SELECT value FROM _cf_KV WHERE key = ?1")?
                .query_row([key], |row| row.get(0))
                .optional()
        };
        self.settled(run().map_err(|error| storage_error(&error)))
    }

    pub(crate) fn put(&self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        self.begin()?;
        let run = || {
            self.connection
                .prepare_cached(
                    "INSERT INTO _cf_KV (key, value) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![key, value])
        };
        self.settled(run().map(drop).map_err(|error| storage_error(&error)))
    }

    pub(crate) fn delete(&self, key: &str) -> Result<bool, StorageError> {
        self.begin()?;
        let run = || {
            self.connection
                .prepare_cached("DELETE FROM _cf_KV WHERE key = ?1")?
                .execute([key])
        };
        self.settled(
            run()
                .map(|deleted| deleted > 0)
                .map_err(|error| storage_error(&error)),
        )
    }

    pub(crate) fn list(&self, range: &ListRange) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        self.check_transaction()?;
        let (start, end) = bounds(range);
        let statement = match (end.is_some(), range.reverse) {
            (true, false) => {
                "SELECT key, value FROM _cf_KV WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
            }
            (true, true) => {
                "SELECT key, value FROM _cf_KV WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3"
            }
            (false, false) => {
                "SELECT key, value FROM _cf_KV WHERE key >= ?1 AND ?2 IS NULL ORDER BY key LIMIT ?3"
            }
            (false, true) => {
                "SELECT key, value FROM _cf_KV WHERE key >= ?1 AND ?2 IS NULL ORDER BY key DESC LIMIT ?3"
            }
        };
        let limit = range
            .limit
            .map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let run = || {
            self.connection
                .prepare_cached(statement)?
                .query_map(params![start, end, limit], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect::<rusqlite::Result<_>>()
        };
        self.settled(run().map_err(|error| storage_error(&error)))
    }

    /// Returns the object's alarm, in milliseconds since 1970.
    pub(crate) fn alarm(&self) -> Result<Option<i64>, StorageError> {
        self.check_transaction()?;
        let run = || {
            self.connection
                .prepare_cached("SELECT at FROM _cf_ALARM")?
                .query_row([], |row| row.get(0))
                .optional()
        };
        self.settled(run().map_err(|error| storage_error(&error)))
    }

    /// Writes only if the alarm changes. Each wake sets the alarm again, and a full disk must not
    /// prevent an object from waking.
    pub(crate) fn set_alarm(&self, at: Option<i64>) -> Result<(), StorageError> {
        if self.alarm()? == at {
            return Ok(());
        }
        self.alarm_touched.set(true);
        self.begin()?;
        let run = || match at {
            Some(at) => self
                .connection
                .prepare_cached("INSERT OR REPLACE INTO _cf_ALARM (only, at) VALUES (1, ?1)")?
                .execute([at]),
            None => self
                .connection
                .prepare_cached("DELETE FROM _cf_ALARM")?
                .execute([]),
        };
        self.settled(run().map(drop).map_err(|error| storage_error(&error)))
    }

    /// Removes all keys, all tables, views and triggers of the object, and its alarm (P44).
    pub(crate) fn delete_all(&self) -> Result<(), StorageError> {
        if self.is_as_new() && !self.is_in_transaction() {
            return Ok(());
        }
        self.alarm_touched.set(true);
        self.begin()?;
        self.defers_keys.set(true);
        let run = || {
            self.connection.execute_batch(
                "PRAGMA defer_foreign_keys = ON; DELETE FROM _cf_KV; DELETE FROM _cf_ALARM;",
            )?;
            while let Some(statement) = self.next_drop()? {
                self.connection.execute_batch(&statement)?;
            }
            Ok(())
        };
        let deleted = run().map_err(|error: rusqlite::Error| storage_error(&error));
        self.connection.flush_prepared_statement_cache();
        self.settled(deleted)
    }

    /// Returns the statement that drops the next of the object's items. Virtual tables come first:
    /// dropping one also drops its shadow tables, which cannot be dropped separately.
    fn next_drop(&self) -> rusqlite::Result<Option<String>> {
        self.connection
            .query_row(
                r#"SELECT 'DROP ' || type || ' "' || replace(name, '"', '""') || '"'
                   FROM sqlite_schema
                   WHERE type IN ('table', 'view', 'trigger')
                     AND substr(name, 1, 7) <> 'sqlite_' AND lower(substr(name, 1, 4)) <> '_cf_'
                   ORDER BY upper(sql) NOT LIKE 'CREATE VIRTUAL%', type = 'table'
                   LIMIT 1"#,
                [],
                |row| row.get(0),
            )
            .optional()
    }
}

/// Converts a prefix to a range.
fn bounds(range: &ListRange) -> (&str, Option<String>) {
    let prefix = range.prefix.as_deref().unwrap_or_default();
    let start = range.start.as_deref().unwrap_or_default().max(prefix);
    let end = match (after_prefix(prefix), &range.end) {
        (Some(after), Some(end)) => Some(after.min(end.clone())),
        (after, end) => after.or_else(|| end.clone()),
    };
    (start, end)
}

/// Returns the smallest string greater than all that begin with `prefix`, if there is one.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut after = prefix.to_owned();
    while let Some(last) = after.pop() {
        // The range of characters skips the surrogates automatically.
        if let Some(next) = (last..=char::MAX).nth(1) {
            after.push(next);
            return Some(after);
        }
    }
    None
}
