//! Tests of the index of alarms alone.

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

fn files(root: &Path) -> Arc<Files> {
    Arc::new(Files::new(root, Descriptors::of(1_000)).unwrap())
}

fn open(path: &Path) -> Index {
    Index::open(&files(path.parent().unwrap()), path).unwrap()
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
    let index = open(&path);
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
    let index = open(&path);
    assert_eq!(index.due(29, None, 9).unwrap(), []);
    assert_eq!(index.due(30, None, 9).unwrap(), [due(1, 30)]);
    assert_eq!(index.find(id(1)).unwrap(), Some(entry(1, 30)));
    assert_eq!(index.find(id(2)).unwrap(), None);
}

/// A commit that moves an alarm later may fail, or the host may end before it is made.
#[test]
fn recording_brings_a_date_forward_and_never_back() {
    let index = Index::in_memory().unwrap();
    record(&index, [entry(1, 10)]);
    record(&index, [entry(1, 20)]);
    assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 10)]);
    record(&index, [entry(1, 5)]);
    assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 5)]);
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
    // A wake compares the object's own alarm.
    assert_eq!(index.find(id(1)).unwrap(), Some(entry(1, 10)));
    // A commit of the object ends the pause.
    record(&index, [entry(1, 9)]);
    index.write(&[Change::Follow(id(2), Some(13))]).unwrap();
    assert_eq!(index.due(14, None, 9).unwrap(), [due(1, 9), due(2, 13)]);
    index.write(&[Change::EndPauses]).unwrap();
    assert_eq!(index.due(10, None, 9).unwrap(), [due(1, 9), due(3, 10)]);
}

#[test]
fn due_alarms_are_found_without_reading_the_others() {
    let index = Index::in_memory().unwrap();
    let connection = index.writer();
    let plan: String = connection
        .connection
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
    let index = open(&path);
    index.write(&[Change::Pause(paused(1, 30))]).unwrap();
    assert_eq!(index.due(29, None, 9).unwrap(), []);
    drop(index);
    // A pause ends with the process.
    let index = open(&path);
    assert_eq!(index.due(10, None, 9).unwrap(), [due(1, 10)]);
    assert_eq!(index.find(id(1)).unwrap(), Some(entry(1, 10)));
}

#[test]
fn entries_are_synced_when_an_earlier_write_panicked() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(&folder.path().join("index.sqlite"));
    let panics = || index.writer().transaction(false, |_| panic!("on purpose"));
    crate::turn::user_code::call(panics).unwrap_err();
    let synchronous = |transaction: &Transaction<'_>| {
        let full = 2;
        let level: i64 = transaction.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        assert_eq!(level, full);
        Ok(())
    };
    index.writer().transaction(true, synchronous).unwrap();
}

/// A data folder with objects that may have an alarm.
fn folder(alarms: &[(u8, Option<i64>)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let files = files(root.path());
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
        // One is closed properly, one is left as after a kill.
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
    let index = open(&root.path().join("index.sqlite"));
    assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 10), due(2, 20)]);
}

#[test]
fn damaged_index_is_set_aside_and_made_anew() {
    let root = folder(&[(2, Some(20))]);
    let path = root.path().join("index.sqlite");
    std::fs::write(&path, [7; 4096]).unwrap();
    let index = open(&path);
    assert_eq!(index.due(99, None, 9).unwrap(), [due(2, 20)]);
    assert!(root.path().join("index.sqlite.damaged").exists());
}

#[test]
fn index_of_another_version_gets_what_it_lacks_and_keeps_its_names() {
    let root = folder(&[(1, Some(10)), (2, Some(20))]);
    let path = root.path().join("index.sqlite");
    let index = open(&path);
    record(&index, [entry(1, 5)]);
    index.write(&[Change::Follow(id(2), None)]).unwrap();
    drop(index);
    // An index of the current version is trusted.
    let index = open(&path);
    assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 5)]);
    let other = "PRAGMA user_version = 0";
    index.writer().connection.execute_batch(other).unwrap();
    drop(index);
    let index = open(&path);
    assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 5), due(2, 20)]);
    assert_eq!(index.find(id(1)).unwrap(), Some(entry(1, 5)));
}

#[test]
fn log_in_doubt_is_made_durable_before_anything_is_recorded_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let index = Index::open(&files, &folder.path().join("index.sqlite")).unwrap();
    record(&index, [entry(1, 10)]);
    index.break_down(true);
    let write = |number| index.write(&[Change::Record(entry(number, 20))]);
    write(2).expect_err("the index is broken");
    index.break_down(false);
    files.power.fail_next("index.sqlite-wal");
    write(3).expect_err("the log is still in doubt");
    write(4).unwrap();
    assert!(!files.power.is_failing());
    // A log that is made durable is synced with its folder.
    let folder = folder.path().to_string_lossy();
    files.power.fail_next(&folder);
    write(5).expect("nothing has failed since");
    assert!(files.power.is_failing());
}

#[test]
fn log_of_a_killed_process_is_made_durable_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.sqlite");
    let index = open(&path);
    record(&index, [entry(1, 10)]);
    let next = tempfile::tempdir().unwrap();
    for name in ["index.sqlite", "index.sqlite-wal"] {
        std::fs::copy(folder.path().join(name), next.path().join(name)).unwrap();
    }
    let files = files(next.path());
    let path = next.path().join("index.sqlite");
    files.power.fail_next("index.sqlite-wal");
    assert!(Index::open(&files, &path).is_err());
    let index = Index::open(&files, &path).unwrap();
    assert_eq!(index.due(99, None, 9).unwrap(), [due(1, 10)]);
}

#[test]
fn log_does_not_grow_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(&folder.path().join("index.sqlite"));
    let long = Entry {
        name: Some("n".repeat(100_000)),
        ..entry(1, 10)
    };
    for at in 0..200 {
        let mut entry = long.clone();
        entry.at = 1_000 - at;
        record(&index, [entry]);
    }
    let log = std::fs::metadata(folder.path().join("index.sqlite-wal")).unwrap();
    assert!(log.len() < 2 * LONG_LOG, "{} bytes", log.len());
}
