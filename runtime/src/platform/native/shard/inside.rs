//! What an object holds, for the simulator: looked at without an event, which would be one of the run.

use std::any::Any;
use std::rc::Rc;

use super::super::disk::Disk;
use super::super::ids::IdKey;
use super::super::kernel::ObjectIndex;
use super::super::slot::{Life, Resident, Slot};
use super::super::state::ObjectState;
use super::super::store::Database;
use super::Shard;
use crate::description::Description;
use crate::error::StorageError;
use crate::fault::Fault;
use crate::fields::FieldStore;
use crate::id::RawId;
use crate::migrations::migrate;

impl Shard {
    /// The object's value in memory, or one loaded from what was committed last.
    pub(in super::super) fn look_inside<R>(
        self: &Rc<Self>,
        description: &'static Description,
        id: RawId,
        look: impl FnOnce(&dyn Any) -> R,
    ) -> Result<R, Fault> {
        if let Some(Resident { occupant, .. }) = self.living(id) {
            let Ok(held) = occupant.resident.try_borrow() else {
                return Err(Fault::Overloaded(
                    "an `async fn(&mut self)` of it is under way".to_owned(),
                ));
            };
            // None while it wakes.
            if let Some(held) = &*held {
                return Ok(look(held.object.as_any()));
            }
        }
        // One of its own, of which the kernel knows nothing.
        let index = ObjectIndex(usize::MAX);
        let slot = Rc::new(Slot::new(Rc::clone(self), index, id, description));
        slot.gone.set(true);
        let life = Rc::new(Life::new(slot, self.copy_of(id)?));
        let state = ObjectState::new(life);
        migrate(&state, description)?;
        let object = (description.load)(&mut FieldStore::new(state, description.keys))?;
        Ok(look(object.as_any()))
    }

    /// The object's database, or a copy of what was committed last; none if nobody wrote to it.
    pub(in super::super) fn look_at_database<R>(
        &self,
        id: RawId,
        read: impl FnOnce(&Database) -> Result<R, StorageError>,
    ) -> Option<Result<R, StorageError>> {
        if let Some(Resident { life, .. }) = self.living(id) {
            return match life.stored() {
                Ok(database) => database.map(|database| read(&database)),
                Err(error) => Some(Err(error)),
            };
        }
        match self.copy_of(id) {
            Ok(database) => database.map(|database| read(&database)),
            Err(error) => Some(Err(error)),
        }
    }

    /// The objects of a class that are on disk or in memory.
    pub(in super::super) fn all_of(&self, description: &'static Description) -> Vec<RawId> {
        let key = IdKey::new(self.disk.key(), description.class);
        let mut ids = match &self.disk {
            Disk::Memory(memory) => memory.ids(),
            Disk::Folder { .. } => Vec::new(),
        };
        let slots = self.slots.borrow();
        let residents = slots.iter().flatten();
        ids.extend(residents.filter_map(|slot| self.living(slot.id).map(|_| slot.id)));
        ids.retain(|id| key.is_own(*id));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Calls the checks of the test, if a turn has just ended.
    pub(super) fn turn_ended(&self) {
        if let Some(simulation) = &self.simulation {
            simulation.turn_ended();
        }
    }

    fn living(&self, id: RawId) -> Option<Resident> {
        let object = self.kernel.borrow().find(id)?;
        let resident = self.slot_at(object)?.resident.borrow().clone()?;
        resident.life.is_over().is_none().then_some(resident)
    }

    fn copy_of(&self, id: RawId) -> Result<Option<Database>, StorageError> {
        match &self.disk {
            Disk::Memory(memory) => memory.copy(id),
            Disk::Folder { .. } => Ok(None),
        }
    }
}
