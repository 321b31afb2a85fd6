//! Where a database is: in memory as long as nobody wrote to the object, then in a file.

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::authorizer::{Guard, STATEMENT_LIMIT};
use super::copy::copy;
use super::database::Segment;
use super::descriptors::Share;
use super::files::{Files, Unsynced, What, log_of, open_folder};
use super::{Database, io_error, log, math, storage_error};
use crate::error::StorageError;

/// The platform's 10 GB (P39), in pages of 4 KiB.
pub(super) const MAX_PAGES: u32 = 2_621_440;
const STATEMENT_CACHE: usize = 64;
/// A file gives empty pages back when they are one in so many.
const EMPTY_PART: i64 = 4;
/// A log beyond this is moved into its database when the object rests.
const LONG_LOG: u64 = 4 * 1024 * 1024;
/// A log beyond this is moved at once, on the thread of the object.
const LONGEST_LOG: u64 = 64 * 1024 * 1024;
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    BEGIN;
    CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE _cf_ALARM (only INTEGER PRIMARY KEY CHECK (only = 1), at INTEGER NOT NULL);
    PRAGMA user_version = 1;
    COMMIT;";
/// Where a file of SQLite says that it has a write-ahead log, for readers and for writers.
const JOURNAL_VERSIONS: std::ops::RangeInclusive<usize> = 18..=19;
const HAS_A_LOG: u8 = 2;

/// Where the contents are, and what has to reach the disk.
pub(super) enum Place {
    /// In memory for good: the simulator's.
    Memory {
        written: bool,
        /// As the simulator says: there is no log.
        has_long_log: bool,
    },
    /// In memory until there is a file: an object that nobody wrote to leaves nothing behind.
    Image {
        files: Arc<Files>,
        path: PathBuf,
        /// The last commit is on disk, in the file.
        exists: Arc<AtomicBool>,
        is_broken: Arc<AtomicBool>,
        /// What there was when nothing but the wake had written.
        at_wake: Cell<Option<Contents>>,
    },
    File {
        files: Arc<Files>,
        /// Of the write-ahead log.
        path: PathBuf,
        /// Our own handle on it, to sync it from another thread.
        log: Arc<File>,
        /// The end of its last commit. The file may be longer: see [`Files::void_log`].
        length: Arc<AtomicU64>,
        entry: Cell<LogEntry>,
        /// How much of the log is on disk.
        durable: Arc<AtomicU64>,
        /// A part of the log may be in the database.
        is_half_moved: Cell<bool>,
        is_broken: Arc<AtomicBool>,
        _share: Share,
    },
}

/// The log's entry in its folder.
#[derive(Debug, Default)]
pub(super) enum LogEntry {
    /// Not yet on disk.
    New,
    /// Not yet on disk; the folder is open to be synced.
    Ready(File),
    #[default]
    Durable,
}

/// Tells whether anything was written in between: the rows that were changed so far, and the version
/// of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    changes: u64,
    schema: i64,
}

impl Database {
    /// A database that lives as long as this value.
    pub(crate) fn in_memory() -> Result<Self, StorageError> {
        Self::without_file(Place::Memory {
            written: false,
            has_long_log: false,
        })
    }

    /// The database of an object that has none yet: its first commit makes the file at `path`.
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

    /// A database that begins as an earlier one was, and lives as long as this value.
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

    /// Everything that was committed.
    pub(crate) fn image(&mut self) -> Result<Vec<u8>, StorageError> {
        image_of(&mut self.connection)
    }

    fn without_file(place: Place) -> Result<Self, StorageError> {
        Connection::open_in_memory()
            .and_then(|connection| {
                // How pages are given back is settled before the first table, or never.
                connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
                connection.execute_batch(SCHEMA)?;
                Self::set_up(connection, place)
            })
            .map_err(|error| storage_error(&error))
    }

    /// Opens the database at `path`, which is there. Syncs what an earlier process or a failed
    /// commit left, so it belongs on a thread that may wait for the disk.
    pub(crate) fn open(files: &Arc<Files>, path: &Path) -> Result<Self, StorageError> {
        let share = files.descriptors.take()?;
        Self::open_with(share, files, path)
    }

