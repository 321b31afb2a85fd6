//! The folder's index of the objects that have an alarm. Thus a starting host wakes no others.

#[cfg(test)]
mod power_rounds;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, OptionalExtension, Transaction, params};

use super::super::kernel::{Pause, PausedAlarm};
use super::entry::{Change, Due, Entry};
use super::failure::{io_error, storage_error};
use super::files::{Files, log_of};
use super::log;
use super::rebuild::rebuild;
use crate::error::StorageError;
use crate::object::id::RawId;

/// The version of the index's contents. An index of another version is rebuilt.
const VERSION: i64 = 1;
/// A log longer than this is moved into the index.
const LONG_LOG: u64 = 4 * 1024 * 1024;

const DUE: &str = "SELECT id, class, at, paused_until, failures FROM alarm
    WHERE coalesce(paused_until, at) BETWEEN ?2 AND ?1
        AND (coalesce(paused_until, at), id) > (?2, ?3)
    ORDER BY coalesce(paused_until, at), id LIMIT ?4";
const END_PAUSES: &str =
    "UPDATE alarm SET paused_until = NULL, failures = 0 WHERE paused_until IS NOT NULL";

/// Shared by the shards, which read. One thread writes. Readers do not wait for it.
pub(crate) struct Index {
    writer: Mutex<Writer>,
    /// `None` in memory, where only the writer's connection has the contents.
    reader: Option<Mutex<Connection>>,
}

struct Writer {
    connection: Connection,
    /// `None` in memory.
    log: Option<Log>,
}

/// The index's write-ahead log.
struct Log {
    files: Arc<Files>,
    path: PathBuf,
    /// Whether a sync may have failed. The operating system may then show contents of the log that
    /// are missing on the disk, and a later sync would not write them.
    is_in_doubt: bool,
}

impl Writer {
    /// Makes the log complete on disk if that is in doubt. What is written behind a gap would not
    /// be found after a power failure.
    fn make_log_whole(&mut self) -> Result<(), StorageError> {
        if let Some(log) = self.log.as_mut().filter(|log| log.is_in_doubt) {
            log.files.restore_log(&log.path)?;
            log.is_in_doubt = false;
        }
        Ok(())
    }

    /// Records that SQLite has synced the log, or makes that sync fail.
    #[cfg(test)]
    fn log_synced(&self) -> Result<(), StorageError> {
        if let Some(log) = &self.log {
            log.files.power.before_sync(&log.path)?;
            log.files.power.file_synced(&log.path);
        }
        Ok(())
    }

    fn note_failure(&mut self) {
        if let Some(log) = &mut self.log {
            log.is_in_doubt = true;
        }
    }

    fn transaction(
        &mut self,
        synced: bool,
        run: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let synchronous = if synced { "FULL" } else { "NORMAL" };
        self.connection
            .pragma_update(None, "synchronous", synchronous)?;
        let transaction = self.connection.transaction()?;
        run(&transaction)?;
        transaction.commit()
    }

    /// Moves a long log. SQLite would do this at a commit, and ignore a failed sync.
    fn shorten_log(&mut self) -> rusqlite::Result<()> {
        if self.log.is_some() && log::length(&self.connection)? > LONG_LOG {
            let query = "PRAGMA wal_checkpoint(PASSIVE)";
            self.connection.query_row(query, [], |_| Ok(()))?;
        }
        Ok(())
    }
}

