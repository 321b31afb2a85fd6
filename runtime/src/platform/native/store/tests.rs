//! Tests of the store alone, on real files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::database::Database;
use super::{Descriptors, Files, Index, has_database};
use crate::error::StorageError;
use crate::storage::ListRange;
use crate::storage::sql::SqlValue;

fn memory() -> Database {
    Database::in_memory().expect("a database in memory")
}

fn folder() -> (tempfile::TempDir, Arc<Files>, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Arc::new(Files::new(folder.path(), Descriptors::of(10_000)).expect("the files"));
    let path = folder.path().join("Counter/ab/object.sqlite");
    (folder, files, path)
}

/// Commits, and waits until the disk has the commit.
fn commit(database: &mut Database) {
    if let Some(unsynced) = database.commit().expect("a commit") {
        unsynced.sync().expect("a disk");
    }
}

/// Creates the file, with one entry.
fn made(files: &Arc<Files>, path: &Path) {
    let mut database = Database::new(files, path).unwrap();
    database.put("stays", b"1").unwrap();
    commit(&mut database);
    database.close().unwrap();
}

fn refused(database: &Database, statement: &str) -> String {
    match database.sql(statement, &[]) {
        Err(StorageError::Sql(message)) => message,
        other => panic!("`{statement}` gave {other:?}"),
    }
}

#[test]
fn a_commit_survives_and_an_open_transaction_does_not() {
    let (_folder, files, path) = folder();
    let mut database = Database::new(&files, &path).unwrap();
    for value in [b"0", b"1"] {
        database.put("a", value).unwrap();
        commit(&mut database);
    }
    database.put("a", b"2").unwrap();
    assert_eq!(database.get("a").unwrap().as_deref(), Some(&b"2"[..]));
    drop(database);
    let database = Database::open(&files, &path).unwrap();
    assert_eq!(database.get("a").unwrap().as_deref(), Some(&b"1"[..]));
    database.close().unwrap();
    assert!(
        !path.with_extension("sqlite-wal").exists(),
        "an idle object is one file"
    );
}

#[test]
fn a_second_opener_is_refused() {
    let (_folder, files, path) = folder();
    made(&files, &path);
    let database = Database::open(&files, &path).unwrap();
    database.put("a", b"1").unwrap();
    assert!(matches!(
        Database::open(&files, &path),
        Err(StorageError::Io(_))
    ));
}