    fn open_with(share: Share, files: &Arc<Files>, path: &Path) -> Result<Self, StorageError> {
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
        // All that may fail is done before a commit: its outcome would not be known.
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
            _share: share,
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

    /// Whether a commit has ever closed a write: if not, there is nothing to be kept.
    pub(crate) fn is_unwritten(&self) -> bool {
        match &self.place {
            Place::Memory { written, .. } => !written,
            Place::Image { exists, .. } => !exists.load(Ordering::Acquire),
            Place::File { .. } => false,
        }
    }

    /// After the wake of an object that nobody wrote to: what the wake itself wrote, the tables of
    /// migrations for one, is as good as never written. It comes along with the first commit.
    pub(crate) fn settle_wake(&self) -> Result<(), StorageError> {
        if !self.is_unwritten() {
            return Ok(());
        }
        if self.is_in_transaction() {
            self.check_transaction()?;
            self.execute("COMMIT")?;
            self.open.set(false);
        }
        if let Place::Image { at_wake, .. } = &self.place {
            at_wake.set(Some(self.contents()?));
        }
        Ok(())
    }

    fn contents(&self) -> Result<Contents, StorageError> {
        let schema = self
            .connection
            .query_row("PRAGMA schema_version", [], |row| row.get(0));
        Ok(Contents {
            changes: self.connection.total_changes(),
            schema: schema.map_err(|error| storage_error(&error))?,
        })
    }

    /// Whether the commit of an object that nobody wrote to changed nothing either: the deletion of
    /// a key that is not there, for one.
    pub(crate) fn is_as_at_wake(&self) -> Result<bool, StorageError> {
        match &self.place {
            Place::Image {
                at_wake, exists, ..
            } if !exists.load(Ordering::Acquire) => Ok(at_wake.get() == Some(self.contents()?)),
            _ => Ok(false),
        }
    }

    /// Before a commit: opens what its sync will need, since after it a failure would leave open
    /// what became of it.
    pub(super) fn prepare_commit(&self) -> Result<(), StorageError> {
        let Place::File { path, entry, .. } = &self.place else {
            return Ok(());
        };
        let prepared = match entry.take() {
            LogEntry::New => open_folder(path.parent().unwrap_or(path)).map(LogEntry::Ready),
            as_it_is => Ok(as_it_is),
        };
        match prepared {
            Ok(prepared) => {
                entry.set(prepared);
                Ok(())
            }
            Err(error) => {
                entry.set(LogEntry::New);
                Err(error)
            }
        }
    }

    /// What makes the commit durable that was just made.
    pub(super) fn hand_over(&mut self) -> Result<Option<Unsynced>, StorageError> {
        if self.is_as_at_wake()? {
            return Ok(None);
        }
        if let Place::Image { exists, .. } = &self.place
            && exists.load(Ordering::Acquire)
            && let Err(error) = self.move_into_file()
        {
            // It goes on as an image.
            tracing::warn!(%error, "an object's database stays in memory");
        }
        // Now, while no batch is on its way whose sync would tell of a log that is gone. The commit
        // stands whatever comes of it: it is in the log, if it is not in the database.
        if self.log_length() > LONGEST_LOG
            && let Err(error) = self.shorten_log()
        {
            tracing::error!(%error, "a long log stays as it is");
        }
        match &mut self.place {
            Place::Memory { written, .. } => {
                *written = true;
                Ok(None)
            }
            Place::Image {
                files,
                path,
                exists,
                is_broken,
                at_wake,
            } => {
                // From here on even what a later commit takes away was there.
                at_wake.set(None);
                let mut image = image_of(&mut self.connection)?;
                if let Some(versions) = image.get_mut(JOURNAL_VERSIONS) {
                    versions.fill(HAS_A_LOG);
                }
                Ok(Some(Unsynced {
                    files: Arc::clone(files),
                    path: path.clone(),
                    is_broken: Arc::clone(is_broken),
                    what: What::Image {
                        image,
                        exists: Arc::clone(exists),
                    },
                }))
            }
            Place::File {
                files,
                path,
                log,
                length,
                entry,
                durable,
                is_broken,
                ..
            } => Ok(Some(Unsynced {
                files: Arc::clone(files),
                path: path.clone(),
                is_broken: Arc::clone(is_broken),
                what: What::Log {
                    log: Arc::clone(log),
                    folder: match entry.take() {
                        LogEntry::Ready(folder) => Some(folder),
                        LogEntry::New | LogEntry::Durable => None,
                    },
                    length: length.load(Ordering::Acquire),
                    durable: Arc::clone(durable),
                },
            })),
        }
    }

    /// Goes on in the file that holds an earlier commit; the contents become a commit of its log.
    fn move_into_file(&mut self) -> Result<(), StorageError> {
        let Place::Image { files, path, .. } = &self.place else {
            return Ok(());
        };
        // Not on this thread would it wait.
        let Some(share) = files.descriptors.try_take() else {
            return Ok(());
        };
        let mut moved = Self::open_with(share, files, path)?;
        moved.prepare_commit()?;
        copy(&self.connection, &mut moved.connection).map_err(|error| storage_error(&error))?;
        moved.measure_log()?;
        moved.statement_limit = self.statement_limit;
        *self = moved;
        Ok(())
    }

    /// For a commit that SQLite tells no hook of: that of a copy.
    fn measure_log(&self) -> Result<(), StorageError> {
        if let Place::File { length, .. } = &self.place {
            let measured = log::length(&self.connection).map_err(|error| storage_error(&error))?;
            length.store(measured, Ordering::Release);
        }
        Ok(())
    }

    fn log_length(&self) -> u64 {
        match &self.place {
            Place::File { length, .. } => length.load(Ordering::Acquire),
            Place::Memory { .. } | Place::Image { .. } => 0,
        }
    }

    /// Whether nothing but the wake of an object has written, which each wake does anew.
    pub(super) fn is_as_new(&self) -> bool {
        match &self.place {
            Place::Memory { written, .. } => !written,
            Place::Image { at_wake, .. } => at_wake.get().is_some(),
            Place::File { .. } => false,
        }
    }

    /// Whether the log should be moved into the database when the object rests.
    pub(crate) fn has_long_log(&self) -> bool {
        let is_long = match self.place {
            Place::Memory { has_long_log, .. } => has_long_log,
            Place::Image { .. } | Place::File { .. } => self.log_length() > LONG_LOG,
        };
        is_long && !self.is_in_transaction()
    }

    /// Says of a database in memory what [`has_long_log`](Self::has_long_log) tells.
    pub(crate) fn set_long_log(&mut self, is_long: bool) {
        if let Place::Memory { has_long_log, .. } = &mut self.place {
            *has_long_log = is_long;
        }
    }

    /// Moves the log into the database; syncs the one before, the other after. Its next commit
    /// starts the log anew.
    pub(crate) fn shorten_log(&self) -> Result<(), StorageError> {
        let Place::File {
            files,
            path,
            log,
            length,
            durable,
            is_half_moved,
            is_broken,
            ..
        } = &self.place
        else {
            return Ok(());
        };
        is_half_moved.set(true);
        let moved = self.with_syncs(|connection| {
            connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| {
                row.get::<_, i64>(0)
            })
        });
        #[cfg(test)]
        self.place.note_moved_log();
        let failed = match moved {
            Ok(0) => {
                is_half_moved.set(false);
                length.store(0, Ordering::Release);
                durable.store(0, Ordering::Release);
                return files
                    .void_log(log, path)
                    .inspect_err(|_| is_broken.store(true, Ordering::Release));
            }
            Ok(_) => StorageError::Io("a log could not be moved into its database".to_owned()),
            Err(error) => storage_error(&error),
        };
        is_broken.store(true, Ordering::Release);
        Err(failed)
    }

