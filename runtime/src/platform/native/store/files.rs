//! Writes the files of objects to disk, and decides which of their contents may be read after a
//! crash.
//!
//! The page cache and the disk may differ after a crash. A killed process may leave unsynced
//! writes. After a failed sync the kernel marks the pages as clean and continues to show them. So
//! this process makes everything durable before it reads it. A folder is synced before the first
//! lookup in it. A log found at opening is rewritten and synced. A new database is synced before it
//! is renamed into place.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::descriptors::Descriptors;
use super::failure::io_error;
#[cfg(test)]
use super::power::Power;
use crate::error::StorageError;

/// How much of a log is held in memory while it is rewritten.
const PIECE: usize = 1024 * 1024;

/// The files of a data folder, shared by its databases.
pub(crate) struct Files {
    root: PathBuf,
    /// Folders whose entries are on disk.
    settled: Mutex<HashSet<PathBuf>>,
    pub(super) descriptors: Arc<Descriptors>,
    #[cfg(test)]
    pub(super) power: Power,
}

impl Files {
    /// Manages the files under `root`, which must exist.
    ///
    /// # Errors
    /// Fails if incomplete files of an earlier process cannot be removed.
    pub(crate) fn new(root: &Path, descriptors: Arc<Descriptors>) -> Result<Self, StorageError> {
        let files = Self {
            root: root.to_owned(),
            settled: Mutex::default(),
            descriptors,
            #[cfg(test)]
            power: Power::default(),
        };
        let drafts = files.drafts();
        match fs::remove_dir_all(&drafts) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("removing", &drafts, &error));
            }
            _ => {}
        }
        fs::create_dir(&drafts).map_err(|error| io_error("making", &drafts, &error))?;
        Ok(files)
    }

    pub(crate) fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    fn drafts(&self) -> PathBuf {
        self.root.join("drafts")
    }

    fn settled(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sync_file(&self, file: &File, path: &Path) -> Result<(), StorageError> {
        #[cfg(test)]
        self.power.before_sync(path)?;
        file.sync_data()
            .map_err(|error| io_error("syncing", path, &error))?;
        #[cfg(test)]
        self.power.file_synced(path);
        Ok(())
    }

    fn sync_folder(&self, handle: &File, path: &Path) -> Result<(), StorageError> {
        #[cfg(test)]
        self.power.before_sync(path)?;
        handle
            .sync_all()
            .map_err(|error| io_error("syncing", path, &error))?;
        #[cfg(test)]
        self.power.folder_synced(path);
        Ok(())
    }

    pub(super) fn sync_entries(&self, folder: &Path) -> Result<(), StorageError> {
        self.sync_folder(&open_folder(folder)?, folder)
    }

    /// Creates `folder`, which is under the root, if it does not exist. On return it is on disk,
    /// including entries that an earlier process made in it.
    pub(super) fn settle(&self, folder: &Path) -> Result<(), StorageError> {
        if self.settled().contains(folder) {
            return Ok(());
        }
        if let Some(parent) = folder.parent().filter(|_| folder != self.root) {
            self.settle(parent)?;
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(io_error("making", folder, &error));
                }
                // Another thread may have made it and not synced it yet.
                _ => self.sync_entries(parent)?,
            }
        }
        self.sync_entries(folder)?;
        self.settled().insert(folder.to_owned());
        Ok(())
    }

    /// Creates the database at `path` with these contents, or replaces it. It is on disk when this
    /// returns.
    ///
    /// # Errors
    /// Fails if the disk fails. The previous contents are kept. If a database was replaced and only
    /// the last sync failed, the file may be either one.
    fn write_image(&self, path: &Path, image: &[u8], is_first: bool) -> Result<(), StorageError> {
        let folder = path.parent().unwrap_or(&self.root);
        self.settle(folder)?;
        // Opened before the rename, because a failure until then has no effect.
        let handle = open_folder(folder)?;
        let draft = self.drafts().join(path.file_name().unwrap_or_default());
        let written = File::create(&draft).and_then(|mut file| {
            file.write_all(image)?;
            Ok(file)
        });
        let file = written.map_err(|error| io_error("writing", &draft, &error))?;
        #[cfg(test)]
        self.power.file_rewritten(&draft);
        self.sync_file(&file, &draft)?;
        fs::rename(&draft, path).map_err(|error| io_error("making", path, &error))?;
        self.sync_folder(&handle, folder).inspect_err(|_| {
            self.settled().remove(folder);
            if is_first {
                // It is reported as not made. If this fails, too, the disk is beyond help.
                let _ = fs::remove_file(path);
            }
        })
    }

    /// Voids a log whose commits are in the database. A power failure must not bring back the part
    /// of them that later commits have not overwritten yet. The file keeps its length, because
    /// syncing a log that grows takes a fifth longer: its new size and blocks must also reach the
    /// disk.
    pub(super) fn void_log(&self, mut log: &File, path: &Path) -> Result<(), StorageError> {
        log.seek(SeekFrom::Start(0))
            .and_then(|_| log.write_all(&[0; LOG_HEADER]))
            .map_err(|error| io_error("writing", path, &error))?;
        self.sync_file(log, path)
    }

    /// Cuts from a log what a failed sync may not have written, because its callers are told that
    /// it is lost. Opens no file, which would also fail if descriptors are short.
    pub(super) fn cut_log(&self, log: &File, path: &Path, durable: u64) {
        let cut = log
            .set_len(durable)
            .map_err(|error| io_error("cutting", path, &error))
            .and_then(|()| self.sync_file(log, path));
        if let Err(error) = cut {
            tracing::error!(%error, log = %path.display(), "a commit that was reported as lost may reappear");
        }
    }

    /// Makes a log durable that was found beside its database. Its bytes are rewritten: the
    /// operating system may show contents that an earlier sync failed to write, and would not retry
    /// them.
    pub(super) fn restore_log(&self, log: &Path) -> Result<(), StorageError> {
        let file = match File::options().read(true).write(true).open(log) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error("opening", log, &error)),
        };
        let rewritten = rewrite(&file).map_err(|error| io_error("restoring", log, &error))?;
        if rewritten == 0 {
            return Ok(());
        }
        #[cfg(test)]
        self.power.file_rewritten(log);
        self.sync_file(&file, log)?;
        self.sync_entries(log.parent().unwrap_or(&self.root))
    }
}

