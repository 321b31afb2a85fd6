//! The folder's index: which objects have an alarm, so that a host that starts wakes nobody else.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::storage_error;
use crate::error::StorageError;
use crate::id::RawId;

/// What the index keeps of an object with an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: RawId,
    pub(crate) class: String,
    /// Under which the object is reached, so that its alarms know it too (P71).
    pub(crate) name: Option<String>,
    pub(crate) at: i64,
}

/// Shared by the shards: its transactions are few and short.
pub(crate) struct Index(Mutex<Connection>);

impl Index {
    pub(crate) fn open(path: &Path) -> Result<Self, StorageError> {
        Connection::open(path)
            .and_then(Self::set_up)
            .map_err(|error| StorageError::Io(format!("opening {}: {error}", path.display())))
    }

    pub(crate) fn in_memory() -> Result<Self, StorageError> {
        Connection::open_in_memory()
            .and_then(Self::set_up)
            .map_err(|error| storage_error(&error))
    }

    fn set_up(connection: Connection) -> rusqlite::Result<Self> {
        connection.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS alarm (
                 id BLOB PRIMARY KEY, class TEXT NOT NULL, name TEXT, at INTEGER NOT NULL
             ) WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS alarm_at ON alarm (at);",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic cut short was rolled back when its guard was dropped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or replaces entries; on disk when it returns.
    pub(crate) fn record(&self, entries: &[Entry]) -> Result<(), StorageError> {
        let mut connection = self.connection();
        let mut run = || {
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT OR REPLACE INTO alarm (id, class, name, at) VALUES (?1, ?2, ?3, ?4)",
                )?;
                for entry in entries {
                    insert.execute(params![entry.id.0, entry.class, entry.name, entry.at])?;
                }
            }
            transaction.commit()
        };
        run().map_err(|error| storage_error(&error))
    }

    /// Follows alarms that moved later or went. Not synced: an older entry only wakes an object too early.
    pub(crate) fn follow(&self, alarms: &[(RawId, Option<i64>)]) -> Result<(), StorageError> {
        let mut connection = self.connection();
        let mut run = || {
            connection.execute_batch("PRAGMA synchronous = NORMAL")?;
            let transaction = connection.transaction()?;
            for (id, at) in alarms {
                match at {
                    Some(at) => transaction
                        .prepare_cached("UPDATE alarm SET at = ?2 WHERE id = ?1")?
                        .execute(params![id.0, at])?,
                    None => transaction
                        .prepare_cached("DELETE FROM alarm WHERE id = ?1")?
                        .execute([id.0])?,
                };
            }
            transaction.commit()
        };
        let followed = run();
        let restored = connection.execute_batch("PRAGMA synchronous = FULL");
        followed
            .and(restored)
            .map_err(|error| storage_error(&error))
    }

    /// The alarms up to a time, earliest first.
    pub(crate) fn due_until(&self, until: i64) -> Result<Vec<(RawId, i64)>, StorageError> {
        let connection = self.connection();
        let run = || {
            connection
                .prepare_cached("SELECT id, at FROM alarm WHERE at <= ?1 ORDER BY at, id")?
                .query_map([until], |row| Ok((RawId(row.get(0)?), row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()
        };
        run().map_err(|error| storage_error(&error))
    }

    pub(crate) fn find(&self, id: RawId) -> Result<Option<Entry>, StorageError> {
        let connection = self.connection();
        let run = || {
            connection
                .prepare_cached("SELECT class, name, at FROM alarm WHERE id = ?1")?
                .query_row([id.0], |row| {
                    Ok(Entry {
                        id,
                        class: row.get(0)?,
                        name: row.get(1)?,
                        at: row.get(2)?,
                    })
                })
                .optional()
        };
        run().map_err(|error| storage_error(&error))
    }
}
