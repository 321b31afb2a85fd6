//! Tests what remains of acknowledged writes after a crash, a power failure and disk errors.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::database::Database;
use super::{Descriptors, Files};
use crate::error::StorageError;

struct Folder {
    root: TempDir,
    files: Arc<Files>,
}

impl Folder {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let files = Arc::new(Files::new(root.path(), Descriptors::of(10_000)).expect("the files"));
        Self { root, files }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("objects/Counter/ab/object.sqlite")
    }

    fn log(&self) -> PathBuf {
        self.path().with_extension("sqlite-wal")
    }

    fn make(&self) -> Database {
        Database::new(&self.files, &self.path()).expect("a database")
    }

    fn open(&self) -> Database {
        Database::open(&self.files, &self.path()).expect("a database")
    }

    /// A database in its file, with one acknowledged entry.
    fn made(&self) -> Database {
        let mut database = self.make();
        put(&mut database, "made", 1);
        put(&mut database, "made", 2);
        database
    }

    /// Ends the process at once. The next one finds what the operating system has.
    fn kill(self, database: Database) -> Self {
        // Its descriptors close without any action of SQLite.
        drop(database);
        let files =
            Arc::new(Files::new(self.root.path(), Descriptors::of(10_000)).expect("the files"));
        // The new process has no state. The disk is the same.
        files.power.take_over(&self.files.power);
        Self { files, ..self }
    }

    /// Returns what remains after a power failure.
    fn without_power(&self) -> Self {
        let after = Self::new();
        self.files.power.cut(self.root.path(), after.root.path());
        after
    }

    fn entry(&self, key: &str) -> Option<u8> {
        if !self.path().exists() {
            return None;
        }
        entry(&self.open(), key)
    }
}

fn entry(database: &Database, key: &str) -> Option<u8> {
    database.get(key).expect("a value").map(|bytes| bytes[0])
}

/// Writes, and waits until the write is on disk, which means that it is acknowledged.
fn put(database: &mut Database, key: &str, value: u8) {
    try_put(database, key, value).expect("a disk");
}

fn try_put(database: &mut Database, key: &str, value: u8) -> Result<(), StorageError> {
    database.put(key, &[value])?;
    match database.commit()? {
        Some(unsynced) => unsynced.sync(),
        None => Ok(()),
    }
}

#[test]
fn acknowledged_write_survives_a_power_failure_at_every_step_of_an_object() {
    let folder = Folder::new();
    let mut database = folder.make();
    for value in 1..=4 {
        put(&mut database, "a", value);
        assert_eq!(folder.without_power().entry("a"), Some(value), "running");
    }
    database.close().unwrap();
    assert_eq!(folder.without_power().entry("a"), Some(4), "closed");
    let mut database = folder.open();
    assert_eq!(folder.without_power().entry("a"), Some(4), "opened");
    put(&mut database, "a", 5);
    assert_eq!(folder.without_power().entry("a"), Some(5), "its log is new");
    database.shorten_log().unwrap();
    put(&mut database, "a", 6);
    assert_eq!(
        folder.without_power().entry("a"),
        Some(6),
        "its log begins anew"
    );
}

#[test]
fn unacknowledged_write_is_whole_or_gone_after_a_power_failure() {
    let folder = Folder::new();
    let mut database = folder.made();
    database.put("a", &[1]).unwrap();
    database.put("b", &[1]).unwrap();
    let unsynced = database.commit().unwrap().expect("something to sync");
    let after = folder.without_power();
    assert_eq!((after.entry("a"), after.entry("b")), (None, None));
    unsynced.sync().unwrap();
    let after = folder.without_power();
    assert_eq!((after.entry("a"), after.entry("b")), (Some(1), Some(1)));
}

