//! State shared by the handles of one activation: an object from its load to its eviction or reset.

use crate::object::class::Class;
use crate::platform::ObjectState;
use crate::schedule::Timetable;
use crate::storage::Shared;

pub(crate) struct Activation {
    pub(crate) class: &'static Class,
    pub(crate) state: ObjectState,
    pub(crate) storage: Shared,
    pub(crate) timetable: Timetable,
}

impl Activation {
    /// Describes a turn of this object for humans: `Counter "a".increment`.
    pub(crate) fn label(&self, turn: &str) -> String {
        let class = self.class.name;
        match self.state.name() {
            Some(name) => format!("{class} {name:?}.{turn}"),
            None => format!("{class} {}.{turn}", &self.state.id().to_string()[..8]),
        }
    }
}
