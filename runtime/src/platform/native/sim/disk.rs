//! The simulator's disk: what remains of commits after a crash, and after a power failure.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::executor::jobs::CloseJob;
use super::super::kernel::ObjectIndex;
use super::super::store::{Change, Database, Index};
use super::digest::digest_of_commit;
use super::queue::Queue;
use crate::error::StorageError;
use crate::object::id::RawId;

/// How many commits of a file the operating system holds unsynced. It writes back older ones
/// unprompted.
const MAX_UNSYNCED: usize = 16;

/// The disk of a simulated host. It keeps each object's database as the image of its last commit.
/// An object that wakes thus opens a new connection, as on the host.
///
/// A job holds its file, not the file's name, because the host's jobs hold descriptors. Thus a job
/// that outlives its activation affects the next activation as it would on the host.
pub(in super::super) struct MemoryDisk {
    /// The files that have names.
    files: RefCell<BTreeMap<RawId, Rc<File>>>,
    /// What the current activation of each object has open.
    opened: RefCell<BTreeMap<RawId, Rc<Opened>>>,
    /// The commits of the batch under construction.
    batch: RefCell<Vec<Unsynced>>,
    pub(in super::super) opening: Queue<(ObjectIndex, RawId)>,
    pub(in super::super) syncing: Queue<Rc<[Unsynced]>>,
    pub(in super::super) closing: Queue<CloseJob>,
    pub(in super::super) index: Index,
    index_writes: RefCell<Writes>,
    pub(in super::super) key: [u8; 32],
}

type Image = Rc<[u8]>;

/// One object's database and its log.
#[derive(Default)]
struct File(RefCell<Writes>);

/// What was written to one file.
#[derive(Default)]
struct Writes {
    /// The contents that survive any failure. `None` if the file does not survive.
    durable: Option<Image>,
    /// The commits since. A power failure keeps the first of them: none, some or all.
    unsynced: Vec<Image>,
    /// The log was cut before its end. What is written after the cut is not read again.
    is_torn: bool,
}

/// What one activation of an object has open. It has no file until its first commit is on disk.
#[derive(Default)]
struct Opened(RefCell<Option<Rc<File>>>);

/// A commit that is on its way to the disk.
pub(in super::super) struct Unsynced {
    pub(in super::super) object: ObjectIndex,
    pub(in super::super) id: RawId,
    by: Rc<Opened>,
    what: What,
}

enum What {
    /// A file to be created. It has its name as soon as it is written.
    First {
        file: Rc<File>,
        has_name: Cell<bool>,
    },
    /// An entry at the end of a log that had these contents on disk before.
    Log {
        file: Rc<File>,
        before: Option<Image>,
    },
}

impl Unsynced {
    /// Whether the file must be created for this commit.
    pub(in super::super) fn needs_file(&self) -> bool {
        matches!(&self.what, What::First { has_name, .. } if !has_name.get())
    }
}

impl Writes {
    fn commit(&mut self, image: Image) {
        if self.is_torn {
            return;
        }
        self.unsynced.push(image);
        if self.unsynced.len() > MAX_UNSYNCED {
            self.durable = Some(self.unsynced.remove(0));
        }
    }

    fn sync(&mut self) {
        if let Some(last) = self.unsynced.pop() {
            self.durable = Some(last);
            self.unsynced.clear();
        }
    }

    /// Loses unsynced commits. `choose` gets their number and returns how many are kept.
    fn cut(&mut self, choose: impl FnOnce(usize) -> usize) {
        if !self.unsynced.is_empty() {
            let kept = choose(self.unsynced.len());
            self.unsynced.truncate(kept);
            self.sync();
        }
    }

    /// Handles an opening that finds the log: rewrites the log as far as it is intact.
    fn restore(&mut self) {
        self.sync();
        self.is_torn = false;
    }

    /// Cuts the log of a file that a later activation has open.
    fn tear(&mut self, before: Option<Image>) {
        self.durable = before;
        self.unsynced.clear();
        self.is_torn = true;
    }

    fn last(&self) -> Option<&Image> {
        self.unsynced.last().or(self.durable.as_ref())
    }
}

