//! One object on its shard: its slot, which outlives activations, and one activation.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, oneshot};

use super::super::clock::Clock;
use super::super::ids::IdKey;
use super::super::kernel::{Event, ObjectIndex};
use super::super::network::budget::Budget;
use super::super::network::frame::Frame;
use super::super::network::waiting::Waiting;
use super::super::random::Random;
use super::super::seam::socket::{End, Flight, Owner, Socket};
use super::super::sim::Link;
use super::super::store::{Database, Entry};
use super::work::{Delivery, Output, Work};
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::object::class::Class;
use crate::object::id::RawId;
use crate::socket::Message;
use crate::turn::LocalFuture;

/// Carries out what an object does, as the object's handles see it: the thread on which the object
/// runs.
pub(in super::super) trait Executor {
    fn handle(self: Rc<Self>, event: Event<Work, Output>);
    fn clock(&self) -> &Clock;
    fn random(&self) -> &Random;
    /// The budget for bytes that wait for the peers of the thread's sockets.
    fn pending(&self) -> &Budget;
    /// The incomplete messages of the thread's sockets.
    fn unfinished(&self) -> &Waiting;
    /// A point where the simulator may cut a connection.
    fn may_cut(&self, link: &Link);
    /// Creates the database of an object that has none yet.
    fn make_database(&self, class: &str, id: RawId) -> Result<Database, StorageError>;
    /// The fault at the next write, in the simulator.
    fn fault_at_write(&self, life: &Life) -> Option<WriteFault>;
    fn continue_in_background(self: Rc<Self>, life: &Rc<Life>, work: LocalFuture<'static, ()>);
    fn block_while(self: Rc<Self>, life: &Rc<Life>, gate: LocalFuture<'static, Result<(), Fault>>);
    /// Returns the key that makes and checks the identifiers of a class.
    fn id_key(&self, class: &'static Class) -> Result<Rc<IdKey>, Fault>;
    /// Delivers work to its object.
    fn deliver(self: Rc<Self>, delivery: Delivery);
    /// Returns the number of the next call or request to an object. Always zero on a host, which
    /// does not count them.
    fn next_call(&self) -> u32;
    /// Sends a request to the outside world.
    fn fetch(self: Rc<Self>, request: Request) -> LocalFuture<'static, Result<Response, Fault>>;
}

/// A fault at a write to an object's storage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum WriteFault {
    Panic,
    /// With `spills`, SQLite needs the room before the commit.
    NoRoom {
        spills: bool,
    },
}

/// An object that the kernel knows.
pub(in super::super) struct Slot {
    pub(in super::super) executor: Rc<dyn Executor>,
    pub(in super::super) index: ObjectIndex,
    pub(in super::super) id: RawId,
    pub(in super::super) class: &'static Class,
    pub(in super::super) name: RefCell<Option<Arc<str>>>,
    pub(in super::super) sockets: RefCell<Vec<Socket>>,
    pub(in super::super) automatic_response: RefCell<Option<(String, String)>>,
    /// Whether the kernel has forgotten this object, or its simulated machine has crashed. What is
    /// still reported of it is dropped.
    pub(super) gone: Cell<bool>,
}

impl Slot {
    pub(super) fn new(
        executor: Rc<dyn Executor>,
        index: ObjectIndex,
        id: RawId,
        class: &'static Class,
    ) -> Self {
        Self {
            executor,
            index,
            id,
            class,
            name: RefCell::default(),
            sockets: RefCell::default(),
            automatic_response: RefCell::default(),
            gone: Cell::new(false),
        }
    }

    /// Returns the entry of this object for the index of alarms.
    pub(super) fn index_entry(&self, at: i64) -> Entry {
        Entry {
            id: self.id,
            class: self.class.name.to_owned(),
            name: self.name.borrow().as_deref().map(str::to_owned),
            at,
        }
    }

    pub(in super::super) fn handle(&self, event: Event<Work, Output>) {
        if !self.gone.get() {
            Rc::clone(&self.executor).handle(event);
        }
    }
}

impl Owner for Slot {
    fn emit(&self, socket: Socket, frame: Frame) {
        self.handle(Event::Emitted {
            object: self.index,
            output: Output::Frame { socket, frame },
        });
    }

    fn received(&self, socket: Socket, message: Message, flight: Flight) {
        if let Message::Text(text) = &message
            && let Some((request, response)) = &*self.automatic_response.borrow()
            && request == text
        {
            // Through the output gate, which lets it pass when the object is idle (P8).
            let _ = socket.send_text(response);
            socket.note_automatic_response(self.executor.clock().now());
            return;
        }
        let bytes = message.size();
        self.handle(Event::Arrived {
            object: self.index,
            work: Work::Message {
                socket,
                message,
                flight,
            },
            bytes,
        });
    }

    fn ended(&self, socket: &Socket, end: Option<End>) {
        let was_there = {
            let mut sockets = self.sockets.borrow_mut();
            let before = sockets.len();
            sockets.retain(|known| known != socket);
            sockets.len() < before
        };
        if !was_there {
            return;
        }
        let object = self.index;
        if let Some(End {
            code,
            reason,
            clean,
        }) = end
        {
            let work = Work::Close {
                socket: socket.clone(),
                code,
                reason,
                clean,
            };
            self.handle(Event::SocketEnded { object, work });
        }
        self.handle(Event::SocketClosed { object });
    }

    fn failed(&self, socket: Socket, message: String) {
        self.handle(Event::SocketEnded {
            object: self.index,
            work: Work::Error { socket, message },
        });
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.executor.pending().has_room(bytes)
    }

    fn unfinished(&self) -> Waiting {
        self.executor.unfinished().clone()
    }

    fn may_be_cut(&self, link: &Link) {
        self.executor.may_cut(link);
    }
}

/// One activation: from load to eviction or reset.
pub(in super::super) struct Life {
    pub(in super::super) slot: Rc<Slot>,
    /// Opened by the first write. Reading an object without data thus creates no file.
    database: RefCell<Option<Database>>,
    /// Whether another thread has the database. Meanwhile nothing of the object runs.
    pub(super) is_lent: Cell<bool>,
    /// Whether migrations run and fields are loaded. None of the object's own code has run yet.
    is_waking: Cell<bool>,
    /// Whether a turn runs. Storage may have to be rolled back to where it began.
    pub(in super::super) in_segment: Cell<bool>,
    /// Decided during a turn, and carried out when it pauses or ends.
    ending: RefCell<Option<Ending>>,
    over: RefCell<Option<Fault>>,
    ended: Notify,
}

pub(super) struct Ending {
    pub(super) fault: Fault,
    /// Whether to discard the writes that no commit includes.
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

    /// Returns the database for reading. Returns `None` if the object has never written.
    pub(in super::super) fn stored(&self) -> Result<Option<Ref<'_, Database>>, StorageError> {
        if let Some(fault) = &*self.over.borrow() {
            return Err(StorageError::Io(format!(
                "the object left memory: {}",
                fault.summary().2
            )));
        }
        Ok(Ref::filter_map(self.database.borrow(), Option::as_ref).ok())
    }

    /// Returns the database for writing.
    pub(in super::super) fn database(&self) -> Result<Ref<'_, Database>, StorageError> {
        if let Some(database) = self.stored()? {
            return Ok(database);
        }
        let slot = &self.slot;
        let database = slot.executor.make_database(slot.class.name, slot.id)?;
        *self.database.borrow_mut() = Some(database);
        self.stored()?
            .ok_or_else(|| StorageError::Io("the database was closed".to_owned()))
    }

