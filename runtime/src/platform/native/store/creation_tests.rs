//! Tests when a database gets a file, and that nothing is lost when it moves into it.

use std::sync::Arc;

use super::database::Database;
use super::test_folder::{Folder, entry, put, try_put};
use super::{Descriptors, Files};
use crate::error::StorageError;

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
