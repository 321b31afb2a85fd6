//! One object's database: a transaction that begins with the first write and ends when the host
//! commits the work of several turns together.

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::authorizer::Guard;
use super::{io_error, math, storage_error};
use crate::error::StorageError;

/// The platform's 10 GB (P39), in pages of 4 KiB.
const MAX_PAGES: u32 = 2_621_440;
const STATEMENT_CACHE: usize = 64;
/// A file gives empty pages back when they are one in so many.
const EMPTY_PART: i64 = 4;
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    BEGIN;
    CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE _cf_ALARM (only INTEGER PRIMARY KEY CHECK (only = 1), at INTEGER NOT NULL);
    PRAGMA user_version = 1;
    COMMIT;";

/// An open database. It belongs to one thread at a time; the host may close it on another.
pub(crate) struct Database {
    pub(super) connection: Connection,
    pub(super) guard: Arc<Guard>,
    savepoints: Cell<u32>,
    segment: Cell<Segment>,
    files: Option<Files>,
}

/// A stretch of a turn that may be taken back: its savepoint is opened by its first write, so that a
/// turn which only reads pays nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Outside,
    Reading,
    Writing,
}

/// What has to reach the disk; none for a database in memory.
struct Files {
    log_path: PathBuf,
    /// Our own handle on the write-ahead log, to sync it from another thread.
    log: OnceCell<Arc<File>>,
    /// The folder, until the entries of newly made files in it are known to be on disk.
    new_in: Cell<Option<PathBuf>>,
}

/// A commit that the operating system has and the disk has not. It can cross threads.
pub(crate) struct Unsynced {
    log: Arc<File>,
    log_path: PathBuf,
    new_in: Option<PathBuf>,
}

impl Unsynced {
    /// Returns when the commit is on disk.
    ///
    /// # Errors
    /// The disk failed: the commit, and what was committed to this database after it, may be lost.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        self.log
            .sync_data()
            .map_err(|error| io_error("syncing", &self.log_path, &error))?;
        self.new_in.as_deref().map_or(Ok(()), sync_folder)
    }
}

fn sync_folder(path: &Path) -> Result<(), StorageError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io_error("syncing", path, &error))
}

/// Makes a folder and those above it, down from `root`, so that a crash does not lose them.
fn make_folders(root: &Path, folder: &Path) -> Result<(), StorageError> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(root);
    make_folders(root, parent)?;
    match std::fs::create_dir(folder) {
        Ok(()) => sync_folder(parent),
        // Another shard made it meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io_error("making", folder, &error)),
    }
}

impl Database {
    /// Opens the database at `path`, which lies somewhere under the folder `root`; makes it if it
    /// is not there.
    pub(crate) fn open(root: &Path, path: &Path) -> Result<Self, StorageError> {
        let folder = path.parent().unwrap_or(root);
        let is_new = !path.exists();
        if is_new {
            make_folders(root, folder)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .map_err(|error| StorageError::Io(format!("opening {}: {error}", path.display())))?;
        let mut log_path = path.as_os_str().to_owned();
        log_path.push("-wal");
        let files = Files {
            log_path: PathBuf::from(log_path),
            log: OnceCell::new(),
            new_in: Cell::new(is_new.then(|| folder.to_owned())),
        };
        Self::set_up(connection, Some(files)).map_err(|error| explain(storage_error(&error), path))
    }

    /// A database that lives as long as this value.
    pub(crate) fn in_memory() -> Result<Self, StorageError> {
        Connection::open_in_memory()
            .and_then(|connection| Self::set_up(connection, None))
            .map_err(|error| storage_error(&error))
    }

    fn set_up(mut connection: Connection, files: Option<Files>) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        // The data folder is locked, so nobody is worth waiting for.
        connection.busy_timeout(Duration::ZERO)?;
        // Exclusive before the log is first used: no shared memory, no lock calls per transaction.
        // How pages are given back is settled before the first table, or never.
        // NORMAL: SQLite syncs around checkpoints only; commits are synced by the host, together.
        connection.execute_batch(&format!(
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA auto_vacuum = INCREMENTAL;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL;
             PRAGMA temp_store = MEMORY;
             PRAGMA max_page_count = {MAX_PAGES};"
        ))?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version < SCHEMA_VERSION {
            connection.execute_batch(SCHEMA)?;
        }
        math::register(&connection)?;
        let guard = Guard::install(&mut connection)?;
        Ok(Self {
            connection,
            guard,
            savepoints: Cell::new(0),
            segment: Cell::new(Segment::Outside),
            files,
        })
    }

    /// Whether there are writes that no commit has closed.
    pub(crate) fn is_in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Called before every write.
    pub(super) fn begin(&self) -> Result<(), StorageError> {
        if !self.is_in_transaction() {
            self.execute("BEGIN")?;
        }
        if self.segment.get() == Segment::Reading {
            self.execute("SAVEPOINT segment")?;
            self.segment.set(Segment::Writing);
        }
        Ok(())
    }

