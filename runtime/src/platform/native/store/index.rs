//! The folder's index: which objects have an alarm, so that a host that starts wakes nobody else.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, params};

use super::super::kernel::{Pause, PausedAlarm};
use super::rebuild::rebuild;
use super::{io_error, storage_error};
use crate::error::StorageError;
use crate::id::RawId;

/// Of the index's contents: another one is made anew.
const VERSION: i64 = 1;

const DUE: &str = "SELECT id, class, at, paused_until, failures FROM alarm
    WHERE coalesce(paused_until, at) BETWEEN ?2 AND ?1
        AND (coalesce(paused_until, at), id) > (?2, ?3)
    ORDER BY coalesce(paused_until, at), id LIMIT ?4";
const END_PAUSES: &str =
    "UPDATE alarm SET paused_until = NULL, failures = 0 WHERE paused_until IS NOT NULL";

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
    /// It failed and is to be tried again then.
    pub(crate) pause: Option<Pause>,
}

impl Due {
    /// When there is something to do.
    pub(crate) fn date(&self) -> i64 {
        self.pause.map_or(self.at, |pause| pause.until)
    }
}

/// A change of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Adds an entry or replaces it. On disk when the write has returned.
    Record(Entry),
    /// The alarm moved later or went. May be lost: an older entry only wakes an object too early.
    Follow(RawId, Option<i64>),
    /// The alarm failed and waits, until its entry changes. May be lost: it is tried too early then.
    Pause(PausedAlarm),
    /// All pauses end: their dates mean nothing once the clock was set.
    EndPauses,
}

/// Shared by the shards, which read; one thread writes, and no reader waits for it.
pub(crate) struct Index {
    writer: Mutex<Connection>,
    /// None in memory, where the writer's connection is the only one that has the contents.
    reader: Option<Mutex<Connection>>,
}

