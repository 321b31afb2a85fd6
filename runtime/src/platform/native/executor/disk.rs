//! Where a shard stores its objects: a data folder on the host, memory in the simulator.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::super::kernel::ObjectIndex;
use super::super::sim::MemoryDisk;
use super::super::store::{
    Change, Database, Entry, Files, Index, IndexWriter, Unsynced, has_database,
};
use super::jobs::CloseJob;
use super::work::Inbound;
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::object::id::RawId;

/// The parts of the data folder that all shards of a process share.
pub(in super::super) struct Folder {
    pub(in super::super) root: PathBuf,
    pub(in super::super) files: Arc<Files>,
    pub(in super::super) index: Arc<Index>,
    pub(in super::super) index_writer: IndexWriter,
    /// The key of the identifiers made in this folder.
    pub(in super::super) key: [u8; 32],
}

impl Folder {
    fn database(&self, class: &str, id: RawId) -> PathBuf {
        let id = id.to_string();
        self.root
            .join("objects")
            .join(class)
            .join(&id[..2])
            .join(format!("{id}.sqlite"))
    }
}

/// One shard's access to storage. Separate threads do what waits for the disk, and answer through
/// the shard's inbox.
pub(in super::super) enum Disk {
    Folder {
        folder: Arc<Folder>,
        opening: mpsc::Sender<OpenJob>,
        syncing: mpsc::Sender<SyncJob>,
        closing: mpsc::Sender<CloseJob>,
    },
    Memory(Box<MemoryDisk>),
}

/// What was found for an object that wakes.
pub(super) enum Found {
    /// The object was never written to.
    Nothing,
    /// `Inbound::Opened` will bring the database.
    Later,
}

type OpenJob = (ObjectIndex, PathBuf);
type SyncJob = Vec<(ObjectIndex, Unsynced)>;

impl Disk {
    /// Starts the shard's disk threads. They end when the disk is dropped.
    pub(in super::super) fn folder(
        folder: Arc<Folder>,
        shard: usize,
        inbox: &UnboundedSender<Inbound>,
    ) -> std::io::Result<Self> {
        let (opening, jobs) = mpsc::channel();
        let (answers, files) = (inbox.clone(), Arc::clone(&folder.files));
        std::thread::Builder::new()
            .name(format!("open-{shard}"))
            .spawn(move || open_all(&files, &jobs, &answers))?;
        let (syncing, jobs) = mpsc::channel();
        let answers = inbox.clone();
        std::thread::Builder::new()
            .name(format!("sync-{shard}"))
            .spawn(move || sync_all(&jobs, &answers))?;
        let (closing, jobs) = mpsc::channel();
        let answers = inbox.clone();
        std::thread::Builder::new()
            .name(format!("close-{shard}"))
            .spawn(move || close_all(&jobs, &answers))?;
        Ok(Self::Folder {
            folder,
            opening,
            syncing,
            closing,
        })
    }

    pub(super) fn key(&self) -> &[u8; 32] {
        match self {
            Self::Folder { folder, .. } => &folder.key,
            Self::Memory(memory) => &memory.key,
        }
    }

    /// Returns the index of alarms, for reading.
    pub(super) fn index(&self) -> &Index {
        match self {
            Self::Folder { folder, .. } => &folder.index,
            Self::Memory(memory) => &memory.index,
        }
    }

    /// Adds entries to the index or brings their dates forward, off the shard's thread. The
    /// returned future resolves when the changes are on disk.
    pub(super) fn record(
        &self,
        entries: Vec<Entry>,
    ) -> oneshot::Receiver<Result<(), StorageError>> {
        match self {
            Self::Folder { folder, .. } => folder.index_writer.record(entries),
            Self::Memory(memory) => {
                let (done, recorded) = oneshot::channel();
                let changes: Vec<_> = entries.into_iter().map(Change::Record).collect();
                // This cannot fail: the receiver is in scope.
                let _ = done.send(memory.write_index(&changes));
                recorded
            }
        }
    }

    /// Changes the index later, off the shard's thread, in the order of the calls.
    pub(super) fn write_index(&self, changes: Vec<Change>) {
        match self {
            Self::Folder { folder, .. } => folder.index_writer.write(changes),
            Self::Memory(memory) => {
                if let Err(error) = memory.write_index(&changes) {
                    tracing::error!(%error, "the index of alarms cannot be written");
                }
            }
        }
    }

