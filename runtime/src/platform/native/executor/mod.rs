//! One thread's share of the objects. It carries out the decisions of its kernel.
//!
//! All code of objects runs inside [`Shard::inside`]. What the kernel decides meanwhile is queued
//! and carried out after the poll, so no object is entered while another runs.

mod alarms;
mod commit;
mod crossing;
pub(super) mod disk;
mod disk_faults;
mod disk_jobs;
mod effects;
mod handle;
mod inside;
pub(super) mod jobs;
mod logs;
mod residents;
mod rest;
mod simulated;
pub(super) mod slot;
mod streams;
mod tasks;
#[cfg(test)]
mod tests;
mod traced;
mod turns;
pub(super) mod work;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::clock::Clock;
use super::ids::IdKey;
use super::kernel::{self, Kernel, Limits, Now, ObjectIndex};
use super::network::budget::Budget;
use super::network::outgoing::Outgoing;
use super::network::transport::MAX_UNFINISHED;
use super::network::waiting::Waiting;
use super::random::Random;
use super::seam::socket::MAX_ALL_PENDING;
use super::sim::Simulation;
use crate::engine::table::Description;
use crate::error::fault::Fault;
use crate::object::class::Class;
use crate::object::id::RawId;
use disk::Disk;
use residents::Residents;
use slot::{Executor, Slot};
use work::{Delivery, Inbound, Output, Work};

/// How many bytes the large answers of one shard may hold together until callers on other threads
/// have taken them.
const MAX_CROSSING: usize = 64 * 1024 * 1024;

type Event = kernel::Event<Work, Output>;
type Effect = kernel::Effect<Work, Output>;

pub(super) struct Shard {
    pub(super) number: usize,
    /// The inboxes of all shards, including this one.
    inboxes: Arc<[UnboundedSender<Inbound>]>,
    pub(super) disk: Disk,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) outgoing: Outgoing,
    /// The incomplete messages of sockets. `pending` counts the bytes that wait for their peers.
    pub(super) unfinished: Waiting,
    pub(super) pending: Budget,
    /// The large answers that callers on other threads have not taken yet.
    crossing: Budget,
    classes: RefCell<Vec<Deployed>>,
    /// In the simulator: decides the order of events by the seed.
    simulation: Option<Simulation>,
    kernel: RefCell<Kernel<Work, Output>>,
    slots: RefCell<Vec<Option<Rc<Slot>>>>,
    residents: Residents,
    /// The objects with long logs in the batch in flight to the disk.
    long_logs: RefCell<Vec<ObjectIndex>>,
    decided: RefCell<Vec<Effect>>,
    queue: RefCell<VecDeque<Effect>>,
    /// Whether effects are being carried out, or an object runs.
    busy: Cell<bool>,
    commit_wanted: Notify,
    /// When the timer fires. `timer_changed` is notified when it must be set again.
    timer_at: Cell<Option<i64>>,
    timer_changed: Notify,
    /// Notified when the index may hold alarms that belong in memory.
    loading_wanted: Notify,
    told_of: RefCell<ToldOf>,
    /// For tests: makes the host itself panic while carrying out an effect.
    #[cfg(test)]
    panic_over: Cell<Option<PanicOver>>,
}

#[cfg(test)]
type PanicOver = fn(&Effect) -> bool;

/// Conditions that were logged once and are not logged each time.
#[derive(Default)]
struct ToldOf {
    missing_classes: Vec<String>,
    unreadable_index: bool,
}

fn new_kernel(limits: Limits) -> Kernel<Work, Output> {
    Kernel::new(limits, Output::size)
}

struct Deployed {
    class: &'static Class,
    key: Rc<IdKey>,
}

/// The parts from which a shard is made.
pub(super) struct Parts {
    pub(super) number: usize,
    pub(super) inboxes: Arc<[UnboundedSender<Inbound>]>,
    pub(super) disk: Disk,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) outgoing: Outgoing,
    pub(super) simulation: Option<Simulation>,
    pub(super) limits: Limits,
}