#[test]
fn transactions_nest_and_roll_back_also_after_a_panic() {
    let mut database = memory();
    database.put("kept", b"1").unwrap();
    database
        .transaction(&mut || {
            database.put("outer", b"1").unwrap();
            database
                .transaction(&mut || {
                    database.put("inner", b"1").unwrap();
                    false
                })
                .unwrap();
            true
        })
        .unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        database.transaction(&mut || {
            database.put("panicked", b"1").unwrap();
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    database.commit().unwrap();
    let keys: Vec<String> = database
        .list(&ListRange::default())
        .unwrap()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys, ["kept", "outer"]);
}

#[test]
fn lists_follow_bytes_and_bounds() {
    let database = memory();
    for key in ["a", "b", "ba", "bé", "b\u{10FFFF}", "c", "ü"] {
        database.put(key, b"").unwrap();
    }
    let keys = |range: ListRange| -> Vec<String> {
        database
            .list(&range)
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect()
    };
    let prefix = Some("b".to_owned());
    assert_eq!(
        keys(ListRange::default()),
        ["a", "b", "ba", "bé", "b\u{10FFFF}", "c", "ü"]
    );
    assert_eq!(
        keys(ListRange {
            prefix: prefix.clone(),
            ..ListRange::default()
        }),
        ["b", "ba", "bé", "b\u{10FFFF}"]
    );
    assert_eq!(
        keys(ListRange {
            prefix,
            end: Some("bb".to_owned()),
            reverse: true,
            ..ListRange::default()
        }),
        ["ba", "b"]
    );
    assert_eq!(
        keys(ListRange {
            start: Some("b".to_owned()),
            limit: Some(1),
            ..ListRange::default()
        }),
        ["b"]
    );
    assert_eq!(
        keys(ListRange {
            prefix: Some("b\u{10FFFF}".to_owned()),
            ..ListRange::default()
        }),
        ["b\u{10FFFF}"]
    );
}

#[test]
fn statements_bind_count_and_return_rows() {
    let database = memory();
    let rows = database
        .sql(
            "CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO entry (text) VALUES (?) RETURNING id, text;",
            &[SqlValue::Text("hi".to_owned())],
        )
        .unwrap();
    assert_eq!(rows.columns, ["id", "text"]);
    assert_eq!(
        rows.rows,
        [[SqlValue::Integer(1), SqlValue::Text("hi".to_owned())]]
    );
    assert_eq!(rows.rows_written, 1);
    let big = database
        .sql("SELECT 9007199254740993, 1.5, x'01', NULL", &[])
        .unwrap();
    assert_eq!(
        big.rows[0],
        [
            SqlValue::Integer(9_007_199_254_740_992),
            SqlValue::Real(1.5),
            SqlValue::Blob(vec![1]),
            SqlValue::Null
        ]
    );
    assert!(matches!(
        database.sql("SELECT ?", &[]),
        Err(StorageError::Usage(message)) if message == "the statement has 1 parameters, 0 were given"
    ));
    assert!(matches!(
        database.sql("SELECT ?; SELECT 1", &[SqlValue::Null]),
        Err(StorageError::Usage(_))
    ));
    database.sql("-- nothing but a comment", &[]).unwrap();
}

#[test]
fn the_platforms_rules_hold_and_say_why() {
    let database = memory();
    for (statement, reason) in [
        ("BEGIN", "ctx.storage().transaction"),
        ("COMMIT", "ctx.storage().transaction"),
        ("SAVEPOINT a", "ctx.storage().transaction"),
        ("ATTACH 'x' AS y", "one database"),
        ("CREATE TEMP TABLE t (a)", "temporary"),
        ("CREATE TABLE _CF_mine (a)", "_cf_"),
        ("SELECT * FROM _cf_KV", "_cf_"),
        ("DELETE FROM _cf_ALARM", "_cf_"),
        ("PRAGMA journal_mode = DELETE", "PRAGMA `journal_mode`"),
        ("SELECT load_extension('x')", "load_extension"),
        ("SELECT sqlite_version()", "sqlite_version"),
        ("VACUUM", "VACUUM"),
    ] {
        let message = refused(&database, statement);
        assert!(message.contains(reason), "`{statement}`: {message}");
    }
    for statement in [
        "SELECT 'a' LIKE '123456789012345678901234567890123456789012345678901'",
        "SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6",
        "SELEC",
    ] {
        refused(&database, statement);
    }
    assert!(refused(&database, "SELEC").contains("syntax error"));
}

#[test]
fn what_the_platform_allows_works() {
    let mut database = memory();
    for statement in [
        "CREATE VIRTUAL TABLE page USING fts5(title, body)",
        "INSERT INTO page VALUES ('a', 'the quick brown fox')",
        "SELECT highlight(page, 1, '<', '>'), bm25(page) FROM page WHERE page MATCH 'quick'",
        "CREATE VIRTUAL TABLE box USING rtree(id, x0, x1)",
        "INSERT INTO box VALUES (1, 0, 1)",
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER PRIMARY KEY AUTOINCREMENT, parent REFERENCES parent)",
        "CREATE INDEX by_parent ON child (parent)",
        "CREATE VIEW both AS SELECT * FROM parent JOIN child ON child.parent = parent.id",
        "CREATE TRIGGER t AFTER INSERT ON parent BEGIN INSERT INTO child (parent) VALUES (new.id); END",
        "INSERT INTO parent VALUES (1)",
        "SELECT json_extract('{\"a\": 1}', '$.a'), value FROM json_each('[1, 2]')",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT sum(x) FROM n",
        "PRAGMA table_info(parent)",
        "ALTER TABLE parent ADD COLUMN name TEXT",
        "SELECT row_number() OVER (ORDER BY id) FROM child",
    ] {
        if let Err(error) = database.sql(statement, &[]) {
            panic!("`{statement}`: {error}");
        }
    }
    let rows = database
        .sql(
            "SELECT pow(2, 10), sqrt(-1), log(100), log(2, 8), mod(7, 4), pi() > 3, sin('x')",
            &[],
        )
        .unwrap();
    assert_eq!(
        rows.rows[0],
        [
            SqlValue::Real(1024.0),
            SqlValue::Null,
            SqlValue::Real(2.0),
            SqlValue::Real(3.0),
            SqlValue::Real(3.0),
            SqlValue::Integer(1),
            SqlValue::Null
        ]
    );
    database.put("a", b"1").unwrap();
    database.set_alarm(Some(5)).unwrap();
    database.delete_all().unwrap();
    database.commit().unwrap();
    assert_eq!(database.get("a").unwrap(), None);
    assert_eq!(database.alarm().unwrap(), None);
    let left = database.sql("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'", &[]).unwrap();
    assert!(left.rows.is_empty(), "{left:?}");
}