#[test]
fn log_found_after_a_kill_is_on_disk_before_it_is_read() {
    let folder = Folder::new();
    let mut database = folder.made();
    database.put("shown", &[1]).unwrap();
    drop(database.commit().unwrap());
    let folder = folder.kill(database);
    assert_eq!(
        folder.without_power().entry("shown"),
        None,
        "nobody synced it"
    );

    let mut database = folder.open();
    assert_eq!(
        entry(&database, "shown"),
        Some(1),
        "the operating system has it"
    );
    assert_eq!(
        folder.without_power().entry("shown"),
        Some(1),
        "so has the disk, since it is shown"
    );
    put(&mut database, "later", 1);
    let after = folder.without_power();
    assert_eq!(
        (after.entry("shown"), after.entry("later")),
        (Some(1), Some(1))
    );
}

#[test]
fn log_is_written_anew_after_a_sync_that_failed_once() {
    let folder = Folder::new();
    let mut database = folder.made();
    folder.files.power.fail_next("-wal");
    assert!(try_put(&mut database, "failed", 1).is_err());
    // As on the host, the object is reset, which closes its database.
    database.close().unwrap();
    assert!(
        folder.log().exists(),
        "nothing of it has reached the database"
    );
    assert_eq!(folder.without_power().entry("failed"), None);

    let mut database = folder.open();
    assert_eq!(
        entry(&database, "failed"),
        None,
        "reported as lost: a caller that repeats it is not counted twice"
    );
    put(&mut database, "later", 1);
    let after = folder.without_power();
    assert_eq!(after.entry("made"), Some(2));
    assert_eq!(
        after.entry("later"),
        Some(1),
        "an acknowledged write after the failure"
    );
}

#[test]
fn log_that_cannot_be_made_durable_is_not_read() {
    let folder = Folder::new();
    let mut database = folder.made();
    database.put("shown", &[1]).unwrap();
    drop(database.commit().unwrap());
    let folder = folder.kill(database);
    folder.files.power.fail_next("-wal");
    assert!(matches!(
        Database::open(&folder.files, &folder.path()),
        Err(StorageError::Io(_))
    ));
    assert_eq!(folder.entry("shown"), Some(1), "the next try may succeed");
}

#[test]
fn new_object_is_there_whole_or_not_at_all() {
    for failing in ["object.sqlite", "/ab", "/Counter", "/objects"] {
        let folder = Folder::new();
        let mut database = folder.make();
        folder.files.power.fail_next(failing);
        let answer = try_put(&mut database, "a", 1);
        assert!(answer.is_err(), "{failing}: {answer:?}");
        database.close().unwrap();
        let shown = folder.entry("a");
        assert_eq!(shown, None, "{failing}: reported as not made");
        assert_eq!(
            folder.without_power().entry("a"),
            shown,
            "{failing}: shown is durable"
        );
        let mut database = match shown {
            Some(_) => folder.open(),
            None => folder.make(),
        };
        put(&mut database, "a", 2);
        assert_eq!(folder.without_power().entry("a"), Some(2), "{failing}");
    }
}

#[test]
fn object_that_only_its_wake_wrote_to_leaves_no_file() {
    let folder = Folder::new();
    let mut database = folder.make();
    database
        .sql(
            "CREATE TABLE migrated (x); INSERT INTO migrated VALUES (7)",
            &[],
        )
        .unwrap();
    database.set_alarm(Some(5)).unwrap();
    database.settle_wake().unwrap();
    assert!(database.commit().unwrap().is_none(), "nothing to commit");
    assert_eq!(
        database
            .sql("SELECT x FROM migrated", &[])
            .unwrap()
            .rows
            .len(),
        1
    );
    // A turn that fails does not create a file either.
    database.put("refused", &[1]).unwrap();
    database.roll_back();
    assert!(database.commit().unwrap().is_none());
    database.close().unwrap();
    assert!(!folder.root.path().join("objects").exists());

    let mut database = folder.make();
    database.sql("CREATE TABLE migrated (x)", &[]).unwrap();
    database.set_alarm(Some(5)).unwrap();
    database.settle_wake().unwrap();
    put(&mut database, "a", 1);
    database.close().unwrap();
    let database = folder.open();
    assert_eq!(
        database.alarm().unwrap(),
        Some(5),
        "what the wake wrote came along"
    );
    database.sql("SELECT x FROM migrated", &[]).unwrap();
    assert_eq!(entry(&database, "a"), Some(1));
}

