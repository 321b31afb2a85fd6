//! Tests what remains of acknowledged writes after a crash, a power failure and disk errors.

use super::database::Database;
use super::test_folder::{Folder, entry, put, try_put};
use crate::error::StorageError;

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
