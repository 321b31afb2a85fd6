//! Makes a database's commits durable, and ends its log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::copy::copy;
use super::database::Database;
use super::failure::storage_error;
use super::files::{Unsynced, What, open_folder};
use super::log;
use super::opening::image_of;
use super::place::{Contents, LogEntry, Place};
use crate::error::StorageError;

/// A file returns empty pages to the system when at least one in this many pages is empty.
const EMPTY_PART: i64 = 4;
/// A log longer than this is moved into its database when the object is idle.
const LONG_LOG: u64 = 4 * 1024 * 1024;
/// A log longer than this is moved at once, on the object's thread.
const LONGEST_LOG: u64 = 64 * 1024 * 1024;
/// Where a file of SQLite states that it has a write-ahead log, for readers and for writers.
const JOURNAL_VERSIONS: std::ops::RangeInclusive<usize> = 18..=19;
const HAS_A_LOG: u8 = 2;

impl Database {
    /// Whether no commit has ever contained a write. There is then nothing to keep.
    pub(crate) fn is_unwritten(&self) -> bool {
        match &self.place {
            Place::Memory { written, .. } => !written,
            Place::Image { exists, .. } => !exists.load(Ordering::Acquire),
            Place::File { .. } => false,
        }
    }

    /// Called after the wake of an object that was never written to. Writes of the wake itself, for
    /// example tables of migrations, do not count as written. They are committed with the first
    /// commit.
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

    /// Whether the commit of an object that was never written to changed nothing either, for
    /// example by deleting a missing key.
    pub(crate) fn is_as_at_wake(&self) -> Result<bool, StorageError> {
        match &self.place {
            Place::Image {
                at_wake, exists, ..
            } if !exists.load(Ordering::Acquire) => Ok(at_wake.get() == Some(self.contents()?)),
            _ => Ok(false),
        }
    }

    /// Opens before a commit what its sync will need. A failure after the commit would leave its
    /// outcome unknown.
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

    /// Returns what makes the last commit durable.
    pub(super) fn hand_over(&mut self) -> Result<Option<Unsynced>, StorageError> {
        if self.is_as_at_wake()? {
            return Ok(None);
        }
        if let Place::Image { exists, .. } = &self.place
            && exists.load(Ordering::Acquire)
            && let Err(error) = self.move_into_file()
        {
            // It continues as an image.
            tracing::warn!(%error, "an object's database stays in memory");
        }
        // Done now, while no batch is in flight whose sync would report a missing log. The commit
        // is valid in either case: it is in the log, if not in the database.
        if self.log_length() > LONGEST_LOG
            && let Err(error) = self.shorten_log()
        {
            tracing::error!(%error, "a long log could not be shortened");
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
                // From here on, the object counts as written to, even if a later commit deletes
                // everything.
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

    /// Continues in the file that holds an earlier commit. The contents become a commit of the
    /// file's log.
    fn move_into_file(&mut self) -> Result<(), StorageError> {
        let Place::Image { files, path, .. } = &self.place else {
            return Ok(());
        };
        // Does not wait for a descriptor, because that would block this thread.
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

    /// Measures the log after a copy, because SQLite calls no hook for such a commit.
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

    /// Whether only the wake of the object has written. Each wake repeats those writes.
    pub(super) fn is_as_new(&self) -> bool {
        match &self.place {
            Place::Memory { written, .. } => !written,
            Place::Image { at_wake, .. } => at_wake.get().is_some(),
            Place::File { .. } => false,
        }
    }

    /// Whether the log should be moved into the database when the object is idle.
    pub(crate) fn has_long_log(&self) -> bool {
        let is_long = match self.place {
            Place::Memory { has_long_log, .. } => has_long_log,
            Place::Image { .. } | Place::File { .. } => self.log_length() > LONG_LOG,
        };
        is_long && !self.is_in_transaction()
    }

    /// Sets the result of [`has_long_log`](Self::has_long_log) for a database in memory.
    pub(crate) fn set_long_log(&mut self, is_long: bool) {
        if let Place::Memory { has_long_log, .. } = &mut self.place {
            *has_long_log = is_long;
        }
    }

    /// Moves the log into the database. Syncs the log first, then the database. The next commit
    /// starts the log from the beginning.
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

    /// Lets SQLite sync meanwhile. It does so only when it moves a log.
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

    /// Marks the database as about to close. Openings that wait for its descriptors keep waiting.
    pub(crate) fn leaves(&self) {
        if let Place::File { share, .. } = &self.place {
            share.closes();
        }
    }

    /// Moves the log into the database and closes it. After a failed sync the log is not moved:
    /// nothing of it may reach the database before it is durable. The part that was reported as
    /// lost is cut off.
    pub(crate) fn close(self) -> Result<(), StorageError> {
        self.roll_back();
        let Place::File { is_broken, .. } = &self.place else {
            return Ok(());
        };
        let is_broken = is_broken.load(Ordering::Acquire);
        if !is_broken {
            if let Err(error) = give_back_pages(&self.connection) {
                // They will be returned at another close, or reused.
                tracing::warn!(
                    error = storage_error(&error).to_string(),
                    "empty pages could not be returned to the file system"
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

/// Shrinks the file if deleted rows have left much of it empty. Done only at the end, because an
/// object that deletes usually writes again.
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
