//! One object's database. A transaction begins with the first write and ends when the host commits
//! the work of several turns together.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, TransactionState};

use super::authorizer::Guard;
use super::failure::{disk_is_full, storage_error};
use super::files::Unsynced;
use super::place::{MAX_PAGES, Place};
use crate::error::StorageError;

/// An open database. It belongs to one thread at a time. The host may open and close it on another
/// thread.
pub(crate) struct Database {
    pub(super) connection: Connection,
    pub(super) guard: Arc<Guard>,
    pub(super) savepoints: Cell<u32>,
    pub(super) segment: Cell<Segment>,
    /// Whether the open transaction contains only writes of the current segment.
    pub(super) began_in_segment: Cell<bool>,
    /// Whether a transaction was begun that the host has neither committed nor rolled back.
    pub(super) open: Cell<bool>,
    pub(super) statement_limit: Duration,
    pub(super) place: Place,
    /// Whether the alarm may have changed since the last commit. A rollback does not clear this,
    /// because an unnecessary read of the alarm is harmless.
    pub(super) alarm_touched: Cell<bool>,
    /// Whether `PRAGMA defer_foreign_keys` may be on. SQLite turns it off only at a commit, so it
    /// would also apply to other turns that share the commit.
    pub(super) defers_keys: Cell<bool>,
}

/// The state of a segment, which may be rolled back. Its first write opens its savepoint, so a turn
/// that only reads has no cost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment {
    Outside,
    Reading,
    Writing,
}

impl Database {
    #[cfg(test)]
    pub(super) fn set_statement_limit(&mut self, limit: Duration) {
        self.statement_limit = limit;
    }