impl Index {
    /// Opens the index of a data folder. If it is missing, damaged or of another version, first
    /// rebuilds it from the objects' databases. They contain everything in it except the names.
    pub(crate) fn open(files: &Arc<Files>, path: &Path) -> Result<Self, StorageError> {
        let log = Log {
            files: Arc::clone(files),
            path: log_of(path),
            is_in_doubt: false,
        };
        // An earlier process may have ended after a failed sync.
        log.files.restore_log(&log.path)?;
        let explain = |error: &rusqlite::Error| {
            StorageError::Io(format!("opening {}: {error}", path.display()))
        };
        let opened = Connection::open(path).and_then(Self::set_up);
        let writer = match opened {
            Err(error) if is_damaged(&error) => {
                tracing::error!(%error, path = %path.display(), "the index of alarms is damaged; it is moved aside and rebuilt");
                set_aside(path)?;
                Connection::open(path).and_then(Self::set_up)
            }
            opened => opened,
        };
        let writer = writer.map_err(|error| explain(&error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(path, flags)
            .and_then(Self::keep_plans)
            .map_err(|error| explain(&error))?;
        let index = Self {
            writer: Mutex::new(Writer {
                connection: writer,
                log: Some(log),
            }),
            reader: Some(Mutex::new(reader)),
        };
        let version = index
            .writer()
            .connection
            .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        if version.map_err(|error| explain(&error))? != VERSION {
            let root = path.parent().unwrap_or(path);
            rebuild(files, &root.join("objects"), |found| index.write(found))?;
            // Written last, so that an interrupted rebuild starts again.
            let mark = format!("PRAGMA user_version = {VERSION}");
            let marked = index.writer().connection.execute_batch(&mark);
            marked.map_err(|error| explain(&error))?;
        }
        Ok(index)
    }

    pub(crate) fn in_memory() -> Result<Self, StorageError> {
        let writer = Connection::open_in_memory()
            .and_then(Self::set_up)
            .map_err(|error| storage_error(&error))?;
        Ok(Self {
            writer: Mutex::new(Writer {
                connection: writer,
                log: None,
            }),
            reader: None,
        })
    }

    /// Returns the contents, for [`restore`](Self::restore).
    pub(crate) fn image(&self) -> Result<Vec<u8>, StorageError> {
        let mut writer = self.writer();
        let image = writer.connection.serialize(MAIN_DB);
        Ok(image.map_err(|error| storage_error(&error))?.to_vec())
    }

    /// Restores an index in memory from an image.
    pub(crate) fn restore(&self, image: &[u8]) -> Result<(), StorageError> {
        self.writer()
            .connection
            .deserialize_read_exact(MAIN_DB, image, image.len(), false)
            .map_err(|error| storage_error(&error))
    }

    fn set_up(connection: Connection) -> rusqlite::Result<Connection> {
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA wal_autocheckpoint = 0;
             PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS alarm (
                 id BLOB PRIMARY KEY, class TEXT NOT NULL, name TEXT, at INTEGER NOT NULL
             ) WITHOUT ROWID;",
        )?;
        Self::add_pauses(&connection)?;
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(damaged, Some(found)));
        }
        Self::keep_plans(connection)
    }

    /// Keeps query plans, because they are the same for every parameter. Otherwise SQLite prepares
    /// a cached statement again for each parameter value.
    fn keep_plans(connection: Connection) -> rusqlite::Result<Connection> {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    }

    /// Adds pauses, which the first versions of the index did not keep. Pauses in the index end
    /// with the process, as those in memory do.
    fn add_pauses(connection: &Connection) -> rusqlite::Result<()> {
        let known: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info('alarm') WHERE name = 'paused_until')",
            [],
            |row| row.get(0),
        )?;
        if !known {
            connection.execute_batch(
                "ALTER TABLE alarm ADD COLUMN paused_until INTEGER;
                 ALTER TABLE alarm ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
                 DROP INDEX IF EXISTS alarm_at;",
            )?;
        }
        connection.execute_batch(
            "CREATE INDEX IF NOT EXISTS alarm_date ON alarm (coalesce(paused_until, at))",
        )?;
        connection.execute_batch(END_PAUSES)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A transaction that a panic interrupted was rolled back when its guard was dropped. Each
        // transaction sets whether it is synced.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes all changes, or none.
    ///
    /// # Errors
    /// Fails if none was made, or if recorded entries may not be on disk.
    pub(crate) fn write(&self, changes: &[Change]) -> Result<(), StorageError> {
        let is_recorded = |change: &Change| matches!(change, Change::Record(_));
        let synced = changes.iter().any(is_recorded);
        let mut writer = self.writer();
        writer.make_log_whole()?;
        let written = writer.transaction(synced, |transaction| {
            let mut make = |change| make_change(transaction, change);
            changes.iter().try_for_each(&mut make)
        });
        let written = written.map_err(|error| storage_error(&error));
        #[cfg(test)]
        let written = written.and_then(|()| if synced { writer.log_synced() } else { Ok(()) });
        written.inspect_err(|_| writer.note_failure())?;
        if let Err(error) = writer.shorten_log() {
            // The changes are made. The log remains until the next time.
            writer.note_failure();
            tracing::error!(%error, "the log of the index of alarms could not be moved into it");
        }
        Ok(())
    }

    /// Returns the alarms up to a time, earliest first: one page, which begins after `after`.
    pub(crate) fn due(
        &self,
        until: i64,
        after: Option<(i64, RawId)>,
        limit: usize,
    ) -> Result<Vec<Due>, StorageError> {
        let (after_at, after_id) = after.map_or((i64::MIN, [0; 32]), |(at, id)| (at, id.0));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let run = |connection: &Connection| {
            connection
                .prepare_cached(DUE)?
                .query_map(params![until, after_at, after_id, limit], |row| {
                    Ok(Due {
                        id: RawId(row.get(0)?),
                        class: row.get(1)?,
                        at: row.get(2)?,
                        pause: match row.get(3)? {
                            Some(until) => Some(Pause {
                                until,
                                failures: row.get(4)?,
                            }),
                            None => None,
                        },
                    })
                })?
                .collect::<rusqlite::Result<_>>()
        };
        self.read(run).map_err(|error| storage_error(&error))
    }

    /// Only for short reads, never while waiting for the disk.
    fn read<T>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        match &self.reader {
            Some(reader) => run(&reader.lock().unwrap_or_else(PoisonError::into_inner)),
            None => run(&self.writer().connection),
        }
    }

    /// Runs this while a write to the disk hangs.
    #[cfg(test)]
    pub(crate) fn while_the_disk_hangs(&self, run: impl FnOnce()) {
        let _hangs = self.writer();
        run();
    }

    /// Makes the index unreadable, or readable again.
    #[cfg(test)]
    pub(crate) fn break_down(&self, broken: bool) {
        let statement = if broken {
            "ALTER TABLE alarm RENAME TO broken"
        } else {
            "ALTER TABLE broken RENAME TO alarm"
        };
        self.writer().connection.execute_batch(statement).unwrap();
    }

    pub(crate) fn find(&self, id: RawId) -> Result<Option<Entry>, StorageError> {
        let run = |connection: &Connection| {
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
        self.read(run).map_err(|error| storage_error(&error))
    }
}

