//! The objects of a shard that are in memory.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::kernel::ObjectIndex;
use super::slot::Life;
use crate::engine::instance::Instance;

/// An object in memory.
#[derive(Clone)]
pub(super) struct Resident {
    pub(super) life: Rc<Life>,
    pub(super) instance: Rc<Instance>,
}

/// Indexed by the kernel's index. The caller drops what is removed, because an object's `Drop` may
/// call this again.
#[derive(Default)]
pub(super) struct Residents(RefCell<Vec<Option<Resident>>>);

impl Residents {
    pub(super) fn get(&self, object: ObjectIndex) -> Option<Resident> {
        self.0.borrow().get(object.0)?.clone()
    }

    pub(super) fn life(&self, object: ObjectIndex) -> Option<Rc<Life>> {
        let residents = self.0.borrow();
        Some(Rc::clone(&residents.get(object.0)?.as_ref()?.life))
    }

    pub(super) fn put(&self, object: ObjectIndex, resident: Resident) -> Option<Resident> {
        let mut residents = self.0.borrow_mut();
        if residents.len() <= object.0 {
            residents.resize(object.0 + 1, None);
        }
        residents[object.0].replace(resident)
    }

    pub(super) fn take(&self, object: ObjectIndex) -> Option<Resident> {
        self.0.borrow_mut().get_mut(object.0)?.take()
    }

    pub(super) fn take_all(&self) -> Vec<Resident> {
        let residents = std::mem::take(&mut *self.0.borrow_mut());
        residents.into_iter().flatten().collect()
    }
}