#[test]
fn a_file_shrinks_when_what_it_held_is_deleted() {
    let (_folder, files, path) = folder();
    let size = || std::fs::metadata(&path).unwrap().len();
    let open = || Database::open(&files, &path).unwrap();
    let close = |mut database: Database| {
        commit(&mut database);
        database.close().unwrap();
    };
    made(&files, &path);
    let before = size();
    let database = open();
    for key in 0..1_000 {
        database.put(&format!("goes {key}"), &[1; 2_000]).unwrap();
    }
    close(database);
    let full = size();
    assert!(full > before + 2_000_000, "{before} to {full} bytes");
    let database = open();
    for key in 0..1_000 {
        assert!(database.delete(&format!("goes {key}")).unwrap());
    }
    close(database);
    assert!(size() <= before + 8_192, "{before} to {} bytes", size());
    assert_eq!(open().get("stays").unwrap().as_deref(), Some(&b"1"[..]));
}

#[test]
fn a_deferred_violation_fails_the_commit_and_rolls_back() {
    let mut database = memory();
    database.sql("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)", &[]).unwrap();
    database.commit().unwrap();
    database.sql("INSERT INTO c VALUES (1)", &[]).unwrap();
    assert!(database.commit().is_err());
    assert!(!database.is_in_transaction());
    assert!(
        database
            .sql("SELECT * FROM c", &[])
            .unwrap()
            .rows
            .is_empty()
    );
}

#[test]
fn values_over_two_mebibytes_are_a_limit_error() {
    let database = memory();
    let error = database.sql("SELECT zeroblob(3000000)", &[]).unwrap_err();
    assert!(
        matches!(&error, StorageError::Limit(message) if message.contains("2 MiB")),
        "{error:?}"
    );
    database.put("k", &vec![0; 2 * 1024 * 1024 - 1]).unwrap();
}

#[test]
fn delete_all_while_the_first_commit_is_on_its_way_deletes() {
    let (_folder, files, path) = folder();
    let mut database = Database::new(&files, &path).unwrap();
    database.put("secret", b"1").unwrap();
    let unsynced = database.commit().unwrap().expect("an image");
    // A second turn, while the first commit is in flight to the disk.
    database.delete_all().unwrap();
    assert_eq!(
        database.get("secret").unwrap(),
        None,
        "deleted, as this turn sees it"
    );
    let second = database.commit().unwrap();
    unsynced.sync().unwrap();
    if let Some(second) = second {
        second.sync().unwrap();
    }
    assert_eq!(database.get("secret").unwrap(), None, "deleted for good");
}

