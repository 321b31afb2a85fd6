//! One object on its shard: what outlives its time in memory, and one such time.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, oneshot};

use super::kernel::{Event, ObjectIndex};
use super::shard::Shard;
use super::socket::Socket;
use super::store::{Database, Entry};
use super::work::{Output, Work};
use crate::description::Description;
use crate::error::StorageError;
use crate::fault::Fault;
use crate::id::RawId;
use crate::occupant::Occupant;
use crate::turn::LocalFuture;

/// An object that the kernel knows.
pub(super) struct Slot {
    pub(super) shard: Rc<Shard>,
    pub(super) index: ObjectIndex,
    pub(super) id: RawId,
    pub(super) description: &'static Description,
    pub(super) name: RefCell<Option<Arc<str>>>,
    pub(super) sockets: RefCell<Vec<Socket>>,
    pub(super) automatic_response: RefCell<Option<(String, String)>>,
    pub(super) resident: RefCell<Option<Resident>>,
    /// The kernel has forgotten this object, or the simulated machine that it was on has crashed:
    /// whatever is still told of it is told to nobody.
    pub(super) gone: Cell<bool>,
}

/// An object in memory.
#[derive(Clone)]
pub(super) struct Resident {
    pub(super) life: Rc<Life>,
    pub(super) occupant: Rc<Occupant>,
}

impl Slot {
    pub(super) fn new(
        shard: Rc<Shard>,
        index: ObjectIndex,
        id: RawId,
        description: &'static Description,
    ) -> Self {
        Self {
            shard,
            index,
            id,
            description,
            name: RefCell::default(),
            sockets: RefCell::default(),
            automatic_response: RefCell::default(),
            resident: RefCell::default(),
            gone: Cell::new(false),
        }
    }

    /// What the index of alarms keeps of this object.
    pub(super) fn index_entry(&self, at: i64) -> Entry {
        Entry {
            id: self.id,
            class: self.description.class.to_owned(),
            name: self.name.borrow().as_deref().map(str::to_owned),
            at,
        }
    }

    pub(super) fn handle(&self, event: Event<Work, Output>) {
        if !self.gone.get() {
            self.shard.handle(event);
        }
    }
}

/// From one wake to the eviction or reset that ends it.
pub(super) struct Life {
    pub(super) slot: Rc<Slot>,
    /// Opened by the first write: to ask an object that has nothing leaves no file behind.
    database: RefCell<Option<Database>>,
    /// Another thread has the database, while nothing of the object runs.
    pub(super) is_lent: Cell<bool>,
    /// Migrations run and fields are loaded: nothing of the object's own code has run.
    is_waking: Cell<bool>,
    /// A turn runs, and storage may have to be taken back to where it began.
    pub(super) in_segment: Cell<bool>,
    /// Decided during a turn, carried out when it pauses or ends.
    ending: RefCell<Option<Ending>>,
    over: RefCell<Option<Fault>>,
    ended: Notify,
}

pub(super) struct Ending {
    pub(super) fault: Fault,
    /// Without the writes that no commit has closed.
    pub(super) discard: bool,
}

impl Life {
    pub(super) fn new(slot: Rc<Slot>, database: Option<Database>) -> Self {
        Self {
            slot,
            database: RefCell::new(database),
            is_lent: Cell::new(false),
            is_waking: Cell::new(true),
            in_segment: Cell::new(false),
            ending: RefCell::new(None),
            over: RefCell::new(None),
            ended: Notify::new(),
        }
    }

    /// The database for reading; none if the object has never written.
    pub(super) fn stored(&self) -> Result<Option<Ref<'_, Database>>, StorageError> {
        if let Some(fault) = &*self.over.borrow() {
            return Err(StorageError::Io(format!(
                "the object left memory: {}",
                fault.summary().2
            )));
        }
        Ok(Ref::filter_map(self.database.borrow(), Option::as_ref).ok())
    }

    /// The database for writing.
    pub(super) fn database(&self) -> Result<Ref<'_, Database>, StorageError> {
        if let Some(database) = self.stored()? {
            return Ok(database);
        }
        let slot = &self.slot;
        let database = slot.shard.disk.make(slot.description.class, slot.id)?;
        *self.database.borrow_mut() = Some(database);
        self.stored()?
            .ok_or_else(|| StorageError::Io("the database was closed".to_owned()))
    }

    /// For committing: also after this life is over.
    pub(super) fn committable(&self) -> Option<RefMut<'_, Database>> {
        RefMut::filter_map(self.database.borrow_mut(), Option::as_mut).ok()
    }

    /// Whether a write is of the wake itself, to an object that nobody has written to. Such writes
    /// are made anew at each wake and stay in memory: to ask an object leaves nothing behind.
    pub(super) fn is_provisional(&self) -> bool {
        self.is_waking.get()
            && self
                .database
                .borrow()
                .as_ref()
                .is_none_or(Database::is_unwritten)
    }

    /// From now on the object's own code runs.
    pub(super) fn loaded(&self) -> Result<(), StorageError> {
        if let Some(database) = &*self.database.borrow() {
            database.settle_wake()?;
        }
        self.is_waking.set(false);
        Ok(())
    }

    /// The alarm as the database has it now, what no commit has closed included.
    pub(super) fn alarm(&self) -> Result<Option<i64>, StorageError> {
        self.stored()?.map_or(Ok(None), |database| database.alarm())
    }

    /// After it was lent.
    pub(super) fn put_database(&self, database: Database) {
        *self.database.borrow_mut() = Some(database);
        self.is_lent.set(false);
    }

    /// For closing, or for lending.
    pub(super) fn take_database(&self) -> Option<Database> {
        self.database.borrow_mut().take()
    }

    pub(super) fn emit(&self, output: Output) {
        let object = self.slot.index;
        self.slot.handle(Event::Emitted { object, output });
    }

    /// Ready when the writes so far are on disk.
    pub(super) fn sync(&self) -> LocalFuture<'static, Result<(), StorageError>> {
        let (done, synced) = oneshot::channel();
        self.emit(Output::Barrier(done));
        Box::pin(async move {
            synced
                .await
                .unwrap_or_else(|_| Err(StorageError::Io("the object left memory".to_owned())))
        })
    }

    /// Asks for the end of this life when the current poll is over. The first reason counts,
    /// except that dropping writes cannot be taken back.
    pub(super) fn end(&self, fault: Fault, discard: bool) {
        let mut ending = self.ending.borrow_mut();
        match &mut *ending {
            Some(ending) => ending.discard |= discard,
            None => *ending = Some(Ending { fault, discard }),
        }
    }

    pub(super) fn take_ending(&self) -> Option<Ending> {
        self.ending.borrow_mut().take()
    }

    /// From now on everything this life still runs is cut off.
    pub(super) fn cut_off(&self, fault: Fault) {
        *self.over.borrow_mut() = Some(fault);
        self.ended.notify_waiters();
    }

    pub(super) fn is_over(&self) -> Option<Fault> {
        self.over.borrow().clone()
    }

    /// Waits until this life is over.
    pub(super) fn over(&self) -> impl Future<Output = Fault> + '_ {
        let ended = self.ended.notified();
        async move {
            if let Some(fault) = self.is_over() {
                return fault;
            }
            ended.await;
            self.is_over()
                .unwrap_or_else(|| Fault::Reset("the object left memory".to_owned()))
        }
    }
}
