//! Carries out a shard's effects for its kernel.

use std::any::Any;
use std::rc::Rc;

use super::super::kernel::ObjectIndex;
use super::super::seam::state::ObjectState;
use super::super::store::{Change, Database};
use super::disk::Found;
use super::residents::Resident;
use super::slot::{Life, Slot};
use super::work::{Output, Work};
use super::{Effect, Event, Shard};
use crate::engine::instance::Instance;
use crate::engine::table::Description;
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::object::class::Class;
use crate::object::id::RawId;
use crate::turn::user_code;

impl Shard {
    /// Carries out an effect. If this panics, which is a bug of this crate, only the objects that
    /// the effect concerns are affected.
    pub(super) fn carry_out_whole(self: &Rc<Self>, effect: Effect) {
        let concern = Concern::of(&effect);
        if user_code::call(|| self.carry_out(effect)).is_err() {
            tracing::error!(?concern, "the host panicked; affected objects are reset");
            self.recover(concern);
        }
    }

    fn recover(self: &Rc<Self>, concern: Concern) {
        let fault = Fault::Panicked;
        match concern {
            Concern::Nothing => {}
            Concern::Waking(object) => self.wake_failed(object, fault),
            Concern::Object(object) => self.reset(object, fault),
            Concern::Started { object, bytes } => {
                self.reset(object, fault);
                self.handle(Event::Finished { object, bytes });
            }
            Concern::Closing(object) => {
                let again = || self.with(object, |slot| self.close(&slot));
                if user_code::call(again).is_err() {
                    self.handle(Event::Closed { object });
                }
            }
            Concern::Alarm(id) => self.alarm_failed(id),
            Concern::Commit(objects) => {
                for object in objects {
                    let fault = fault.clone();
                    self.handle(Event::CommitFailed { object, fault });
                }
                // Ends the batch, so that there can be a next one.
                self.disk.sync(Vec::new());
            }
        }
    }

    /// Ends an activation. Everything that it runs fails with `fault`, and uncommitted writes are
    /// rolled back.
    pub(super) fn reset(self: &Rc<Self>, object: ObjectIndex, fault: Fault) {
        if let Some(life) = self.life_at(object) {
            if let Some(database) = life.committable() {
                database.roll_back();
            }
            life.cut_off(fault.clone());
        }
        let discard = true;
        self.handle(Event::Reset {
            object,
            fault,
            discard,
        });
    }

    fn carry_out(self: &Rc<Self>, effect: Effect) {
        self.trace(&effect);
        #[cfg(test)]
        if let Some(over) = self.panic_over.take() {
            assert!(!over(&effect), "on purpose");
            self.panic_over.set(Some(over));
        }
        match effect {
            Effect::Wake { object } => self.with(object, |slot| self.wake(&slot)),
            Effect::Start {
                object,
                work,
                bytes,
            } => match &self.simulation {
                Some(simulation) => simulation.ready(object, work, bytes),
                None => self.start(object, work, bytes),
            },
            Effect::Refuse { work, fault } => self.refuse(work, fault),
            Effect::Release { object, output } => self.release(object, output),
            Effect::Fail { output, fault } => output.fail(fault),
            Effect::RequestCommit => self.commit_wanted.notify_one(),
            Effect::Commit { objects } => self.commit(&objects),
            Effect::UpdateIndex { alarms } => {
                let follow = |(id, at)| Change::Follow(id, at);
                self.change_index(alarms.into_iter().map(follow).collect());
            }
            Effect::PauseInIndex { alarms } => {
                self.change_index(alarms.into_iter().map(Change::Pause).collect());
            }
            Effect::FireAlarm { id } => self.fire_alarm(id),
            Effect::LoadAlarms => self.loading_wanted.notify_one(),
            Effect::Leave { object, reset } => self.with(object, |slot| self.leave(&slot, reset)),
            Effect::Close { object } => self.with(object, |slot| self.close(&slot)),
            Effect::Forget { object } => {
                let forgotten = self
                    .slots
                    .borrow_mut()
                    .get_mut(object.0)
                    .and_then(Option::take);
                if let Some(slot) = forgotten {
                    slot.gone.set(true);
                }
            }
        }
    }

    fn with(&self, object: ObjectIndex, run: impl FnOnce(Rc<Slot>)) {
        match self.slot_at(object) {
            Some(slot) => run(slot),
            None => tracing::error!(
                object = object.0,
                "the kernel names an object without a slot"
            ),
        }
    }

    fn wake(self: &Rc<Self>, slot: &Rc<Slot>) {
        self.check_files_are_free(slot.id);
        let found = self.disk.find(slot.index, slot.class.name, slot.id);
        match found {
            Ok(Found::Nothing) => self.wake_with(slot, Ok(None)),
            Ok(Found::Later) => {}
            Err(error) => self.wake_with(slot, Err(error)),
        }
    }

    /// Continues a wake after the object's database was opened, or could not be.
    pub(super) fn opened(
        self: &Rc<Self>,
        object: ObjectIndex,
        opened: Result<Box<Database>, StorageError>,
    ) {
        self.inside(|| {
            let wake = || {
                self.with(object, |slot| {
                    self.wake_with(&slot, opened.map(|database| Some(*database)));
                });
            };
            if user_code::call(wake).is_err() {
                self.recover(Concern::Waking(object));
            }
        });
    }

