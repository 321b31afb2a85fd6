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

/// Where the contents are, and what must reach the disk.
pub(super) enum Place {
    /// Always in memory: the simulator's.
    Memory {
        written: bool,
        /// Set by the simulator, because there is no log.
        has_long_log: bool,
    },
    /// In memory until there is a file. An object that was never written to thus leaves nothing
    /// behind.
    Image {
        files: Arc<Files>,
        path: PathBuf,
        /// Whether the last commit is on disk, in the file.
        exists: Arc<AtomicBool>,
        is_broken: Arc<AtomicBool>,
        /// The contents when only the wake had written.
        at_wake: Cell<Option<Contents>>,
    },
    File {
        files: Arc<Files>,
        /// The path of the write-ahead log.
        path: PathBuf,
        /// A separate handle on the log, to sync it from another thread.
        log: Arc<File>,
        /// The end of its last commit. The file may be longer: see [`Files::void_log`].
        length: Arc<AtomicU64>,
        entry: Cell<LogEntry>,
        /// How much of the log is on disk.
        durable: Arc<AtomicU64>,
        /// Whether a part of the log may be in the database.
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
    /// Not yet on disk. The folder is open to be synced.
    Ready(File),
    #[default]
    Durable,
}

/// Detects whether anything was written in between, by the number of changed rows and the version
/// of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) changes: u64,
    pub(super) schema: i64,
}

impl Place {
    /// Cuts the log again, because SQLite may have written to it since the sync failed.
    pub(super) fn cut_log(&self) {
        if let Self::File {
            files,
            path,
            log,
            durable,
            is_half_moved,
            ..
        } = self
            // Otherwise the database may contain a part of the log, and needs the rest.
            && !is_half_moved.get()
        {
            files.cut_log(log, path, durable.load(Ordering::Acquire));
        }
    }
}

#[cfg(test)]
impl Place {
    /// Records that SQLite has synced the log, with the returned pages, before moving it.
    pub(super) fn note_synced_log(&self) {
        if let Self::File { files, path, .. } = self {
            files.power.file_synced(path);
        }
    }

    /// Records that SQLite has synced the database.
    pub(super) fn note_moved_log(&self) {
        if let Self::File { files, path, .. } = self {
            let database = path.to_string_lossy().trim_end_matches("-wal").to_owned();
            files.power.file_synced(Path::new(&database));
        }
    }
}