fn make_change(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    match change {
        // An object reached by its identifier has no name here, but its entry keeps a known name.
        // It also keeps an earlier date, because the commit with the later one is still to be made.
        Change::Record(entry) => transaction
            .prepare_cached(
                "INSERT INTO alarm (id, class, name, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET class = excluded.class, at = min(excluded.at, at),
                     paused_until = NULL, failures = 0, name = COALESCE(excluded.name, name)",
            )?
            .execute(params![entry.id.0, entry.class, entry.name, entry.at]),
        Change::Follow(id, Some(at)) => transaction
            .prepare_cached(
                "UPDATE alarm SET at = ?2, paused_until = NULL, failures = 0 WHERE id = ?1",
            )?
            .execute(params![id.0, at]),
        Change::Follow(id, None) => transaction
            .prepare_cached("DELETE FROM alarm WHERE id = ?1")?
            .execute([id.0]),
        Change::Pause(PausedAlarm { id, pause }) => transaction
            .prepare_cached("UPDATE alarm SET paused_until = ?2, failures = ?3 WHERE id = ?1")?
            .execute(params![id.0, pause.until, pause.failures]),
        Change::EndPauses => transaction.prepare_cached(END_PAUSES)?.execute([]),
    }
    .map(drop)
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Keeps a damaged index for inspection.
fn set_aside(path: &Path) -> Result<(), StorageError> {
    for suffix in ["", "-wal", "-shm"] {
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