#[test]
fn last_insert_rowid_survives_the_move_into_a_file() {
    let (_folder, files, path) = folder();
    let mut database = Database::new(&files, &path).unwrap();
    database
        .sql("CREATE TABLE t (id INTEGER PRIMARY KEY, v)", &[])
        .unwrap();
    commit(&mut database);
    database.sql("INSERT INTO t (v) VALUES ('a')", &[]).unwrap();
    let before = database
        .sql("SELECT last_insert_rowid()", &[])
        .unwrap()
        .rows;
    commit(&mut database);
    let after = database
        .sql("SELECT last_insert_rowid()", &[])
        .unwrap()
        .rows;
    assert_eq!(before, after);
}

#[test]
fn unreadable_settings_survive_the_move_into_a_file() {
    let (_folder, files, path) = folder();
    let mut database = Database::new(&files, &path).unwrap();
    database
        .sql("PRAGMA case_sensitive_like = ON", &[])
        .unwrap();
    database.put("a", b"1").unwrap();
    commit(&mut database);
    let before = database.sql("SELECT 'A' LIKE 'a'", &[]).unwrap().rows;
    database.put("a", b"2").unwrap();
    commit(&mut database);
    let after = database.sql("SELECT 'A' LIKE 'a'", &[]).unwrap().rows;
    assert_eq!(before, after);
}

#[test]
fn deferred_keys_of_a_failed_turn_do_not_reach_others() {
    let (_folder, files, path) = folder();
    let mut database = Database::new(&files, &path).unwrap();
    database
        .sql(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p(id))",
            &[],
        )
        .unwrap();
    commit(&mut database);
    database.put("other", b"1").unwrap();
    database.enter_segment();
    database.sql("PRAGMA defer_foreign_keys = ON", &[]).unwrap();
    database.put("a", b"1").unwrap();
    database.leave_segment(false).unwrap();
    database.enter_segment();
    let refused = database.sql("INSERT INTO c VALUES (7)", &[]);
    database.leave_segment(refused.is_ok()).unwrap();
    assert!(
        refused.is_err(),
        "the setting of a failed turn: {refused:?}"
    );
}

#[test]
fn setting_is_changed_each_time_that_its_statement_runs() {
    let (_folder, files, path) = folder();
    let database = Database::new(&files, &path).unwrap();
    let is_on = || database.sql("SELECT 'A' NOT LIKE 'a'", &[]).unwrap().rows;
    for value in ["ON", "OFF", "ON", "OFF"] {
        let set = format!("PRAGMA case_sensitive_like = {value}");
        database.sql(&set, &[]).unwrap();
        let expected = i64::from(value == "ON");
        assert_eq!(is_on(), [[expected.into()]], "{value}");
    }
}

#[test]
fn index_is_not_made_from_objects_that_cannot_be_listed() {
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("objects/Counter");
    std::fs::create_dir_all(class.parent().unwrap()).unwrap();
    // Listing it is an error, like a disk error.
    std::os::unix::fs::symlink(&class, &class).unwrap();
    let path = root.path().join("index.sqlite");
    let files = Arc::new(Files::new(root.path(), Descriptors::of(100)).unwrap());
    assert!(Index::open(&files, &path).is_err());
    std::fs::remove_file(&class).unwrap();
    // It was not treated as built.
    assert!(Index::open(&files, &path).is_ok());
}

#[test]
fn log_without_its_database_is_no_new_object() {
    let (_folder, files, path) = folder();
    assert!(!has_database(&path).unwrap());
    let mut database = Database::new(&files, &path).unwrap();
    for value in [b"1", b"2"] {
        database.put("a", value).unwrap();
        commit(&mut database);
    }
    assert!(has_database(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    let error = has_database(&path).unwrap_err().to_string();
    assert!(error.contains("move the log away"), "{error}");
}

#[test]
fn transaction_that_only_reads_leaves_nothing_to_commit() {
    let (_folder, files, path) = folder();
    let mut database = Database::new(&files, &path).unwrap();
    database.put("a", b"1").unwrap();
    commit(&mut database);
    database
        .transaction(&mut || database.get("a").unwrap().is_some())
        .unwrap();
    assert!(!database.is_in_transaction());
    database
        .transaction(&mut || database.put("a", b"2").is_ok())
        .unwrap();
    assert!(database.is_in_transaction());
}