impl Index {
    /// Opens the index of a data folder. Where it is missing, damaged or of another version, it is
    /// made from the objects' databases first: it holds nothing that they do not, but the names.
    pub(crate) fn open(path: &Path) -> Result<Self, StorageError> {
        let explain = |error: &rusqlite::Error| {
            StorageError::Io(format!("opening {}: {error}", path.display()))
        };
        let opened = Connection::open(path).and_then(Self::set_up);
        let writer = match opened {
            Err(error) if is_damaged(&error) => {
                tracing::error!(%error, path = %path.display(), "the index of alarms is damaged; it is set aside and made anew");
                set_aside(path)?;
                Connection::open(path).and_then(Self::set_up)
            }
            opened => opened,
        };
        let writer = writer.map_err(|error| explain(&error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(path, flags).map_err(|error| explain(&error))?;
        let index = Self {
            writer: Mutex::new(writer),
            reader: Some(Mutex::new(reader)),
        };
        let version = index
            .writer()
            .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        if version.map_err(|error| explain(&error))? != VERSION {
            let root = path.parent().unwrap_or(path);
            rebuild(&index, &root.join("objects"))?;
            // Last: a rebuilding that was interrupted begins again.
            let mark = format!("PRAGMA user_version = {VERSION}");
            let marked = index.writer().execute_batch(&mark);
            marked.map_err(|error| explain(&error))?;
        }
        Ok(index)
    }

    pub(crate) fn in_memory() -> Result<Self, StorageError> {
        let writer = Connection::open_in_memory()
            .and_then(Self::set_up)
            .map_err(|error| storage_error(&error))?;
        Ok(Self {
            writer: Mutex::new(writer),
            reader: None,
        })
    }

    fn set_up(connection: Connection) -> rusqlite::Result<Connection> {
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
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
        Ok(connection)
    }

    /// Pauses, which the first versions of the index did not keep. They end with the process, as
    /// those that are in memory do.
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

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic cut short was rolled back when its guard was dropped, and each
        // says anew whether it is synced.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held for short reads only, never while the disk is waited for.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        let reader = self.reader.as_ref().unwrap_or(&self.writer);
        reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes all changes, or none.
    ///
    /// # Errors
    /// None was made, or what was recorded may not be on disk.
    pub(crate) fn write(&self, changes: &[Change]) -> Result<(), StorageError> {
        let is_recorded = |change: &Change| matches!(change, Change::Record(_));
        let synced = changes.iter().any(is_recorded);
        self.transaction(synced, |transaction| {
            let mut make = |change| make_change(transaction, change);
            changes.iter().try_for_each(&mut make)
        })
        .map_err(|error| storage_error(&error))
    }

    fn transaction(
        &self,
        synced: bool,
        run: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut connection = self.writer();
        let synchronous = if synced { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        let transaction = connection.transaction()?;
        run(&transaction)?;
        transaction.commit()
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
        let connection = self.reader();
        let run = || {
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
        run().map_err(|error| storage_error(&error))
    }

    /// Runs this while a write is on its way to the disk and does not arrive.
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
        self.writer().execute_batch(statement).unwrap();
    }

    pub(crate) fn find(&self, id: RawId) -> Result<Option<Entry>, StorageError> {
        let connection = self.reader();
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

fn make_change(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    match change {
        // Reached by its identifier an object has no name here, but it keeps the one it had.
        Change::Record(entry) => transaction
            .prepare_cached(
                "INSERT INTO alarm (id, class, name, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET class = excluded.class, at = excluded.at,
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

/// Keeps a damaged index for whoever wants to look at it.
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

    fn record(index: &Index, entries: impl IntoIterator<Item = Entry>) {
        let changes: Vec<_> = entries.into_iter().map(Change::Record).collect();
        index.write(&changes).unwrap();
    }

    fn due(number: u8, at: i64) -> Due {
        Due {
            id: id(number),
            class: "Counter".to_owned(),
            at,
            pause: None,
        }
    }

    #[test]
    fn index_remembers_names_and_follows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.sqlite");
        let index = Index::open(&path).unwrap();
        record(&index, [entry(1, 10), entry(2, 20)]);
        let nameless = Entry {
            name: None,
            ..entry(1, 5)
        };
        record(&index, [nameless]);
        index
            .write(&[
                Change::Follow(id(1), Some(30)),
                Change::Follow(id(2), None),
                Change::Follow(id(3), Some(1)),
            ])
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
        record(
            &index,
            (1..=5).map(|number| entry(number, i64::from(number / 2))),
        );
        let first = index.due(2, None, 2).unwrap();
        assert_eq!(first, [due(1, 0), due(2, 1)]);
        let second = index.due(2, Some((1, id(2))), 2).unwrap();
        assert_eq!(second, [due(3, 1), due(4, 2)]);
        assert_eq!(index.due(2, Some((2, id(4))), 2).unwrap(), [due(5, 2)]);
    }

    fn paused(number: u8, until: i64) -> PausedAlarm {
        let failures = 3;
        PausedAlarm {
            id: id(number),
            pause: Pause { until, failures },
        }
    }

    #[test]
    fn paused_alarms_are_due_when_their_pauses_end() {
        let index = Index::in_memory().unwrap();
        record(
            &index,
            [entry(1, 10), entry(2, 10), entry(3, 10), entry(4, 20)],
        );
        let pauses = [paused(1, 30), paused(2, 30), paused(3, 15)];
        index.write(&pauses.map(Change::Pause)).unwrap();
        let with_pause = |number, until| Due {
            pause: Some(paused(number, until).pause),
            ..due(number, 10)
        };
        let first = index.due(29, None, 9).unwrap();
        assert_eq!(first, [with_pause(3, 15), due(4, 20)]);
        let all = index.due(30, Some((20, id(4))), 9).unwrap();
        assert_eq!(all, [with_pause(1, 30), with_pause(2, 30)]);
        // The object's own alarm is what a wake compares.
        assert_eq!(index.find(id(1)).unwrap(), Some(entry(1, 10)));
        // What an object commits ends the pause.
        record(&index, [entry(1, 12)]);
        index.write(&[Change::Follow(id(2), Some(13))]).unwrap();
        assert_eq!(index.due(14, None, 9).unwrap(), [due(1, 12), due(2, 13)]);
        index.write(&[Change::EndPauses]).unwrap();
        assert_eq!(index.due(10, None, 9).unwrap(), [due(3, 10)]);
    }

    #[test]
    fn due_alarms_are_found_without_reading_the_others() {
        let index = Index::in_memory().unwrap();
        let connection = index.writer();
        let plan: String = connection
            .query_row(&format!("EXPLAIN QUERY PLAN {DUE}"), [0, 0, 0, 0], |row| {
                row.get(3)
            })
            .unwrap();
        assert_eq!(
            plan,
            "SEARCH alarm USING INDEX alarm_date (<expr>>? AND <expr><?)"
        );
    }

    #[test]
    fn index_of_the_first_version_keeps_its_alarms_and_gets_pauses() {
        let root = folder(&[]);
        let path = root.path().join("index.sqlite");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(
            "CREATE TABLE alarm (
                 id BLOB PRIMARY KEY, class TEXT NOT NULL, name TEXT, at INTEGER NOT NULL
             ) WITHOUT ROWID;
             CREATE INDEX alarm_at ON alarm (at);
             PRAGMA user_version = 1;",
        )
        .unwrap();
        old.execute(
            "INSERT INTO alarm VALUES (?1, 'Counter', 'a', 10)",
            [id(1).0],
        )
        .unwrap();
        drop(old);
        let index = Index::open(&path).unwrap();
        index.write(&[Change::Pause(paused(1, 30))]).unwrap();
        assert_eq!(index.due(29, None, 9).unwrap(), []);
        drop(index);
        // A pause ends with the process.
        let index = Index::open(&path).unwrap();
        assert_eq!(index.due(10, None, 9).unwrap(), [due(1, 10)]);
        assert_eq!(index.find(id(1)).unwrap(), Some(entry(1, 10)));
    }

    #[test]
    fn entries_are_synced_when_an_earlier_write_panicked() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(&folder.path().join("index.sqlite")).unwrap();
        let panics = || index.transaction(false, |_| panic!("on purpose"));
        crate::user_code::call(panics).unwrap_err();
        let synchronous = |transaction: &Transaction<'_>| {
            let full = 2;
            let level: i64 =
                transaction.pragma_query_value(None, "synchronous", |row| row.get(0))?;
            assert_eq!(level, full);
            Ok(())
        };
        index.transaction(true, synchronous).unwrap();
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
        record(&index, [entry(1, 5)]);
        index.write(&[Change::Follow(id(2), None)]).unwrap();
        drop(index);
        // Of this version, it is believed.
        let index = Index::open(&path).unwrap();
        assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 5)]);
        let other = "PRAGMA user_version = 0";
        index.writer().execute_batch(other).unwrap();
        drop(index);
        let index = Index::open(&path).unwrap();
        assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 10), due(2, 20)]);
        assert_eq!(index.find(id(1)).unwrap(), Some(entry(1, 10)));
    }
}
