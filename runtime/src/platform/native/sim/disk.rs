//! The simulator's disk: what a crash leaves of what was committed, and what a power failure does.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tokio::sync::mpsc::UnboundedSender;

use super::super::kernel::ObjectIndex;
use super::super::store::{Change, Database, Index};
use super::super::work::Inbound;
use super::digest::digest_of_commit;
use crate::error::StorageError;
use crate::id::RawId;

/// Commits that the operating system keeps to itself; it writes older ones back unasked.
const MAX_UNSYNCED: usize = 16;

/// The disk of a simulated host. It keeps each object's database as the image of its last commit, so
/// that an object which wakes has a new connection, as on the host.
pub(in super::super) struct MemoryDisk {
    objects: RefCell<BTreeMap<RawId, Writes>>,
    /// Objects whose commits are on their way to the disk.
    batch: RefCell<Vec<(ObjectIndex, RawId)>>,
    pub(in super::super) index: Index,
    index_writes: RefCell<Writes>,
    pub(in super::super) key: [u8; 32],
    pub(in super::super) inbox: UnboundedSender<Inbound>,
}

/// What was written to one file.
#[derive(Default)]
struct Writes {
    /// On disk whatever happens; none if there is no file.
    durable: Option<Vec<u8>>,
    /// Commits since. A power failure keeps the first of them: none, some or all.
    unsynced: Vec<Vec<u8>>,
}

impl Writes {
    fn commit(&mut self, image: Vec<u8>) {
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

    /// Loses what was not synced, but for as many commits as `choose` says out of so many.
    fn cut(&mut self, choose: impl FnOnce(usize) -> usize) {
        if !self.unsynced.is_empty() {
            let kept = choose(self.unsynced.len());
            self.unsynced.truncate(kept);
            self.sync();
        }
    }

    fn last(&self) -> Option<&Vec<u8>> {
        self.unsynced.last().or(self.durable.as_ref())
    }
}

impl MemoryDisk {
    pub(in super::super) fn new(
        key: [u8; 32],
        inbox: UnboundedSender<Inbound>,
    ) -> Result<Self, StorageError> {
        let index = Index::in_memory()?;
        let index_writes = Writes {
            durable: Some(index.image()?),
            unsynced: Vec::new(),
        };
        Ok(Self {
            objects: RefCell::default(),
            batch: RefCell::default(),
            index,
            index_writes: RefCell::new(index_writes),
            key,
            inbox,
        })
    }

    /// The object's database, if it has one. To open it syncs it, as on the host.
    pub(in super::super) fn open(&self, id: RawId) -> Result<Option<Database>, StorageError> {
        let mut objects = self.objects.borrow_mut();
        let Some(writes) = objects.get_mut(&id) else {
            return Ok(None);
        };
        writes.sync();
        let image = writes.durable.as_deref();
        image.map(Database::from_image).transpose()
    }

    /// What was committed last, apart from the object and without a sync.
    pub(in super::super) fn copy(&self, id: RawId) -> Result<Option<Database>, StorageError> {
        let objects = self.objects.borrow();
        let image = objects.get(&id).and_then(Writes::last);
        image.map(|image| Database::from_image(image)).transpose()
    }

    /// Whether a commit of the object is on its way to the disk.
    pub(in super::super) fn is_syncing(&self, id: RawId) -> bool {
        let batch = self.batch.borrow();
        batch.iter().any(|(_, syncing)| *syncing == id)
    }

    /// Whether the disk has a file of the object.
    pub(in super::super) fn has_file(&self, id: RawId) -> bool {
        let objects = self.objects.borrow();
        objects
            .get(&id)
            .is_some_and(|writes| writes.durable.is_some())
    }

    /// The objects that have a database.
    pub(in super::super) fn ids(&self) -> Vec<RawId> {
        self.objects.borrow().keys().copied().collect()
    }

    /// The operating system has a commit of the object, and the disk may have it. Returns a digest of
    /// what it changed.
    pub(in super::super) fn committed(
        &self,
        object: ObjectIndex,
        id: RawId,
        database: &mut Database,
    ) -> Result<u64, StorageError> {
        let image = database.image()?;
        let mut objects = self.objects.borrow_mut();
        let writes = objects.entry(id).or_default();
        let before = writes.last().map_or(&[][..], Vec::as_slice);
        let change = digest_of_commit(before, &image);
        writes.commit(image);
        self.batch.borrow_mut().push((object, id));
        Ok(change)
    }

    /// The objects whose commits are to be synced.
    pub(in super::super) fn take_batch(&self) -> Vec<(ObjectIndex, RawId)> {
        self.batch.take()
    }

    /// The disk has what the object committed.
    pub(in super::super) fn synced(&self, id: RawId) {
        if let Some(writes) = self.objects.borrow_mut().get_mut(&id) {
            writes.sync();
        }
    }

    /// The sync of the object's commits failed. They are lost, but for as many as `choose` says.
    pub(in super::super) fn sync_failed(&self, id: RawId, choose: impl FnOnce(usize) -> usize) {
        if let Some(writes) = self.objects.borrow_mut().get_mut(&id) {
            writes.cut(choose);
        }
    }

    pub(in super::super) fn write_index(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.index.write(changes)?;
        self.index_writes.borrow_mut().commit(self.index.image()?);
        Ok(())
    }

    /// The disk has all of the index.
    pub(in super::super) fn index_synced(&self) {
        self.index_writes.borrow_mut().sync();
    }

    /// The process has ended: nothing is on its way to the disk any more. A log has been written to,
    /// and keeps its commits; of files that were being made, those are there that `choose` says.
    pub(in super::super) fn crash(&self, mut choose: impl FnMut(usize) -> usize) {
        for (_, id) in self.batch.take() {
            if !self.has_file(id) {
                self.sync_failed(id, &mut choose);
            }
        }
        let mut objects = self.objects.borrow_mut();
        objects.retain(|_, writes| writes.last().is_some());
    }

    /// The power failed: of what was not synced each file keeps as many commits as `choose` says.
    pub(in super::super) fn lose_power(
        &self,
        mut choose: impl FnMut(usize) -> usize,
    ) -> Result<(), StorageError> {
        for writes in self.objects.borrow_mut().values_mut() {
            writes.cut(&mut choose);
        }
        self.objects
            .borrow_mut()
            .retain(|_, writes| writes.last().is_some());
        let mut writes = self.index_writes.borrow_mut();
        writes.cut(&mut choose);
        match writes.last() {
            Some(image) => self.index.restore(image),
            None => Ok(()),
        }
    }

    /// A new process opens the index: pauses end with the old one.
    pub(in super::super) fn restart(&self) -> Result<(), StorageError> {
        self.write_index(&[Change::EndPauses])
    }

    /// The objects whose databases have an alarm, and when.
    pub(in super::super) fn alarms(&self) -> Result<Vec<(RawId, i64)>, StorageError> {
        let mut alarms = Vec::new();
        for (id, writes) in &*self.objects.borrow() {
            if let Some(image) = writes.last()
                && let Some(at) = Database::from_image(image)?.alarm()?
            {
                alarms.push((*id, at));
            }
        }
        Ok(alarms)
    }
}