    /// Whether there are uncommitted writes.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.open.get()
    }

    /// Called before every write.
    pub(super) fn begin(&self) -> Result<(), StorageError> {
        self.check_transaction()?;
        if !self.open.get() {
            self.execute("BEGIN")?;
            self.open.set(true);
            self.began_in_segment
                .set(self.segment.get() != Segment::Outside);
        }
        if self.segment.get() == Segment::Reading {
            self.execute("SAVEPOINT segment")?;
            self.segment.set(Segment::Writing);
        }
        Ok(())
    }

    /// Begins a segment: later writes can be rolled back to here. Does nothing inside a segment.
    pub(crate) fn enter_segment(&self) {
        if self.segment.get() == Segment::Outside {
            self.segment.set(Segment::Reading);
            self.began_in_segment.set(false);
        }
    }

    /// Excludes later writes from this segment's rollback, unless the segment has already written.
    pub(crate) fn end_reading_segment(&self) {
        if self.segment.get() == Segment::Reading {
            self.segment.set(Segment::Outside);
        }
    }

    /// Keeps what the segment wrote, or rolls it back.
    ///
    /// # Errors
    /// Fails if SQLite has rolled back the whole transaction.
    pub(crate) fn leave_segment(&self, keep: bool) -> Result<(), StorageError> {
        if self.defers_keys.take() {
            self.connection
                .execute_batch("PRAGMA defer_foreign_keys = OFF")
                .map_err(|error| storage_error(&error))?;
        }
        if self.segment.replace(Segment::Outside) != Segment::Writing {
            return Ok(());
        }
        self.check_transaction()?;
        if keep {
            return self.execute("RELEASE segment");
        }
        if self.began_in_segment.get() {
            // There is nothing else to commit.
            self.roll_back();
            return Ok(());
        }
        self.execute("ROLLBACK TO segment")?;
        self.execute("RELEASE segment")
    }

    pub(super) fn execute(&self, statement: &str) -> Result<(), StorageError> {
        let run = || self.connection.prepare_cached(statement)?.execute([]);
        run().map(drop).map_err(|error| storage_error(&error))
    }

    /// Returns the alarm as the next commit will leave it, if it may have changed since the last
    /// one. An alarm that a wake set for an object without data is committed with the object's
    /// first commit.
    pub(crate) fn touched_alarm(&self) -> Result<Option<Option<i64>>, StorageError> {
        if self.open.get() && self.alarm_touched.get() {
            self.alarm().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Whether SQLite has ended the transaction. It does so when the disk is full or fails, when
    /// memory is short, when a statement that writes is interrupted, and where the schema says
    /// `ROLLBACK`.
    fn is_lost(&self) -> bool {
        self.open.get() && self.connection.is_autocommit()
    }

    /// Fails if SQLite has rolled back the open transaction. All writes of turns since the last
    /// commit are then lost, so no turn may continue as if they were kept. This lasts until
    /// [`roll_back`](Self::roll_back), which the end of the activation calls.
    pub(super) fn check_transaction(&self) -> Result<(), StorageError> {
        if self.is_lost() {
            return Err(lost("an earlier statement failed"));
        }
        Ok(())
    }

    /// Returns the result of an operation, or an error if the operation ended the transaction.
    pub(super) fn settled<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        if !self.is_lost() {
            return result;
        }
        Err(match result {
            Ok(_) => lost("a statement ended it"),
            Err(StorageError::Io(message)) => StorageError::Io(message),
            Err(error) => lost(&error.to_string()),
        })
    }

    /// Ends a transaction that was opened for a statement that wrote nothing.
    pub(super) fn end_empty_transaction(&self) {
        if self.open.get()
            && !self.is_lost()
            && matches!(
                self.connection.transaction_state(None::<&str>),
                Ok(TransactionState::None | TransactionState::Read)
            )
        {
            self.roll_back();
        }
    }

    /// Makes a write as on a full disk: what makes the database grow fails. With `spills`, the
    /// write always fails, and SQLite rolls back the transaction, as when a full cache is written
    /// to the log before the commit.
    pub(crate) fn without_room<T>(
        &self,
        spills: bool,
        write: impl FnOnce(&Self) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        // SQLite accepts no limit below the current size.
        self.limit_pages(1)?;
        let written = write(self);
        self.limit_pages(MAX_PAGES)?;
        let has_written = self.connection.transaction_state(None::<&str>);
        if spills && matches!(has_written, Ok(TransactionState::Write)) {
            self.execute("ROLLBACK")?;
            return self.settled(Err(disk_is_full()));
        }
        written
    }

    fn limit_pages(&self, pages: u32) -> Result<(), StorageError> {
        self.connection
            .execute_batch(&format!("PRAGMA max_page_count = {pages}"))
            .map_err(|error| storage_error(&error))
    }

    /// Commits the open transaction to the operating system. Returns what makes it durable, or
    /// `None` if there is nothing to make durable.
    ///
    /// # Errors
    /// Fails if nothing was committed. The transaction is then rolled back.
    pub(crate) fn commit(&mut self) -> Result<Option<Unsynced>, StorageError> {
        if !self.open.get() {
            return Ok(None);
        }
        let committed = self
            .check_transaction()
            .and_then(|()| self.prepare_commit())
            .and_then(|()| self.execute("COMMIT"));
        if let Err(error) = committed {
            self.roll_back();
            return Err(error);
        }
        self.open.set(false);
        let unsynced = self.hand_over()?;
        self.alarm_touched.set(false);
        Ok(unsynced)
    }

    /// Rolls back the open transaction, if there is one.
    pub(crate) fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            // SQLite has already ended the transaction, or will when the database is closed.
            tracing::warn!(%error, "rolling back");
        }
        self.open.set(!self.connection.is_autocommit());
        if self.segment.get() == Segment::Writing {
            // Its savepoint was rolled back, too. The next write opens another.
            self.segment.set(Segment::Reading);
        }
    }

    /// Runs `body`. Keeps its writes if it returns `true`. Otherwise, or after a panic, rolls all
    /// of them back.
    pub(crate) fn transaction(&self, body: &mut dyn FnMut() -> bool) -> Result<(), StorageError> {
        let was_open = self.is_in_transaction();
        self.begin()?;
        let savepoint = Savepoint::open(self)?;
        let keep = body();
        let closed = savepoint.close(keep);
        let settled = self.settled(closed);
        if !was_open {
            // A transaction that only read needs no commit.
            self.end_empty_transaction();
        }
        settled
    }
}

fn lost(why: &str) -> StorageError {
    StorageError::Io(format!(
        "SQLite rolled back the open transaction, with all writes of this object since the last commit: {why}"
    ))
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
        // After a panic, the savepoint is rolled back here, or at the latest by the object's reset.
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