    /// Looks for the object's database, and has it opened off the shard's thread.
    ///
    /// # Errors
    /// Fails if it cannot be determined whether there is a database. Treating such an object as new
    /// would lose it.
    pub(super) fn find(
        &self,
        object: ObjectIndex,
        class: &str,
        id: RawId,
    ) -> Result<Found, StorageError> {
        match self {
            Self::Folder {
                folder, opening, ..
            } => {
                let path = folder.database(class, id);
                if !has_database(&path)? {
                    return Ok(Found::Nothing);
                }
                // The threads end after the shard, so the job is taken.
                drop(opening.send((object, path)));
                Ok(Found::Later)
            }
            Self::Memory(memory) if memory.find(object, id) => Ok(Found::Later),
            Self::Memory(_) => Ok(Found::Nothing),
        }
    }

    /// Creates the database of an object that has none yet.
    pub(super) fn make(&self, class: &str, id: RawId) -> Result<Database, StorageError> {
        match self {
            Self::Folder { folder, .. } => {
                Database::new(&folder.files, &folder.database(class, id))
            }
            Self::Memory(_) => Database::in_memory(),
        }
    }

    /// Makes commits durable, off the shard's thread.
    pub(super) fn sync(&self, batch: SyncJob) {
        match self {
            // The threads end after the shard, so the job is taken.
            Self::Folder { syncing, .. } => drop(syncing.send(batch)),
            Self::Memory(memory) => memory.sync_batch(),
        }
    }

    /// Closes a database, off the shard's thread. Its log moves into it, which requires syncs.
    pub(super) fn close(&self, object: ObjectIndex, database: Database) {
        database.leaves();
        match self {
            Self::Folder { closing, .. } => {
                drop(closing.send(CloseJob::Close(object, Box::new(database))));
            }
            Self::Memory(memory) => {
                let database = Box::new(database);
                memory.closing.push(CloseJob::Close(object, database));
            }
        }
    }

    /// Moves a database's log into it, off the shard's thread. `Inbound::LogShortened` returns the
    /// database.
    pub(super) fn shorten_log(&self, object: ObjectIndex, database: Database) {
        match self {
            Self::Folder { closing, .. } => {
                drop(closing.send(CloseJob::ShortenLog(object, Box::new(database))));
            }
            Self::Memory(memory) => {
                let database = Box::new(database);
                memory.closing.push(CloseJob::ShortenLog(object, database));
            }
        }
    }
}

fn open_all(
    files: &Arc<Files>,
    jobs: &mpsc::Receiver<OpenJob>,
    answers: &UnboundedSender<Inbound>,
) {
    while let Ok((object, path)) = jobs.recv() {
        let opened = Database::open(files, &path).map(Box::new);
        if answers.send(Inbound::Opened { object, opened }).is_err() {
            return;
        }
    }
}

fn sync_all(jobs: &mpsc::Receiver<SyncJob>, answers: &UnboundedSender<Inbound>) {
    while let Ok(batch) = jobs.recv() {
        let failed = batch
            .into_iter()
            .filter_map(|(object, unsynced)| match unsynced.sync() {
                Ok(()) => None,
                Err(error) => {
                    tracing::error!(%error, "a commit did not reach the disk");
                    Some((object, Fault::Storage(error)))
                }
            });
        if answers
            .send(Inbound::Synced {
                failed: failed.collect(),
            })
            .is_err()
        {
            return;
        }
    }
}

fn close_all(jobs: &mpsc::Receiver<CloseJob>, answers: &UnboundedSender<Inbound>) {
    while let Ok(job) = jobs.recv() {
        let answer = match job {
            CloseJob::Close(object, database) => {
                if let Err(error) = database.close() {
                    // The log remains beside the database. The next opening processes it.
                    tracing::warn!(%error, "closing an object's database");
                }
                Inbound::Closed { object }
            }
            CloseJob::ShortenLog(object, database) => Inbound::LogShortened {
                object,
                result: database.shorten_log(),
                database,
            },
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

/// Returns the path of the file whose lock marks the folder as in use by a process.
pub(in super::super) fn lock_path(root: &Path) -> PathBuf {
    root.join("lock")
}
