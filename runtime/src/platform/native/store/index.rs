//! The folder's index: which objects have an alarm, so that a host that starts wakes nobody else.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::rebuild::rebuild;
use super::{io_error, storage_error};
use crate::error::StorageError;
use crate::id::RawId;

/// Of the index's contents: another one is made anew.
const VERSION: i64 = 1;

/// What the index keeps of an object with an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: RawId,
    pub(crate) class: String,
    /// Under which the object is reached, so that its alarms know it too (P71).
    pub(crate) name: Option<String>,
    pub(crate) at: i64,
}

/// An alarm that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) id: RawId,
    pub(crate) class: String,
    pub(crate) at: i64,
}

/// Shared by the shards: its transactions are few and short.
pub(crate) struct Index(Mutex<Connection>);

impl Index {
    /// Opens the index of a data folder. Where it is missing, damaged or of another version, it is
    /// made from the objects' databases first: it holds nothing that they do not, but the names.
    pub(crate) fn open(path: &Path) -> Result<Self, StorageError> {
        let explain = |error: &rusqlite::Error| {
            StorageError::Io(format!("opening {}: {error}", path.display()))
        };
        let opened = Connection::open(path).and_then(Self::set_up);
        let index = match opened {
            Err(error) if is_damaged(&error) => {
                tracing::error!(%error, path = %path.display(), "the index of alarms is damaged; it is set aside and made anew");
                set_aside(path)?;
                Connection::open(path).and_then(Self::set_up)
            }
            opened => opened,
        };
        let index = index.map_err(|error| explain(&error))?;
        let version = index
            .connection()
            .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        if version.map_err(|error| explain(&error))? != VERSION {
            let root = path.parent().unwrap_or(path);
            rebuild(&index, &root.join("objects"))?;
            // Last: a rebuilding that was interrupted begins again.
            let mark = format!("PRAGMA user_version = {VERSION}");
            let marked = index.connection().execute_batch(&mark);
            marked.map_err(|error| explain(&error))?;
        }
        Ok(index)
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
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(damaged, Some(found)));
        }
        // The plans are the same for every time that is asked for. Without this, SQLite prepares a
        // cached statement anew for each.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
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
                // Reached by its identifier an object has no name here, but it keeps the one it had.
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO alarm (id, class, name, at) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (id) DO UPDATE SET class = excluded.class, at = excluded.at,
                         name = COALESCE(excluded.name, name)",
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

    /// The alarms up to a time, earliest first: one page, which begins behind `after`.
    pub(crate) fn due(
        &self,
        until: i64,
        after: Option<(i64, RawId)>,
        limit: usize,
    ) -> Result<Vec<Due>, StorageError> {
        let (after_at, after_id) = after.map_or((i64::MIN, [0; 32]), |(at, id)| (at, id.0));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let connection = self.connection();
        let run = || {
            connection
                .prepare_cached(
                    "SELECT id, class, at FROM alarm
                     WHERE at <= ?1 AND (at, id) > (?2, ?3) ORDER BY at, id LIMIT ?4",
                )?
                .query_map(params![until, after_at, after_id, limit], |row| {
                    Ok(Due {
                        id: RawId(row.get(0)?),
                        class: row.get(1)?,
                        at: row.get(2)?,
                    })
                })?
                .collect::<rusqlite::Result<_>>()
        };
        run().map_err(|error| storage_error(&error))
    }

    /// Makes the index unreadable, or readable again.
    #[cfg(test)]
    pub(crate) fn break_down(&self, broken: bool) {
        let statement = if broken {
            "ALTER TABLE alarm RENAME TO broken"
        } else {
            "ALTER TABLE broken RENAME TO alarm"
        };
        self.connection().execute_batch(statement).unwrap();
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

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Keeps a damaged index for whoever wants to look at it.
fn set_aside(path: &Path) -> Result<(), StorageError> {
    for suffix in ["", "-wal"] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        let mut to = path.as_os_str().to_owned();
        to.push(format!(".damaged{suffix}"));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("setting aside", path, &error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Database, Descriptors, Files};
    use super::*;

    fn id(number: u8) -> RawId {
        RawId([number; 32])
    }

    fn entry(number: u8, at: i64) -> Entry {
        Entry {
            id: id(number),
            class: "Counter".to_owned(),
            name: (number == 1).then(|| "a".to_owned()),
            at,
        }
    }

    fn due(number: u8, at: i64) -> Due {
        Due {
            id: id(number),
            class: "Counter".to_owned(),
            at,
        }
    }

    #[test]
    fn index_remembers_names_and_follows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.sqlite");
        let index = Index::open(&path).unwrap();
        index.record(&[entry(1, 10), entry(2, 20)]).unwrap();
        index
            .record(&[Entry {
                name: None,
                ..entry(1, 5)
            }])
            .unwrap();
        index
            .follow(&[(id(1), Some(30)), (id(2), None), (id(3), Some(1))])
            .unwrap();
        drop(index);
        let index = Index::open(&path).unwrap();
        assert_eq!(index.due(29, None, 9).unwrap(), []);
        assert_eq!(index.due(30, None, 9).unwrap(), [due(1, 30)]);
        assert_eq!(index.find(id(1)).unwrap(), Some(entry(1, 30)));
        assert_eq!(index.find(id(2)).unwrap(), None);
    }

    #[test]
    fn due_alarms_are_read_in_pages() {
        let index = Index::in_memory().unwrap();
        let entries: Vec<Entry> = (1..=5)
            .map(|number| entry(number, i64::from(number / 2)))
            .collect();
        index.record(&entries).unwrap();
        let first = index.due(2, None, 2).unwrap();
        assert_eq!(first, [due(1, 0), due(2, 1)]);
        let second = index.due(2, Some((1, id(2))), 2).unwrap();
        assert_eq!(second, [due(3, 1), due(4, 2)]);
        assert_eq!(index.due(2, Some((2, id(4))), 2).unwrap(), [due(5, 2)]);
    }

    /// A data folder with objects, and whether they have an alarm.
    fn folder(alarms: &[(u8, Option<i64>)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::new(root.path(), Descriptors::of(1_000)).unwrap());
        for (number, at) in alarms {
            let id = id(*number).to_string();
            let path = root
                .path()
                .join(format!("objects/Counter/{}/{id}.sqlite", &id[..2]));
            let mut database = Database::new(&files, &path).unwrap();
            for value in [b"1", b"2"] {
                database.set_alarm(*at).unwrap();
                database.put("k", value).unwrap();
                if let Some(unsynced) = database.commit().unwrap() {
                    unsynced.sync().unwrap();
                }
            }
            // One is closed in order, one as by a kill.
            if number % 2 == 0 {
                database.close().unwrap();
            } else {
                drop(database);
            }
        }
        root
    }

    #[test]
    fn missing_index_is_made_from_the_objects() {
        let root = folder(&[(1, Some(10)), (2, Some(20)), (3, None)]);
        std::fs::write(root.path().join("objects/Counter/02/other.txt"), "?").unwrap();
        let index = Index::open(&root.path().join("index.sqlite")).unwrap();
        assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 10), due(2, 20)]);
    }

    #[test]
    fn damaged_index_is_set_aside_and_made_anew() {
        let root = folder(&[(2, Some(20))]);
        let path = root.path().join("index.sqlite");
        std::fs::write(&path, [7; 4096]).unwrap();
        let index = Index::open(&path).unwrap();
        assert_eq!(index.due(99, None, 9).unwrap(), [due(2, 20)]);
        assert!(root.path().join("index.sqlite.damaged").exists());
    }

    #[test]
    fn index_of_another_version_gets_what_it_lacks_and_keeps_its_names() {
        let root = folder(&[(1, Some(10)), (2, Some(20))]);
        let path = root.path().join("index.sqlite");
        let index = Index::open(&path).unwrap();
        index.record(&[entry(1, 5)]).unwrap();
        index.follow(&[(id(2), None)]).unwrap();
        drop(index);
        // Of this version, it is believed.
        let index = Index::open(&path).unwrap();
        assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 5)]);
        let other = "PRAGMA user_version = 0";
        index.connection().execute_batch(other).unwrap();
        drop(index);
        let index = Index::open(&path).unwrap();
        assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 10), due(2, 20)]);
        assert_eq!(index.find(id(1)).unwrap(), Some(entry(1, 10)));
    }
}
