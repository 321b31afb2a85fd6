//! What a shard does for its kernel.

use std::rc::Rc;

use super::super::kernel::{AlarmOutcome, ObjectIndex};
use super::super::slot::{Life, Resident, Slot};
use super::super::state::ObjectState;
use super::super::store::{Database, Entry};
use super::super::work::{Output, Work, answer};
use super::{Effect, Event, Shard};
use crate::error::StorageError;
use crate::fault::Fault;
use crate::id::RawId;
use crate::occupant::Occupant;

impl Shard {
    pub(super) fn carry_out(self: &Rc<Self>, effect: Effect) {
        self.trace(&effect);
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
            Effect::Release { output, .. } => self.release(output),
            Effect::Fail { output, fault } => output.fail(fault),
            Effect::RequestCommit => self.commit_wanted.notify_one(),
            Effect::Commit { objects, alarms } => self.commit(&objects, &alarms),
            Effect::UpdateIndex { alarms } => {
                if let Err(error) = self.disk.index().follow(&alarms) {
                    // The index only wakes somebody too early now.
                    tracing::warn!(%error, "the index of alarms is behind");
                }
            }
            Effect::FireAlarm { id } => self.fire_alarm(id),
            Effect::Leave { object, reset } => self.with(object, |slot| leave(&slot, reset)),
            Effect::Close { object } => self.with(object, |slot| self.close(&slot)),
            Effect::Forget { object } => {
                if let Some(slot) = self.slots.borrow_mut().get_mut(object.0) {
                    *slot = None;
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
        let object = slot.index;
        let (database, alarm) = match self.open(slot) {
            Ok(opened) => opened,
            Err(error) => {
                self.handle(Event::WakeFailed {
                    object,
                    fault: Fault::Storage(error),
                });
                return;
            }
        };
        let life = Rc::new(Life::new(Rc::clone(slot), database, alarm));
        let occupant = Occupant::wake(slot.description, ObjectState::new(Rc::clone(&life)));
        let failure = occupant.failure();
        let resident = Resident {
            life: Rc::clone(&life),
            occupant,
        };
        *slot.resident.borrow_mut() = Some(resident);
        let Some(fault) = failure.or_else(|| life.take_ending().map(|ending| ending.fault)) else {
            self.handle(Event::Woken { object, alarm });
            return;
        };
        life.cut_off(fault.clone());
        self.handle(Event::WakeFailed { object, fault });
    }

    fn open(&self, slot: &Slot) -> Result<(Option<Database>, Option<i64>), StorageError> {
        if !self.disk.has(slot.description.class, slot.id) {
            return Ok((None, None));
        }
        let database = self.disk.open(slot.description.class, slot.id)?;
        let alarm = database.alarm()?;
        Ok((Some(database), alarm))
    }

    pub(super) fn refuse(self: &Rc<Self>, work: Work, fault: Fault) {
        match work {
            Work::Task(task) => task.refuse(fault),
            Work::Message { socket, .. } => socket.refuse(&fault),
            Work::Alarm { id } => self.alarm_failed(id),
            // The object did not start, or was reset: it finds its socket missing.
            Work::Close { socket, .. } => socket.cut_off(),
            Work::Error { .. } => {}
        }
    }

    fn release(self: &Rc<Self>, output: Output) {
        match output {
            Output::Called { reply, result } => answer(reply, result),
            Output::Fetched { reply, response } => answer(reply, Ok(response)),
            Output::Delivery(delivery) => self.deliver(*delivery),
            Output::Frame { socket, frame } => socket.transmit(frame),
            Output::Barrier(waiting) => {
                // Whoever waited may be gone.
                let _ = waiting.send(Ok(()));
            }
        }
    }

    fn commit(self: &Rc<Self>, objects: &[ObjectIndex], alarms: &[(ObjectIndex, i64)]) {
        let indexed = self.record_alarms(alarms);
        let mut batch = Vec::with_capacity(objects.len());
        for &object in objects {
            let Some(slot) = self.slot_at(object) else {
                continue;
            };
            let Some(life) = slot
                .resident
                .borrow()
                .as_ref()
                .map(|resident| Rc::clone(&resident.life))
            else {
                continue;
            };
            let needs_index = alarms.iter().any(|(indexed, _)| *indexed == object);
            let committed = match (life.committable(), &indexed) {
                (Some(database), Err(error)) if needs_index => {
                    database.roll_back();
                    Err(error.clone())
                }
                (Some(database), _) => database.commit(),
                (None, _) => Ok(None),
            };
            match committed {
                Ok(Some(unsynced)) => batch.push((object, unsynced)),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, class = slot.description.class, id = %slot.id, "a commit failed");
                    self.handle(Event::CommitFailed {
                        object,
                        fault: Fault::Storage(error),
                    });
                }
            }
        }
        self.disk.sync(batch);
    }