#[test]
fn writes_that_change_nothing_leave_no_file() {
    let folder = Folder::new();
    let mut database = folder.make();
    database
        .sql(
            "CREATE TABLE migrated (x); INSERT INTO migrated VALUES (7)",
            &[],
        )
        .unwrap();
    database.settle_wake().unwrap();
    database.delete("not there").unwrap();
    database
        .sql("DELETE FROM migrated WHERE x = 8", &[])
        .unwrap();
    database
        .sql("CREATE TABLE IF NOT EXISTS migrated (x)", &[])
        .unwrap();
    assert!(database.commit().unwrap().is_none());
    database.delete_all().unwrap();
    assert!(database.commit().unwrap().is_none());
    assert_eq!(
        database
            .sql("SELECT x FROM migrated", &[])
            .unwrap()
            .rows
            .len(),
        1
    );
    database.sql("UPDATE migrated SET x = 8", &[]).unwrap();
    assert!(database.commit().unwrap().is_some());

    let mut database = folder.make();
    database.delete("not there").unwrap();
    assert!(database.commit().unwrap().is_none());
    database.sql("CREATE TABLE made (x)", &[]).unwrap();
    assert!(database.commit().unwrap().is_some(), "a table is a change");
}

#[test]
fn database_goes_on_as_it_was_when_it_moves_into_its_file() {
    let folder = Folder::new();
    let mut database = folder.make();
    database.sql("PRAGMA foreign_keys = OFF", &[]).unwrap();
    database
        .sql(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p)",
            &[],
        )
        .unwrap();
    put(&mut database, "a", 1);
    assert!(!folder.log().exists(), "one commit needs no log");
    put(&mut database, "a", 2);
    assert!(folder.log().exists());
    database
        .sql("INSERT INTO c VALUES (9)", &[])
        .expect("foreign keys are still off");
    put(&mut database, "a", 3);
    database.close().unwrap();
    assert_eq!(folder.entry("a"), Some(3));
}

#[test]
fn database_without_a_descriptor_for_its_file_goes_on_and_loses_nothing() {
    let folder = Folder::new();
    let mut database = folder.make();
    put(&mut database, "a", 1);
    // The file cannot be opened, as if no descriptors were left. Nothing was committed meanwhile.
    let aside = folder.path().with_extension("aside");
    std::fs::rename(folder.path(), &aside).unwrap();
    put(&mut database, "a", 2);
    put(&mut database, "a", 3);
    database.close().unwrap();
    assert_eq!(folder.without_power().entry("a"), Some(3));
}

#[test]
fn database_stays_in_memory_while_no_descriptors_are_left() {
    let root = tempfile::tempdir().unwrap();
    let descriptors = Descriptors::of(0);
    let files = Arc::new(Files::new(root.path(), Arc::clone(&descriptors)).unwrap());
    let folder = Folder { root, files };
    let mut taken = Vec::new();
    while let Some(share) = descriptors.try_take() {
        taken.push(share);
    }
    let mut database = folder.make();
    for value in 1..=3 {
        put(&mut database, "a", value);
        assert!(!folder.log().exists());
    }
    taken.pop();
    put(&mut database, "a", 4);
    assert!(folder.log().exists(), "it moved when it could");
    assert!(descriptors.try_take().is_none());
    database.close().unwrap();
    assert!(descriptors.try_take().is_some(), "given back");
    assert_eq!(folder.without_power().entry("a"), Some(4));
}

