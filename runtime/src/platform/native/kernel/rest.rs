//! What a kernel still holds of things that have ended, after everything is at rest.

use super::object::{Object, Presence};
use super::time::Now;
use super::{Kernel, Limits};
use crate::object::id::RawId;

/// The tolerance for a late timer.
const A_MOMENT_MS: i64 = 1_000;

impl<Work, Output> Kernel<Work, Output> {
    /// Sets new limits. Whatever already exceeds them stays.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.timetable.set_limits(&limits);
        self.limits = limits;
    }

    /// Returns the objects that have something to do or to send.
    pub(crate) fn at_work(&self) -> Vec<RawId> {
        let is_at_work =
            |object: &Object<Work, Output>| object.events > 0 || !object.gate.is_quiet();
        let objects = self.objects.iter().map(|(_, object)| object);
        let mut ids: Vec<RawId> = objects
            .filter(|object| is_at_work(object))
            .map(|object| object.id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Describes a leftover although no object is at work: it would accumulate, or something would
    /// not happen in time. Includes the object if the leftover belongs to one.
    pub(crate) fn leftover(&self, now: Now) -> Option<(Option<RawId>, String)> {
        let mut objects = self.objects.iter().map(|(_, object)| object);
        let of_object = objects.find_map(|object| {
            let leftover = object.leftover(now.steady)?;
            Some((Some(object.id), leftover))
        });
        of_object.or_else(|| self.timetable.leftover(now))
    }

    /// Whether this alarm will fire in time, as far as the kernel must know of it.
    pub(crate) fn expects_alarm(&self, id: RawId, at: i64) -> bool {
        self.timetable.expects(id, at)
    }
}

impl<Work, Output> Object<Work, Output> {
    fn leftover(&self, now: i64) -> Option<String> {
        if self.events > 0 || !self.gate.is_quiet() {
            return None;
        }
        if self.bytes > 0 {
            return Some(format!("{} bytes of events that are over", self.bytes));
        }
        if self.gate.held_bytes() > 0 {
            return Some(format!(
                "{} bytes of outputs that have left",
                self.gate.held_bytes()
            ));
        }
        if self.is_forgettable() {
            return Some("its entry, although it is not in memory".to_owned());
        }
        if self.is_idle() && self.idle_check_at.is_none_or(|at| at + A_MOMENT_MS < now) {
            return Some("an idle object that no look will take out of memory".to_owned());
        }
        if self.presence == Presence::Resident && self.unsettled_run.is_some() {
            return Some("a run of its alarm that counts as not durable".to_owned());
        }
        None
    }
}
