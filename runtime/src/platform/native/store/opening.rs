//! Opens databases, and creates those of new objects.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::authorizer::{Guard, STATEMENT_LIMIT};
use super::database::{Database, Segment};
use super::descriptors::Share;
use super::failure::{io_error, storage_error};
use super::files::{Files, log_of};
use super::place::{LogEntry, MAX_PAGES, Place};
use super::{log, math};
use crate::error::StorageError;

const STATEMENT_CACHE: usize = 64;
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    BEGIN;
    CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE _cf_ALARM (only INTEGER PRIMARY KEY CHECK (only = 1), at INTEGER NOT NULL);
    PRAGMA user_version = 1;
    COMMIT;";

impl Database {
    /// Returns a database that lives as long as this value.
    pub(crate) fn in_memory() -> Result<Self, StorageError> {
        Self::without_file(Place::Memory {
            written: false,
            has_long_log: false,
        })
    }

    /// Returns the database of an object that has none yet. Its first commit creates the file at
    /// `path`.
    pub(crate) fn new(files: &Arc<Files>, path: &Path) -> Result<Self, StorageError> {
        let database = Self::without_file(Place::Image {
            files: Arc::clone(files),
            path: path.to_owned(),
            exists: Arc::default(),
            is_broken: Arc::default(),
            at_wake: Cell::default(),
        })?;
        database.settle_wake()?;
        Ok(database)
    }

    /// Returns a database with the contents of an earlier one. It lives as long as this value.
    pub(crate) fn from_image(image: &[u8]) -> Result<Self, StorageError> {
        let mut connection = Connection::open_in_memory().map_err(|error| storage_error(&error))?;
        let place = Place::Memory {
            written: true,
            has_long_log: false,
        };
        connection
            .deserialize_read_exact(MAIN_DB, image, image.len(), false)
            .and_then(|()| Self::set_up(connection, place))
            .map_err(|error| storage_error(&error))
    }

    /// Returns the image of all commits.
    pub(crate) fn image(&mut self) -> Result<Vec<u8>, StorageError> {
        image_of(&mut self.connection)
    }

    fn without_file(place: Place) -> Result<Self, StorageError> {
        Connection::open_in_memory()
            .and_then(|connection| {
                // SQLite allows this setting only before the first table is created.
                connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
                connection.execute_batch(SCHEMA)?;
                Self::set_up(connection, place)
            })
            .map_err(|error| storage_error(&error))
    }

    /// Opens the database at `path`, which exists. Syncs what an earlier process or a failed commit
    /// left, so it must run on a thread that may wait for the disk.
    pub(crate) fn open(files: &Arc<Files>, path: &Path) -> Result<Self, StorageError> {
        let share = files.descriptors.take()?;
        Self::open_with(share, files, path)
    }

    pub(super) fn open_with(
        share: Share,
        files: &Arc<Files>,
        path: &Path,
    ) -> Result<Self, StorageError> {
        let folder = path.parent().unwrap_or(path);
        files.settle(folder)?;
        let log_path = log_of(path);
        files.restore_log(&log_path)?;
        let opening = |error: rusqlite::Error| explain(storage_error(&error), path);
        let mut connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(opening)?;
        prepare_file(&connection).map_err(opening)?;
        let length = Arc::new(AtomicU64::new(log::length(&connection).map_err(opening)?));
        log::follow(&mut connection, &length).map_err(opening)?;
        // Everything that may fail is done before a commit. Otherwise the commit's outcome would be
        // unknown.
        let log = File::options().read(true).write(true).open(&log_path);
        let log = log.map_err(|error| io_error("opening", &log_path, &error))?;
        let durable = length.load(Ordering::Acquire);
        let place = Place::File {
            files: Arc::clone(files),
            path: log_path,
            log: Arc::new(log),
            length,
            entry: Cell::new(LogEntry::New),
            durable: Arc::new(durable.into()),
            is_half_moved: Cell::default(),
            is_broken: Arc::default(),
            share,
        };
        Self::set_up(connection, place).map_err(opening)
    }

    fn set_up(mut connection: Connection, place: Place) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        connection.execute_batch(&format!(
            "PRAGMA temp_store = MEMORY; PRAGMA max_page_count = {MAX_PAGES};"
        ))?;
        math::register(&connection)?;
        let guard = Guard::install(&mut connection)?;
        Ok(Self {
            connection,
            guard,
            savepoints: Cell::new(0),
            segment: Cell::new(Segment::Outside),
            began_in_segment: Cell::new(false),
            open: Cell::new(false),
            statement_limit: STATEMENT_LIMIT,
            place,
            alarm_touched: Cell::new(false),
            defers_keys: Cell::new(false),
        })
    }
}

pub(super) fn image_of(connection: &mut Connection) -> Result<Vec<u8>, StorageError> {
    let image = connection.serialize(MAIN_DB);
    Ok(image.map_err(|error| storage_error(&error))?.to_vec())
}

/// Configures how SQLite treats the file.
fn prepare_file(connection: &Connection) -> rusqlite::Result<()> {
    // The data folder is locked, so there is no other process to wait for.
    connection.busy_timeout(Duration::ZERO)?;
    // Exclusive before the log is first used: no shared memory, no lock calls per transaction.
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = NORMAL;")?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version < SCHEMA_VERSION {
        // A process of an earlier version ended while it created the file. Not done at each
        // opening, because this setting is a write.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")?;
        connection.execute_batch(SCHEMA)?;
    }
    // From here on the host syncs, on another thread and for many databases together. SQLite does
    // not move logs automatically, because it would sync on the thread that all objects of a shard
    // share. Nor does it when a database is dropped without being closed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0;")
}

fn explain(error: StorageError, path: &Path) -> StorageError {
    match error {
        StorageError::Io(message) | StorageError::Sql(message) => {
            io_error("opening", path, &message)
        }
        other => other,
    }
}