#[test]
fn long_log_is_moved_into_the_database_only_when_asked() {
    let folder = Folder::new();
    let mut database = folder.made();
    let log = || std::fs::metadata(folder.log()).unwrap().len();
    for key in 0..3_000_u32 {
        database.put(&key.to_string(), &[1; 2_000]).unwrap();
    }
    put(&mut database, "a", 1);
    assert!(database.has_long_log(), "{} bytes", log());
    database.shorten_log().unwrap();
    assert!(!database.has_long_log());
    put(&mut database, "a", 2);
    assert_eq!(entry(&database, "2999"), Some(1));
    assert_eq!(folder.without_power().entry("a"), Some(2));
}

/// A disk may write unsynced data in any order, or not at all.
#[test]
fn log_that_begins_anew_brings_back_nothing_older_after_a_power_failure() {
    const SECTOR: usize = 512;
    let folder = Folder::new();
    let mut database = folder.made();
    for value in 1..=20 {
        database.put("filling", &[value; 2_000]).unwrap();
        put(&mut database, "a", value);
    }
    database.shorten_log().unwrap();
    let before = std::fs::read(folder.log()).expect("a log");
    for value in 21..=32 {
        database.put("a", &[value]).unwrap();
        drop(database.commit().unwrap());
    }
    let written = std::fs::read(folder.log()).expect("a log");
    assert_eq!(before.len(), written.len(), "the log keeps its length");
    let changed: Vec<usize> = (0..before.len())
        .step_by(SECTOR)
        .filter(|&at| {
            let sector = at..(at + SECTOR).min(before.len());
            before[sector.clone()] != written[sector]
        })
        .collect();
    for (number, &kept) in changed.iter().enumerate() {
        // Everything up to this sector, everything from it on, and it alone.
        for sectors in [&changed[..=number], &changed[number..], &[kept]] {
            let mut log = before.clone();
            for &at in sectors {
                let sector = at..(at + SECTOR).min(log.len());
                log[sector.clone()].copy_from_slice(&written[sector]);
            }
            let after = folder.without_power();
            std::fs::write(after.log(), &log).expect("a log");
            let found = after.entry("a");
            assert!(matches!(found, Some(20..=32)), "{found:?}: {sectors:?}");
        }
    }
}

#[test]
fn failed_sync_of_a_log_that_began_anew_loses_what_it_reported_and_nothing_else() {
    let folder = Folder::new();
    let mut database = folder.made();
    for value in 1..=20 {
        put(&mut database, "a", value);
    }
    database.shorten_log().unwrap();
    put(&mut database, "a", 21);
    folder.files.power.fail_next("-wal");
    assert!(try_put(&mut database, "a", 22).is_err());
    database.close().unwrap();
    assert_eq!(folder.entry("a"), Some(21));
}

#[test]
fn reading_writes_nothing() {
    let folder = Folder::new();
    folder.made().close().unwrap();
    let before = std::fs::read(folder.path()).unwrap();
    let database = folder.open();
    assert_eq!(entry(&database, "made"), Some(2));
    database.sql("SELECT 1", &[]).unwrap();
    database.set_alarm(None).unwrap();
    assert!(!database.is_in_transaction(), "it stands so already");
    assert_eq!(std::fs::metadata(folder.log()).unwrap().len(), 0);
    database.close().unwrap();
    assert!(std::fs::read(folder.path()).unwrap() == before);
}

#[test]
fn half_made_file_of_an_earlier_version_is_taken_up() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().parent().unwrap()).unwrap();
    std::fs::write(folder.path(), b"").unwrap();
    let mut database = folder.open();
    put(&mut database, "a", 1);
    database.close().unwrap();
    assert_eq!(folder.entry("a"), Some(1));
    std::fs::write(folder.path(), [0; 8_192]).unwrap();
    let opened = Database::open(&folder.files, &folder.path()).map(drop);
    assert!(
        matches!(&opened, Err(StorageError::Io(message)) if message.contains("is not a database")),
        "a file that is no database is not taken for a new object: {opened:?}"
    );
}

