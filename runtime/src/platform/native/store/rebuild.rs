//! Rebuilds the index of alarms from the objects' databases.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::entry::{Change, Entry};
use super::failure::{io_error, storage_error};
use super::files::{Files, log_of};
use crate::error::StorageError;
use crate::object::id::RawId;

/// How many entries are recorded together.
const BATCH: usize = 500;
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Reads every object's database before the host serves. No other code has them open meanwhile. An
/// object's name is not known here. Its index entry receives the name when the object is next
/// reached by its name.
pub(super) fn rebuild(
    files: &Files,
    objects: &Path,
    record: impl Fn(&[Change]) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let classes = entries(objects)?;
    if classes.is_empty() {
        return Ok(());
    }
    tracing::warn!(
        "the index of alarms is missing or of another version: it is rebuilt from the objects' databases before the host serves"
    );
    let mut scan = Scan {
        record,
        files,
        found: Vec::with_capacity(BATCH),
        looked_at: 0,
        alarms: 0,
        told_at: Instant::now(),
    };
    for class in classes {
        let Some(name) = class.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        for folder in entries(&class)? {
            for path in entries(&folder)? {
                scan.look_at(name, &path)?;
            }
        }
    }
    scan.record()?;
    tracing::warn!(
        objects = scan.looked_at,
        alarms = scan.alarms,
        "the index of alarms is rebuilt"
    );
    Ok(())
}

/// Lists the contents of a folder. Returns nothing if it does not exist or is a file. Any other
/// error is returned: objects that cannot be listed must not be treated as missing.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let explain = |error: std::io::Error| io_error("reading", folder, &error);
    let listed = match std::fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        listed => listed.map_err(explain)?,
    };
    listed
        .map(|entry| entry.map(|entry| entry.path()).map_err(explain))
        .collect()
}

struct Scan<'a, R> {
    /// Adds entries to the index.
    record: R,
    files: &'a Files,
    found: Vec<Change>,
    looked_at: usize,
    alarms: usize,
    told_at: Instant,
}

impl<R: Fn(&[Change]) -> Result<(), StorageError>> Scan<'_, R> {
    fn look_at(&mut self, class: &str, path: &Path) -> Result<(), StorageError> {
        let Some(id) = id_of(path) else {
            return Ok(());
        };
        self.looked_at += 1;
        match self.alarm_in(path) {
            Ok(None) => {}
            Ok(Some(at)) => self.found.push(Change::Record(Entry {
                id,
                class: class.to_owned(),
                name: None,
                at,
            })),
            // It is checked again when it wakes.
            Err(error) => tracing::error!(
                %error,
                path = %path.display(),
                "an object's database cannot be read: if it has an alarm, that waits for the object's next call"
            ),
        }
        if self.told_at.elapsed() >= PROGRESS_EVERY {
            self.told_at = Instant::now();
            tracing::warn!(objects = self.looked_at, "rebuilding the index of alarms");
        }
        if self.found.len() >= BATCH {
            self.record()?;
        }
        Ok(())
    }

    /// Reads an object's alarm. First makes its log durable: a power failure must not bring back an
    /// alarm that the index does not know.
    fn alarm_in(&self, path: &Path) -> Result<Option<i64>, StorageError> {
        self.files.restore_log(&log_of(path))?;
        alarm_in(path).map_err(|error| storage_error(&error))
    }

    fn record(&mut self) -> Result<(), StorageError> {
        self.alarms += self.found.len();
        (self.record)(&std::mem::take(&mut self.found))
    }
}

fn id_of(path: &Path) -> Option<RawId> {
    let text = path.file_name()?.to_str()?.strip_suffix(".sqlite")?;
    RawId::from_hex(text)
}

fn alarm_in(path: &Path) -> rusqlite::Result<Option<i64>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Its log remains unchanged. The object processes it when it wakes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let has_alarms: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_cf_ALARM')",
        [],
        |row| row.get(0),
    )?;
    if !has_alarms {
        return Ok(None);
    }
    connection
        .query_row("SELECT at FROM _cf_ALARM", [], |row| row.get(0))
        .optional()
}