impl Shard {
    pub(super) fn new(parts: Parts, classes: &[&'static Description]) -> Rc<Self> {
        let Parts {
            number,
            inboxes,
            disk,
            clock,
            random,
            outgoing,
            simulation,
            limits,
        } = parts;
        let shard = Rc::new(Self {
            number,
            inboxes,
            disk,
            clock,
            random,
            outgoing,
            unfinished: Waiting::new(MAX_UNFINISHED),
            pending: Budget::new(MAX_ALL_PENDING),
            crossing: Budget::new(MAX_CROSSING),
            classes: RefCell::default(),
            simulation,
            kernel: RefCell::new(new_kernel(limits)),
            slots: RefCell::default(),
            residents: Residents::default(),
            long_logs: RefCell::default(),
            decided: RefCell::default(),
            queue: RefCell::default(),
            busy: Cell::new(false),
            commit_wanted: Notify::new(),
            timer_at: Cell::new(None),
            timer_changed: Notify::new(),
            loading_wanted: Notify::new(),
            told_of: RefCell::default(),
            #[cfg(test)]
            panic_over: Cell::new(None),
        });
        for description in classes {
            shard.add_class(&description.class);
        }
        shard
    }

    fn add_class(&self, class: &'static Class) -> Rc<IdKey> {
        let key = Rc::new(IdKey::new(self.disk.key(), class.name));
        self.classes.borrow_mut().push(Deployed {
            class,
            key: Rc::clone(&key),
        });
        key
    }

    /// Returns the key that makes and checks the identifiers of a class.
    pub(super) fn id_key(&self, class: &'static Class) -> Result<Rc<IdKey>, Fault> {
        let known = self
            .classes
            .borrow()
            .iter()
            .position(|known| std::ptr::eq(known.class, class));
        match known {
            Some(index) if self.simulation.is_some() => {
                // The version of a class that the test named last is the deployed one.
                let mut classes = self.classes.borrow_mut();
                let latest = classes.remove(index);
                let key = Rc::clone(&latest.key);
                classes.push(latest);
                Ok(key)
            }
            Some(index) => Ok(Rc::clone(&self.classes.borrow()[index].key)),
            // A test uses a class by naming it.
            None if self.takes_any_class() => Ok(self.add_class(class)),
            None => Err(not_in_the_app(class)),
        }
    }

    fn class(&self, name: &str) -> Option<&'static Class> {
        if self.lacks(name) {
            return None;
        }
        let classes = self.classes.borrow();
        classes
            .iter()
            .map(|known| known.class)
            .rfind(|class| class.name == name)
    }

    /// Returns the shard on which an object lives. The identifier serves as a hash.
    fn home_of(&self, id: RawId) -> usize {
        usize::from(u16::from_le_bytes([id.0[0], id.0[1]])) % self.inboxes.len()
    }

    /// Delivers work to its object, on any shard.
    pub(super) fn deliver(self: &Rc<Self>, mut delivery: Delivery) {
        let home = self.home_of(delivery.id);
        if home == self.number {
            self.accept(delivery);
            return;
        }
        delivery.task.crosses();
        if let Err(refused) = self.inboxes[home].send(Inbound::Delivery(Box::new(delivery)))
            && let Inbound::Delivery(delivery) = refused.0
        {
            delivery
                .task
                .refuse(Fault::Disconnected("the host is stopping".to_owned()));
        }
    }

    fn accept(self: &Rc<Self>, delivery: Delivery) {
        let Delivery {
            class,
            id,
            name,
            task,
        } = delivery;
        if let Some(fault) = self.missing(class) {
            task.refuse(fault);
            return;
        }
        let slot = self.slot(class, id);
        if name.is_some() && slot.name.borrow().is_none() {
            *slot.name.borrow_mut() = name;
        }
        let bytes = task.size();
        self.handle(Event::Arrived {
            object: slot.index,
            work: Work::Task(task),
            bytes,
        });
    }

    /// Returns the object's slot. Creates one if the object is not known.
    fn slot(self: &Rc<Self>, class: &'static Class, id: RawId) -> Rc<Slot> {
        let known = self
            .kernel
            .borrow()
            .find(id)
            .and_then(|index| self.slot_at(index));
        if let Some(slot) = known {
            return slot;
        }
        let index = self.kernel.borrow_mut().add(id, self.now());
        let slot = Rc::new(Slot::new(
            Rc::clone(self) as Rc<dyn Executor>,
            index,
            id,
            class,
        ));
        let mut slots = self.slots.borrow_mut();
        if slots.len() <= index.0 {
            slots.resize(index.0 + 1, None);
        }
        slots[index.0] = Some(Rc::clone(&slot));
        slot
    }

    fn slot_at(&self, index: ObjectIndex) -> Option<Rc<Slot>> {
        self.slots.borrow().get(index.0)?.clone()
    }

    /// Passes an event to the kernel, and carries out its decisions: now, or after the running
    /// code.
    pub(super) fn handle(self: &Rc<Self>, event: Event) {
        {
            let mut decided = self.decided.borrow_mut();
            self.kernel
                .borrow_mut()
                .handle(event, self.now(), &mut decided);
            self.queue.borrow_mut().extend(decided.drain(..));
        }
        if !self.busy.get() {
            self.inside(|| {});
        }
    }

    /// Runs code of an object, and then what was decided meanwhile.
    fn inside<T>(self: &Rc<Self>, run: impl FnOnce() -> T) -> T {
        if self.busy.get() {
            return run();
        }
        let _busy = Busy::new(&self.busy);
        let result = run();
        loop {
            self.crash_if_wanted();
            let next = self.queue.borrow_mut().pop_front();
            let Some(effect) = next else { break };
            self.carry_out_whole(effect);
        }
        self.set_timer();
        result
    }

    /// Whether no object has anything to do or to send.
    pub(super) fn is_quiet(&self) -> bool {
        self.kernel.borrow().is_quiet(self.now())
    }

    pub(super) fn now(&self) -> Now {
        self.clock.both()
    }
}

fn not_in_the_app(class: &Class) -> Fault {
    Fault::Configuration(format!(
        "the class {class} is not part of the app: add `.object::<{class}>()` or mount it",
        class = class.name
    ))
}

/// Marks the shard as busy until this is dropped, even by a panic.
struct Busy<'a>(&'a Cell<bool>);

impl<'a> Busy<'a> {
    fn new(busy: &'a Cell<bool>) -> Self {
        busy.set(true);
        Self(busy)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