#[test]
fn segment_that_is_taken_back_leaves_no_transaction_of_its_own() {
    let folder = Folder::new();
    let mut database = folder.make();
    database.enter_segment();
    database.put("refused", &[1]).unwrap();
    database.leave_segment(false).unwrap();
    assert!(database.commit().unwrap().is_none(), "no file for it");

    put(&mut database, "of another turn", 1);
    database.put("of another turn", &[2]).unwrap();
    database.enter_segment();
    database.put("refused", &[1]).unwrap();
    database
        .sql("CREATE TABLE IF NOT EXISTS t (x)", &[])
        .unwrap();
    database.leave_segment(false).unwrap();
    assert_eq!(entry(&database, "of another turn"), Some(2));
    assert_eq!(entry(&database, "refused"), None);
    // A statement that writes nothing ends its transaction. The next one has a savepoint again.
    database.roll_back();
    database.enter_segment();
    database.sql("PRAGMA optimize", &[]).unwrap();
    database.put("refused", &[1]).unwrap();
    database.leave_segment(false).unwrap();
    assert_eq!(entry(&database, "refused"), None);
    assert_eq!(entry(&database, "of another turn"), Some(1));
}

#[test]
fn segment_whose_transaction_sqlite_ended_cannot_be_kept() {
    let folder = Folder::new();
    let mut database = folder.made();
    database
        .sql(
            "CREATE TABLE t (x UNIQUE ON CONFLICT ROLLBACK); INSERT INTO t VALUES (1)",
            &[],
        )
        .unwrap();
    put(&mut database, "a", 1);
    database.put("of another turn", &[1]).unwrap();
    database.enter_segment();
    assert!(database.sql("INSERT INTO t VALUES (1)", &[]).is_err());
    assert!(database.leave_segment(true).is_err());
    assert!(database.commit().is_err());
}

/// The sync fails and its caller is told. The process is killed before the object's database is
/// closed.
#[test]
fn write_whose_sync_failed_does_not_come_back_after_a_kill() {
    let folder = Folder::new();
    let mut database = folder.made();
    folder.files.power.fail_next("-wal");
    try_put(&mut database, "failed", 1).unwrap_err();
    let folder = folder.kill(database);
    assert_eq!(folder.entry("failed"), None);
}

/// Everything must be opened before the COMMIT. Here nothing can be opened after it.
#[test]
fn commit_needs_nothing_that_may_not_open_behind_it() {
    for fails in [false, true] {
        let folder = Folder::new();
        folder.made().close().expect("a disk");
        let mut database = folder.open();
        let log = folder.log();
        database.put("kept", &[1]).expect("a value");
        let unsynced = database.commit().expect("a disk").expect("a commit");
        if fails {
            folder.files.power.fail_next("-wal");
        }
        let place = log.parent().expect("a folder");
        let moved = place.with_extension("moved");
        std::fs::rename(place, &moved).expect("a folder");
        assert_eq!(unsynced.sync().is_err(), fails);
        std::fs::rename(&moved, place).expect("a folder");
        let folder = folder.kill(database);
        assert_eq!(folder.entry("kept"), (!fails).then_some(1));
    }
}

/// A client may read the message, and the path would reveal the object's identifier.
#[test]
fn error_of_a_file_does_not_show_its_path() {
    let folder = Folder::new();
    drop(folder.made());
    std::fs::remove_file(folder.log()).expect("a log");
    std::fs::create_dir(folder.log()).expect("a folder in the place of the log");
    let Err(error) = Database::open(&folder.files, &folder.path()) else {
        panic!("a folder is no log");
    };
    let message = error.to_string();
    assert!(
        message.contains("the log of the object's database"),
        "{message}"
    );
    assert!(!message.contains("object.sqlite"), "{message}");
}