impl File {
    fn last(&self) -> Option<Image> {
        self.0.borrow().last().cloned()
    }
}

impl MemoryDisk {
    pub(in super::super) fn new(key: [u8; 32]) -> Result<Self, StorageError> {
        let index = Index::in_memory()?;
        let index_writes = Writes {
            durable: Some(index.image()?.into()),
            ..Writes::default()
        };
        Ok(Self {
            files: RefCell::default(),
            opened: RefCell::default(),
            batch: RefCell::default(),
            opening: Queue::default(),
            syncing: Queue::default(),
            closing: Queue::default(),
            index,
            index_writes: RefCell::new(index_writes),
            key,
        })
    }

    fn file(&self, id: RawId) -> Option<Rc<File>> {
        self.files.borrow().get(&id).cloned()
    }

    /// Whether the object has a file. If it has, queues it to be opened. A file that is not created
    /// yet is not visible.
    pub(in super::super) fn find(&self, object: ObjectIndex, id: RawId) -> bool {
        let has_file = self.has_file(id);
        if has_file {
            self.opening.push((object, id));
        } else {
            self.opened.borrow_mut().insert(id, Rc::default());
        }
        has_file
    }

    /// Whether the disk has a file of the object.
    pub(in super::super) fn has_file(&self, id: RawId) -> bool {
        self.files.borrow().contains_key(&id)
    }

    /// Opens the object's database. This syncs it, as on the host.
    pub(in super::super) fn open(&self, id: RawId) -> Result<Database, StorageError> {
        let missing = || StorageError::Io("the object's database is not there".to_owned());
        let file = self.file(id).ok_or_else(missing)?;
        file.0.borrow_mut().restore();
        let image = file.last().ok_or_else(missing)?;
        let opened = Opened(RefCell::new(Some(file)));
        self.opened.borrow_mut().insert(id, Rc::new(opened));
        Database::from_image(&image)
    }

    /// Returns the last commit as a separate database, without a sync.
    pub(in super::super) fn copy(&self, id: RawId) -> Result<Option<Database>, StorageError> {
        let image = self.file(id).and_then(|file| file.last());
        image.map(|image| Database::from_image(&image)).transpose()
    }

    /// Whether a commit of the object is on its way to the disk.
    pub(in super::super) fn is_syncing(&self, id: RawId) -> bool {
        let is_among = |batch: &[Unsynced]| batch.iter().any(|unsynced| unsynced.id == id);
        is_among(&self.batch.borrow())
            || self
                .syncing
                .with(|batches| batches.iter().any(|batch| is_among(batch)))
    }

    /// Whether the object's current activation writes to a file. Before its first commit it is in
    /// memory only.
    pub(in super::super) fn writes_to_file(&self, id: RawId) -> bool {
        let opened = self.opened.borrow();
        opened
            .get(&id)
            .is_some_and(|opened| opened.0.borrow().is_some())
    }

    /// The objects that have a database.
    pub(in super::super) fn ids(&self) -> Vec<RawId> {
        self.files.borrow().keys().copied().collect()
    }

    /// Records a commit that the operating system has, and the disk may have. Returns a digest of
    /// what it changed.
    pub(in super::super) fn committed(
        &self,
        object: ObjectIndex,
        id: RawId,
        database: &mut Database,
    ) -> Result<u64, StorageError> {
        let image: Image = database.image()?.into();
        let by = Rc::clone(self.opened.borrow_mut().entry(id).or_default());
        let file = by.0.borrow().clone();
        let before = file.as_ref().and_then(|file| file.last());
        let change = digest_of_commit(before.as_deref().unwrap_or_default(), &image);
        let what = match file {
            Some(file) => {
                let before = file.0.borrow().durable.clone();
                file.0.borrow_mut().commit(image);
                What::Log { file, before }
            }
            None => {
                let file = File::default();
                file.0.borrow_mut().commit(image);
                What::First {
                    file: Rc::new(file),
                    has_name: Cell::new(false),
                }
            }
        };
        self.batch.borrow_mut().push(Unsynced {
            object,
            id,
            by,
            what,
        });
        Ok(change)
    }