    /// Lets SQLite sync by itself meanwhile, which it does around the moving of a log only.
    fn with_syncs<T>(
        &self,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.connection
            .execute_batch("PRAGMA synchronous = NORMAL")?;
        let result = run(&self.connection);
        self.connection.execute_batch("PRAGMA synchronous = OFF")?;
        result
    }

    /// Moves the log into the database and closes it. After a sync that failed the log stays where
    /// it is: nothing of it may reach the database before it was made durable anew. What was
    /// reported as lost is cut off.
    pub(crate) fn close(self) -> Result<(), StorageError> {
        self.roll_back();
        let Place::File { is_broken, .. } = &self.place else {
            return Ok(());
        };
        let is_broken = is_broken.load(Ordering::Acquire);
        if !is_broken {
            if let Err(error) = give_back_pages(&self.connection) {
                // They will be given back at another close, or used again.
                tracing::warn!(
                    error = storage_error(&error).to_string(),
                    "giving pages back"
                );
            }
            self.connection
                .execute_batch("PRAGMA synchronous = NORMAL")
                .and_then(|()| {
                    let stays = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
                    self.connection.set_db_config(stays, false)
                })
                .map_err(|error| storage_error(&error))?;
        }
        let Self {
            connection, place, ..
        } = self;
        #[cfg(test)]
        if !is_broken {
            place.note_synced_log();
        }
        connection
            .close()
            .map_err(|(_, error)| storage_error(&error))?;
        if is_broken {
            place.cut_log();
            return Ok(());
        }
        #[cfg(test)]
        place.note_moved_log();
        Ok(())
    }
}

