//! Inspects what an object holds, for the simulator. This causes no event, because an event would
//! change the run.

use std::any::Any;
use std::rc::Rc;

use super::super::ids::IdKey;
use super::super::kernel::ObjectIndex;
use super::super::seam::state::ObjectState;
use super::super::store::Database;
use super::Shard;
use super::disk::Disk;
use super::residents::Resident;
use super::slot::{Executor, Life, Slot};
use crate::engine::table::Description;
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::object::id::RawId;
use crate::storage::fields::FieldStore;
use crate::storage::migrations::migrate;

impl Shard {
    /// Passes `look` the object's value in memory, or one loaded from the last commit.
    pub(in super::super) fn look_inside<R>(
        self: &Rc<Self>,
        description: &'static Description,
        id: RawId,
        look: impl FnOnce(&dyn Any) -> R,
    ) -> Result<R, Fault> {
        if let Some(Resident { life, instance }) = self.living(id) {
            let Ok(held) = instance.resident.try_borrow() else {
                return Err(Fault::Overloaded(
                    "an `async fn(&mut self)` of it is under way".to_owned(),
                ));
            };
            // `None` while it wakes.
            if let Some(held) = &*held {
                return Ok(self.with_lent_database(&life, || look(held.object.as_any())));
            }
        }
        let state = ObjectState::new(self.stand_in(description, id)?);
        let object = (description.load)(&mut FieldStore::new(state, description.class.keys))?;
        Ok(look(object.as_any()))
    }

    /// Passes `read` the object's database, or what a wake would make of the last commit.
    pub(in super::super) fn look_at_database<R>(
        self: &Rc<Self>,
        description: &'static Description,
        id: RawId,
        read: impl FnOnce(&Database) -> Result<R, StorageError>,
    ) -> Result<R, StorageError> {
        let life = match self.living(id) {
            Some(Resident { life, .. }) => life,
            None => self.stand_in(description, id)?,
        };
        self.with_lent_database(&life, || match life.stored()? {
            Some(database) => read(&database),
            // It was never written to, and the class has no migrations.
            None => read(&Database::in_memory()?),
        })
    }

    /// Returns a separate activation that the kernel does not know. It is as the object would be
    /// after a wake, but without the effects of the object's own code.
    fn stand_in(
        self: &Rc<Self>,
        description: &'static Description,
        id: RawId,
    ) -> Result<Rc<Life>, StorageError> {
        let index = ObjectIndex(usize::MAX);
        let slot = Rc::new(Slot::new(
            Rc::clone(self) as Rc<dyn Executor>,
            index,
            id,
            &description.class,
        ));
        slot.gone.set(true);
        let life = Rc::new(Life::new(slot, self.copy_of(id)?));
        migrate(&ObjectState::new(Rc::clone(&life)), &description.class)?;
        Ok(life)
    }

    /// Returns a lent database for as long as the test inspects it. The object does not run
    /// meanwhile and does not need it.
    fn with_lent_database<R>(&self, life: &Life, look: impl FnOnce() -> R) -> R {
        let object = life.slot.index;
        let lent = match &self.disk {
            Disk::Memory(memory) => memory.take_lent(object).map(|lent| (memory, lent)),
            Disk::Folder { .. } => None,
        };
        let Some((memory, (place, database))) = lent else {
            return look();
        };
        life.put_database(*database);
        let result = look();
        if let Some(database) = life.take_database() {
            life.is_lent.set(true);
            memory.lend_again(place, object, database);
        }
        result
    }

    /// Returns the objects of a class that were written to.
    pub(in super::super) fn all_of(&self, description: &'static Description) -> Vec<RawId> {
        let key = IdKey::new(self.disk.key(), description.class.name);
        let mut ids = match &self.disk {
            Disk::Memory(memory) => memory.ids(),
            Disk::Folder { .. } => Vec::new(),
        };
        let slots = self.slots.borrow();
        let kernel = self.kernel.borrow();
        let has_writes = |slot: &Slot| kernel.has_unsynced_writes(slot.index);
        let written = slots.iter().flatten().filter(|slot| has_writes(slot));
        ids.extend(written.map(|slot| slot.id));
        ids.retain(|id| key.is_own(*id));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Calls the test's checks after a turn has ended.
    pub(super) fn turn_ended(&self) {
        if let Some(simulation) = &self.simulation {
            simulation.turn_ended();
        }
    }

    fn living(&self, id: RawId) -> Option<Resident> {
        let object = self.kernel.borrow().find(id)?;
        let resident = self.residents.get(object)?;
        resident.life.is_over().is_none().then_some(resident)
    }

    fn copy_of(&self, id: RawId) -> Result<Option<Database>, StorageError> {
        match &self.disk {
            Disk::Memory(memory) => memory.copy(id),
            Disk::Folder { .. } => Ok(None),
        }
    }
}