    /// Queues the commits since the last batch to be synced.
    pub(in super::super) fn sync_batch(&self) {
        self.syncing.push(self.batch.take().into());
    }

    /// Names the file of a first commit, which was written. Its folder is not synced yet.
    pub(in super::super) fn name(&self, unsynced: &Unsynced) {
        if let What::First { file, has_name } = &unsynced.what {
            has_name.set(true);
            let mut files = self.files.borrow_mut();
            files.insert(unsynced.id, Rc::clone(file));
        }
    }

    /// Records that the disk has the commit.
    pub(in super::super) fn synced(&self, unsynced: &Unsynced) {
        let (What::First { file, .. } | What::Log { file, .. }) = &unsynced.what;
        file.0.borrow_mut().sync();
        unsynced.by.0.replace(Some(Rc::clone(file)));
    }

    /// Records that the sync failed. Unsynced commits are lost, except for as many as `choose`
    /// returns.
    pub(in super::super) fn sync_failed(
        &self,
        unsynced: &Unsynced,
        choose: impl FnOnce(usize) -> usize,
    ) {
        let id = unsynced.id;
        match &unsynced.what {
            What::First { file, has_name } => {
                if has_name.get() && choose(1) == 0 {
                    // By its name: this removes the file of any activation that has the name.
                    self.files.borrow_mut().remove(&id);
                } else {
                    file.0.borrow_mut().sync();
                }
            }
            What::Log { file, before } => {
                let opened = self.opened.borrow().get(&id).cloned();
                if opened.is_some_and(|opened| Rc::ptr_eq(&opened, &unsynced.by)) {
                    file.0.borrow_mut().cut(choose);
                } else {
                    file.0.borrow_mut().tear(before.clone());
                }
            }
        }
    }

    /// Reclaims a database that the object has lent, and returns its place among the jobs.
    pub(in super::super) fn take_lent(
        &self,
        object: ObjectIndex,
    ) -> Option<(usize, Box<Database>)> {
        self.closing.with(|jobs| {
            let is_lent =
                |job: &CloseJob| matches!(job, CloseJob::ShortenLog(by, _) if *by == object);
            let place = jobs.iter().position(is_lent)?;
            match jobs.remove(place)? {
                CloseJob::ShortenLog(_, database) | CloseJob::Close(_, database) => {
                    Some((place, database))
                }
            }
        })
    }

    /// Lends a database again that was [reclaimed](Self::take_lent).
    pub(in super::super) fn lend_again(
        &self,
        place: usize,
        object: ObjectIndex,
        database: Database,
    ) {
        let job = CloseJob::ShortenLog(object, Box::new(database));
        self.closing.with(|jobs| jobs.insert(place, job));
    }

    pub(in super::super) fn write_index(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.index.write(changes)?;
        let image = self.index.image()?;
        self.index_writes.borrow_mut().commit(image.into());
        Ok(())
    }

    /// Records that the disk has all of the index.
    pub(in super::super) fn index_synced(&self) {
        self.index_writes.borrow_mut().sync();
    }

    /// Ends the process, and its jobs. A log has been written to and keeps its commits. A file is
    /// kept if it has its name.
    pub(in super::super) fn crash(&self) {
        drop(self.batch.take());
        self.opening.clear();
        self.syncing.clear();
        self.closing.clear();
        self.opened.borrow_mut().clear();
    }

    /// Cuts the power. Each file keeps as many of its unsynced commits as `choose` returns.
    pub(in super::super) fn lose_power(
        &self,
        mut choose: impl FnMut(usize) -> usize,
    ) -> Result<(), StorageError> {
        let mut files = self.files.borrow_mut();
        for file in files.values() {
            file.0.borrow_mut().cut(&mut choose);
        }
        files.retain(|_, file| file.last().is_some());
        let mut writes = self.index_writes.borrow_mut();
        writes.cut(&mut choose);
        match writes.last() {
            Some(image) => self.index.restore(image),
            None => Ok(()),
        }
    }

    /// Opens the index in a new process. Pauses end with the old one.
    pub(in super::super) fn restart(&self) -> Result<(), StorageError> {
        self.write_index(&[Change::EndPauses])
    }
}