    fn wake_with(self: &Rc<Self>, slot: &Rc<Slot>, opened: Result<Option<Database>, StorageError>) {
        let object = slot.index;
        let opened = match opened.and_then(|database| self.look_at(slot, database)) {
            Ok(opened) => opened,
            Err(error) => {
                let fault = Fault::Storage(error);
                self.handle(Event::WakeFailed { object, fault });
                return;
            }
        };
        let life = Rc::new(Life::new(Rc::clone(slot), opened.database));
        let instance = Instance::wake(table_of(slot.class), ObjectState::new(Rc::clone(&life)));
        let failure = instance.failure();
        let resident = Resident {
            life: Rc::clone(&life),
            instance,
        };
        drop(self.residents.put(object, resident));
        match failure.or_else(|| life.take_ending().map(|ending| ending.fault)) {
            None => self.handle(Event::Woken {
                object,
                alarm: opened.alarm,
                indexed: opened.indexed,
            }),
            Some(fault) => self.wake_failed(object, fault),
        }
    }

    /// Handles a failed start, which leaves nothing behind. Its migrations and its `#[init]` are
    /// rolled back.
    fn wake_failed(self: &Rc<Self>, object: ObjectIndex, fault: Fault) {
        if let Some(life) = self.life_at(object) {
            if let Some(database) = life.committable() {
                database.roll_back();
            }
            life.cut_off(fault.clone());
        }
        self.handle(Event::WakeFailed { object, fault });
    }

    fn look_at(&self, slot: &Slot, database: Option<Database>) -> Result<Opened, StorageError> {
        let alarm = database.as_ref().map_or(Ok(None), Database::alarm)?;
        Ok(Opened {
            database,
            alarm,
            indexed: alarm.and_then(|at| self.indexed(slot, at)),
        })
    }

    pub(super) fn refuse(self: &Rc<Self>, work: Work, fault: Fault) {
        match work {
            Work::Task(task) => task.refuse(fault),
            Work::Message { socket, .. } => socket.refuse(&fault),
            Work::Alarm { id } => self.alarm_failed(id),
            // The object did not start, or was reset. Its socket is then missing.
            Work::Close { socket, .. } => socket.cut_off(),
            Work::Error { .. } => {}
        }
    }

    fn release(self: &Rc<Self>, object: ObjectIndex, output: Output) {
        if let Some(output) = self.through_the_network(object, output) {
            self.send(output);
        }
    }

    pub(super) fn send(self: &Rc<Self>, output: Output) {
        match output {
            Output::Called { reply, result } => self.answer_call(reply, result),
            Output::Fetched { reply, response } => self.answer_request(reply, response),
            // The reader may be gone.
            Output::Chunk { place, step } => drop(place.send(step)),
            Output::Delivery(delivery) => self.deliver(*delivery),
            Output::Frame { socket, frame } => socket.transmit(frame),
            Output::Barrier(waiting) => {
                // The waiting turn may be gone.
                let _ = waiting.send(Ok(()));
            }
        }
    }

    fn close(self: &Rc<Self>, slot: &Slot) {
        let resident = self.residents.take(slot.index);
        let is_lent = |resident: &Resident| resident.life.is_lent.get();
        if resident.as_ref().is_some_and(is_lent) {
            // It is closed when it is returned.
            return;
        }
        match resident.and_then(|resident| resident.life.take_database()) {
            Some(database) => self.disk.close(slot.index, database),
            None => self.handle(Event::Closed { object: slot.index }),
        }
    }

    /// Cuts off what the object runs and drops its memory. Its database is kept for the last
    /// commit.
    fn leave(&self, slot: &Slot, reset: Option<Fault>) {
        let Some(life) = self.life_at(slot.index) else {
            return;
        };
        if let Some(fault) = &reset {
            // A reset also drops its sockets (P62). An eviction does not.
            let sockets = std::mem::take(&mut *slot.sockets.borrow_mut());
            for socket in sockets {
                socket.cut_off();
                slot.handle(Event::SocketClosed { object: slot.index });
            }
            *slot.automatic_response.borrow_mut() = None;
            tracing::warn!(class = slot.class.name, id = %slot.id, reason = fault.summary().2, "an object was reset");
        }
        let fault = reset.unwrap_or_else(|| Fault::Reset("the object was evicted".to_owned()));
        life.cut_off(fault);
        if let Some(database) = life.committable() {
            database.leaves();
        }
    }
}

/// Returns the description of a class.
fn table_of(class: &'static Class) -> &'static Description {
    let table: &dyn Any = (class.table)();
    let table = table.downcast_ref();
    table.unwrap_or_else(|| unreachable!("the macro states the table of each class"))
}

/// What a wake found on disk.
#[derive(Default)]
struct Opened {
    /// `None` if the object has never written.
    database: Option<Database>,
    alarm: Option<i64>,
    indexed: Option<i64>,
}

/// The objects of an effect, for the case that carrying it out panics.
#[derive(Debug)]
enum Concern {
    Nothing,
    Waking(ObjectIndex),
    Object(ObjectIndex),
    Started { object: ObjectIndex, bytes: usize },
    Closing(ObjectIndex),
    Alarm(RawId),
    Commit(Vec<ObjectIndex>),
}

impl Concern {
    fn of(effect: &Effect) -> Self {
        match effect {
            Effect::Wake { object } => Self::Waking(*object),
            Effect::Start { object, bytes, .. } => Self::Started {
                object: *object,
                bytes: *bytes,
            },
            Effect::Release { object, .. } | Effect::Leave { object, .. } => Self::Object(*object),
            Effect::Close { object } => Self::Closing(*object),
            Effect::FireAlarm { id } => Self::Alarm(*id),
            Effect::Commit { objects } => Self::Commit(objects.clone()),
            Effect::Refuse { .. }
            | Effect::Fail { .. }
            | Effect::RequestCommit
            | Effect::UpdateIndex { .. }
            | Effect::PauseInIndex { .. }
            | Effect::LoadAlarms
            | Effect::Forget { .. } => Self::Nothing,
        }
    }
}