    /// From now on writes can be taken back to here. Does nothing inside of a segment.
    pub(crate) fn enter_segment(&self) {
        if self.segment.get() == Segment::Outside {
            self.segment.set(Segment::Reading);
        }
    }

    /// Keeps what the segment wrote, or takes it back.
    pub(crate) fn leave_segment(&self, keep: bool) -> Result<(), StorageError> {
        let segment = self.segment.replace(Segment::Outside);
        // SQLite may have ended the transaction by itself, and all its savepoints with it.
        if segment != Segment::Writing || !self.is_in_transaction() {
            return Ok(());
        }
        if !keep {
            self.execute("ROLLBACK TO segment")?;
        }
        self.execute("RELEASE segment")
    }

    pub(super) fn execute(&self, statement: &str) -> Result<(), StorageError> {
        let run = || self.connection.prepare_cached(statement)?.execute([]);
        run().map(drop).map_err(|error| storage_error(&error))
    }

    /// Hands the open transaction to the operating system. What is returned makes it durable.
    ///
    /// # Errors
    /// Nothing was committed, and the transaction is rolled back.
    pub(crate) fn commit(&self) -> Result<Option<Unsynced>, StorageError> {
        let committed = if self.is_in_transaction() {
            self.execute("COMMIT")
        } else {
            Ok(())
        };
        committed
            .and_then(|()| self.unsynced())
            .inspect_err(|_| self.roll_back())
    }

    fn unsynced(&self) -> Result<Option<Unsynced>, StorageError> {
        let Some(files) = &self.files else {
            return Ok(None);
        };
        let log = match files.log.get() {
            Some(log) => Arc::clone(log),
            None => {
                let log = File::open(&files.log_path)
                    .map_err(|error| io_error("opening", &files.log_path, &error))?;
                Arc::clone(files.log.get_or_init(|| Arc::new(log)))
            }
        };
        Ok(Some(Unsynced {
            log,
            log_path: files.log_path.clone(),
            new_in: files.new_in.take(),
        }))
    }

    /// Drops the open transaction, if there is one.
    pub(crate) fn roll_back(&self) {
        if self.is_in_transaction()
            && let Err(error) = self.execute("ROLLBACK")
        {
            // SQLite has ended the transaction by itself, or will when the database is closed.
            tracing::warn!(%error, "rolling back");
        }
    }

    /// Runs `body`; its writes stay if it returns true, else none does, nor after a panic.
    pub(crate) fn transaction(&self, body: &mut dyn FnMut() -> bool) -> Result<(), StorageError> {
        self.begin()?;
        let savepoint = Savepoint::open(self)?;
        let keep = body();
        savepoint.close(keep)
    }

    /// Moves the log into the database and closes it.
    pub(crate) fn close(self) -> Result<(), StorageError> {
        self.roll_back();
        if let Err(error) = self.give_back_pages() {
            // They will be given back at another close, or used again.
            tracing::warn!(
                error = storage_error(&error).to_string(),
                "giving pages back"
            );
        }
        self.connection
            .close()
            .map_err(|(_, error)| storage_error(&error))
    }
}

impl Database {
    /// Makes the file smaller if deleted rows have left much of it empty. At the end only: an
    /// object that deletes mostly writes again.
    fn give_back_pages(&self) -> rusqlite::Result<()> {
        let count = |pragma: &str| {
            self.connection
                .query_row(pragma, [], |row| row.get::<_, i64>(0))
        };
        if count("PRAGMA freelist_count")? * EMPTY_PART < count("PRAGMA page_count")? {
            return Ok(());
        }
        let mut vacuum = self.connection.prepare("PRAGMA incremental_vacuum")?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
        Ok(())
    }
}

fn explain(error: StorageError, path: &Path) -> StorageError {
    match error {
        StorageError::Io(message) | StorageError::Sql(message) => {
            StorageError::Io(format!("opening {}: {message}", path.display()))
        }
        other => other,
    }
}

struct Savepoint<'a> {
    database: &'a Database,
    level: u32,
    closed: bool,
}

impl<'a> Savepoint<'a> {
    fn open(database: &'a Database) -> Result<Self, StorageError> {
        let level = database.savepoints.get() + 1;
        database.execute(&format!("SAVEPOINT level_{level}"))?;
        database.savepoints.set(level);
        Ok(Self {
            database,
            level,
            closed: false,
        })
    }

    fn close(mut self, keep: bool) -> Result<(), StorageError> {
        self.closed = true;
        let level = self.level;
        self.database.savepoints.set(level - 1);
        if !keep {
            self.database
                .execute(&format!("ROLLBACK TO level_{level}"))?;
        }
        self.database.execute(&format!("RELEASE level_{level}"))
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        // A panic: the savepoint goes, or at the latest the object's reset takes it along.
        let level = self.level;
        self.database.savepoints.set(level - 1);
        let undone = self
            .database
            .execute(&format!("ROLLBACK TO level_{level}"))
            .and_then(|()| self.database.execute(&format!("RELEASE level_{level}")));
        if let Err(error) = undone {
            tracing::warn!(%error, "undoing a transaction after a panic");
        }
    }
}
