//! What the tests of durability share: one object's database, and what remains of it.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::database::Database;
use super::{Descriptors, Files};
use crate::error::StorageError;

/// The folder of one object, on a disk that can lose its power.
pub struct Folder {
    pub root: TempDir,
    pub files: Arc<Files>,
}

impl Folder {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let files = Arc::new(Files::new(root.path(), Descriptors::of(10_000)).expect("the files"));
        Self { root, files }
    }

    pub fn path(&self) -> PathBuf {
        self.root.path().join("objects/Counter/ab/object.sqlite")
    }

    pub fn log(&self) -> PathBuf {
        self.path().with_extension("sqlite-wal")
    }

    pub fn make(&self) -> Database {
        Database::new(&self.files, &self.path()).expect("a database")
    }

    pub fn open(&self) -> Database {
        Database::open(&self.files, &self.path()).expect("a database")
    }

    /// A database in its file, with one acknowledged entry.
    pub fn made(&self) -> Database {
        let mut database = self.make();
        put(&mut database, "made", 1);
        put(&mut database, "made", 2);
        database
    }

    /// Ends the process at once. The next one finds what the operating system has.
    pub fn kill(self, database: Database) -> Self {
        // Its descriptors close without any action of SQLite.
        drop(database);
        let files =
            Arc::new(Files::new(self.root.path(), Descriptors::of(10_000)).expect("the files"));
        // The new process has no state. The disk is the same.
        files.power.take_over(&self.files.power);
        Self { files, ..self }
    }

    /// Returns what remains after a power failure.
    pub fn without_power(&self) -> Self {
        let after = Self::new();
        self.files.power.cut(self.root.path(), after.root.path());
        after
    }

    pub fn entry(&self, key: &str) -> Option<u8> {
        if !self.path().exists() {
            return None;
        }
        entry(&self.open(), key)
    }
}

pub fn entry(database: &Database, key: &str) -> Option<u8> {
    database.get(key).expect("a value").map(|bytes| bytes[0])
}

/// Writes, and waits until the write is on disk, which means that it is acknowledged.
pub fn put(database: &mut Database, key: &str, value: u8) {
    try_put(database, key, value).expect("a disk");
}

pub fn try_put(database: &mut Database, key: &str, value: u8) -> Result<(), StorageError> {
    database.put(key, &[value])?;
    match database.commit()? {
        Some(unsynced) => unsynced.sync(),
        None => Ok(()),
    }
}