    /// Before the commits, so that no crash leaves an alarm that nobody knows of.
    fn record_alarms(&self, alarms: &[(ObjectIndex, i64)]) -> Result<(), StorageError> {
        if alarms.is_empty() {
            return Ok(());
        }
        let entry = |&(object, at): &(ObjectIndex, i64)| {
            let slot = self.slot_at(object)?;
            let name = slot.name.borrow().as_deref().map(str::to_owned);
            Some(Entry {
                id: slot.id,
                class: slot.description.class.to_owned(),
                name,
                at,
            })
        };
        let entries: Vec<Entry> = alarms.iter().filter_map(entry).collect();
        self.disk.index().record(&entries)
    }

    fn fire_alarm(self: &Rc<Self>, id: RawId) {
        let known = self
            .kernel
            .borrow()
            .find(id)
            .and_then(|object| self.slot_at(object));
        let slot = match known {
            Some(slot) => slot,
            None => match self.alarm_slot(id) {
                Some(slot) => slot,
                None => {
                    let outcome = AlarmOutcome::Stale { actual: None };
                    self.handle(Event::AlarmFinished { id, outcome });
                    return;
                }
            },
        };
        self.handle(Event::Arrived {
            object: slot.index,
            work: Work::Alarm { id },
            bytes: 0,
        });
    }

    /// An object that only the index knows. None for one whose class is gone from the app: its
    /// database stays.
    fn alarm_slot(self: &Rc<Self>, id: RawId) -> Option<Rc<Slot>> {
        let entry = match self.disk.index().find(id) {
            Ok(entry) => entry?,
            Err(error) => {
                tracing::error!(%error, %id, "an alarm cannot be looked up");
                return None;
            }
        };
        let Some(description) = self.class(&entry.class) else {
            tracing::warn!(class = entry.class, %id, "an alarm of a class that the app no longer has");
            return None;
        };
        let slot = self.slot(description, id);
        *slot.name.borrow_mut() = entry.name.map(Into::into);
        Some(slot)
    }

    pub(super) fn alarm_failed(self: &Rc<Self>, id: RawId) {
        let outcome = AlarmOutcome::Failed {
            random: self.random.next_u32(),
        };
        self.handle(Event::AlarmFinished { id, outcome });
    }

    fn close(self: &Rc<Self>, slot: &Slot) {
        let resident = slot.resident.borrow_mut().take();
        match resident.and_then(|resident| resident.life.take_database()) {
            Some(database) => self.disk.close(slot.index, slot.id, database),
            None => self.handle(Event::Closed { object: slot.index }),
        }
    }
}

/// Cuts off what the object runs and drops its memory; its database stays for the last commit.
fn leave(slot: &Slot, reset: Option<Fault>) {
    let resident = slot.resident.borrow().clone();
    let Some(resident) = resident else { return };
    if let Some(fault) = &reset {
        // Its sockets go with its memory (P62); they outlive an eviction.
        let sockets = std::mem::take(&mut *slot.sockets.borrow_mut());
        for socket in sockets {
            socket.cut_off();
            slot.handle(Event::SocketClosed { object: slot.index });
        }
        *slot.automatic_response.borrow_mut() = None;
        tracing::warn!(class = slot.description.class, id = %slot.id, reason = fault.summary().2, "an object was reset");
    }
    let fault = reset.unwrap_or_else(|| Fault::Reset("the object was evicted".to_owned()));
    resident.life.cut_off(fault);
}
