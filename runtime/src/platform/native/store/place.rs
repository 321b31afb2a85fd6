//! Where a database is: in memory until the object is first written to, then in a file.

use std::cell::Cell;
use std::fs::File;
#[cfg(test)]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::descriptors::Share;
use super::files::Files;

/// The platform's 10 GB (P39), in pages of 4 KiB.
pub(super) const MAX_PAGES: u32 = 2_621_440;

/// Where the contents are, and what has to reach the disk.
pub(super) enum Place {
    /// In memory for good: the simulator's.
    Memory {
        written: bool,
        /// As the simulator says: there is no log.
        has_long_log: bool,
    },
    /// In memory until there is a file: an object that was never written to leaves nothing behind.
    Image {
        files: Arc<Files>,
        path: PathBuf,
        /// The last commit is on disk, in the file.
        exists: Arc<AtomicBool>,
        is_broken: Arc<AtomicBool>,
        /// What there was when nothing but the wake had written.
        at_wake: Cell<Option<Contents>>,
    },
    File {
        files: Arc<Files>,
        /// Of the write-ahead log.
        path: PathBuf,
        /// Our own handle on it, to sync it from another thread.
        log: Arc<File>,
        /// The end of its last commit. The file may be longer: see [`Files::void_log`].
        length: Arc<AtomicU64>,
        entry: Cell<LogEntry>,
        /// How much of the log is on disk.
        durable: Arc<AtomicU64>,
        /// A part of the log may be in the database.
        is_half_moved: Cell<bool>,
        is_broken: Arc<AtomicBool>,
        share: Share,
    },
}

/// The log's entry in its folder.
#[derive(Debug, Default)]
pub(super) enum LogEntry {
    /// Not yet on disk.
    New,
    /// Not yet on disk; the folder is open to be synced.
    Ready(File),
    #[default]
    Durable,
}

/// Tells whether anything was written in between: the rows that were changed so far, and the version
/// of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) changes: u64,
    pub(super) schema: i64,
}

impl Place {
    /// Cuts the log again: SQLite may have written to it since the sync failed.
    pub(super) fn cut_log(&self) {
        if let Self::File {
            files,
            path,
            log,
            durable,
            is_half_moved,
            ..
        } = self
            // Else the database may have a part of it, and needs the rest.
            && !is_half_moved.get()
        {
            files.cut_log(log, path, durable.load(Ordering::Acquire));
        }
    }
}

#[cfg(test)]
impl Place {
    /// SQLite syncs the log before it moves it: with the pages that were given back.
    pub(super) fn note_synced_log(&self) {
        if let Self::File { files, path, .. } = self {
            files.power.file_synced(path);
        }
    }

    /// SQLite has synced the database.
    pub(super) fn note_moved_log(&self) {
        if let Self::File { files, path, .. } = self {
            let database = path.to_string_lossy().trim_end_matches("-wal").to_owned();
            files.power.file_synced(Path::new(&database));
        }
    }
}