/// Whether there is a database at `path`.
///
/// # Errors
/// Fails if this cannot be determined, or if only its log exists. A new database in its place would
/// receive what the log holds of the old one.
pub(crate) fn has_database(path: &Path) -> Result<bool, StorageError> {
    let is_there = |path: &Path| {
        path.try_exists()
            .map_err(|error| io_error("looking for", path, &error))
    };
    if is_there(path)? {
        return Ok(true);
    }
    let log = log_of(path);
    if !is_there(&log)? {
        return Ok(false);
    }
    tracing::error!(log = %log.display(), "a database is missing beside its log");
    Err(StorageError::Io(
        "the object's database is missing, and its log is there: move the log away, and restore the database from a backup, with its log if the backup has one"
            .to_owned(),
    ))
}

/// Returns the path of the write-ahead log of the database at `path`.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

pub(super) fn open_folder(folder: &Path) -> Result<File, StorageError> {
    File::open(folder).map_err(|error| io_error("opening", folder, &error))
}

fn rewrite(mut file: &File) -> io::Result<u64> {
    let mut at = 0;
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        piece.clear();
        file.seek(SeekFrom::Start(at))?;
        file.take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(at);
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&piece)?;
        at += piece.len() as u64;
    }
}

/// Nothing in a log is valid without its header.
const LOG_HEADER: usize = 32;

/// A commit that the operating system has and the disk does not. It can move between threads.
pub(crate) struct Unsynced {
    pub(super) files: Arc<Files>,
    pub(super) path: PathBuf,
    pub(super) what: What,
    /// Set when this fails. The database checks it.
    pub(super) is_broken: Arc<AtomicBool>,
}

pub(super) enum What {
    /// Frames at the end of a log.
    Log {
        log: Arc<File>,
        /// Its folder, if the log is new in it.
        folder: Option<File>,
        /// The length of the log including these frames.
        length: u64,
        /// How much of the log is on disk.
        durable: Arc<AtomicU64>,
    },
    /// A whole database, which is small because it is new.
    Image {
        image: Vec<u8>,
        /// Set when it is on disk.
        exists: Arc<AtomicBool>,
    },
}

impl Unsynced {
    /// Returns when the commit is on disk.
    ///
    /// # Errors
    /// Fails if the disk fails. The commit, and later commits to this database, may be lost.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        let synced = match &self.what {
            What::Log {
                log,
                folder,
                length,
                durable,
            } => self
                .files
                .sync_file(log, &self.path)
                .and_then(|()| match folder {
                    Some(folder) => {
                        let path = self.path.parent().unwrap_or(&self.path);
                        self.files.sync_folder(folder, path)
                    }
                    None => Ok(()),
                })
                .inspect(|()| durable.store(*length, Ordering::Release))
                // Done before any caller is told: the process may be killed before the object's
                // database is closed, and the next process would accept the commit as valid.
                .inspect_err(|_| {
                    let durable = durable.load(Ordering::Acquire);
                    self.files.cut_log(log, &self.path, durable);
                }),
            What::Image { image, exists } => self
                .files
                .write_image(&self.path, image, !exists.load(Ordering::Acquire))
                .inspect(|()| exists.store(true, Ordering::Release)),
        };
        synced.inspect_err(|_| self.is_broken.store(true, Ordering::Release))
    }
}