impl Place {
    /// Cuts the log again: SQLite may have written to it since the sync failed.
    fn cut_log(&self) {
        if let Self::File {
            files,
            path,
            log,
            durable,
            is_half_moved,
            ..
        } = self
            // Else the database may have a part of it, and needs the rest.
            && !is_half_moved.get()
        {
            files.cut_log(log, path, durable.load(Ordering::Acquire));
        }
    }
}

fn image_of(connection: &mut Connection) -> Result<Vec<u8>, StorageError> {
    let image = connection.serialize(MAIN_DB);
    Ok(image.map_err(|error| storage_error(&error))?.to_vec())
}

/// Settles how SQLite treats the file.
fn prepare_file(connection: &Connection) -> rusqlite::Result<()> {
    // The data folder is locked, so nobody is worth waiting for.
    connection.busy_timeout(Duration::ZERO)?;
    // Exclusive before the log is first used: no shared memory, no lock calls per transaction.
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = NORMAL;")?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version < SCHEMA_VERSION {
        // A process of an earlier version ended while it made the file. Not for each opening: to
        // set how pages are given back is a write.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")?;
        connection.execute_batch(SCHEMA)?;
    }
    // From here on the host syncs, on another thread and for many databases together. SQLite moves
    // no log by itself: it would sync on the thread that all objects of a shard share. Nor does it
    // when a database is dropped and not closed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0;")
}

/// Makes the file smaller if deleted rows have left much of it empty. At the end only: an object
/// that deletes mostly writes again.
fn give_back_pages(connection: &Connection) -> rusqlite::Result<()> {
    let count = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    if count("PRAGMA freelist_count")? * EMPTY_PART < count("PRAGMA page_count")? {
        return Ok(());
    }
    let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

fn explain(error: StorageError, path: &Path) -> StorageError {
    match error {
        StorageError::Io(message) | StorageError::Sql(message) => {
            io_error("opening", path, &message)
        }
        other => other,
    }
}

#[cfg(test)]
impl Place {
    /// SQLite syncs the log before it moves it: with the pages that were given back.
    fn note_synced_log(&self) {
        if let Self::File { files, path, .. } = self {
            files.power.file_synced(path);
        }
    }

    /// SQLite has synced the database.
    fn note_moved_log(&self) {
        if let Self::File { files, path, .. } = self {
            let database = path.to_string_lossy().trim_end_matches("-wal").to_owned();
            files.power.file_synced(Path::new(&database));
        }
    }
}