    /// Returns the database for committing, even after this activation has ended.
    pub(in super::super) fn committable(&self) -> Option<RefMut<'_, Database>> {
        RefMut::filter_map(self.database.borrow_mut(), Option::as_mut).ok()
    }

    /// Whether a write is part of waking an object that was never written to. Such writes are
    /// repeated at each wake and stay in memory. Reading an object thus leaves no data.
    pub(in super::super) fn is_provisional(&self) -> bool {
        self.is_waking.get()
            && self
                .database
                .borrow()
                .as_ref()
                .is_none_or(Database::is_unwritten)
    }

    /// Records that the object's own code runs from now on.
    pub(in super::super) fn loaded(&self) -> Result<(), StorageError> {
        if let Some(database) = &*self.database.borrow() {
            database.settle_wake()?;
        }
        self.is_waking.set(false);
        Ok(())
    }

    /// Returns the alarm as the database has it now, including uncommitted changes.
    pub(super) fn alarm(&self) -> Result<Option<i64>, StorageError> {
        self.stored()?.map_or(Ok(None), |database| database.alarm())
    }

    /// Puts the database back after it was lent.
    pub(super) fn put_database(&self, database: Database) {
        *self.database.borrow_mut() = Some(database);
        self.is_lent.set(false);
    }

    /// Takes the database for closing, or for lending.
    pub(super) fn take_database(&self) -> Option<Database> {
        self.database.borrow_mut().take()
    }

    pub(in super::super) fn emit(&self, output: Output) {
        let object = self.slot.index;
        self.slot.handle(Event::Emitted { object, output });
    }

    /// Resolves when the writes so far are on disk.
    pub(in super::super) fn sync(&self) -> LocalFuture<'static, Result<(), StorageError>> {
        let (done, synced) = oneshot::channel();
        self.emit(Output::Barrier(done));
        Box::pin(async move {
            synced
                .await
                .unwrap_or_else(|_| Err(StorageError::Io("the object left memory".to_owned())))
        })
    }

    /// Requests the end of this activation after the current poll. The first reason is kept. A
    /// request to discard writes cannot be withdrawn.
    pub(in super::super) fn end(&self, fault: Fault, discard: bool) {
        let mut ending = self.ending.borrow_mut();
        match &mut *ending {
            Some(ending) => ending.discard |= discard,
            None => *ending = Some(Ending { fault, discard }),
        }
    }

    pub(super) fn take_ending(&self) -> Option<Ending> {
        self.ending.borrow_mut().take()
    }

    /// Cuts off everything that this activation still runs.
    pub(super) fn cut_off(&self, fault: Fault) {
        *self.over.borrow_mut() = Some(fault);
        self.ended.notify_waiters();
    }

    /// Whether the disk has ended this activation, or is about to.
    pub(super) fn ends_by_the_disk(&self) -> bool {
        let is_of_the_disk = |fault: &Fault| matches!(fault, Fault::Storage(StorageError::Io(_)));
        self.over.borrow().as_ref().is_some_and(is_of_the_disk)
            || (self.ending.borrow().as_ref()).is_some_and(|ending| is_of_the_disk(&ending.fault))
    }

    pub(super) fn is_over(&self) -> Option<Fault> {
        self.over.borrow().clone()
    }

    /// Waits until this activation has ended.
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
