//! What a timetable still holds of things that have ended, after everything is at rest.

use super::{State, Timetable};
use crate::object::id::RawId;
use crate::platform::native::kernel::limits::Limits;
use crate::platform::native::kernel::time::Now;

impl Timetable {
    pub(in super::super) fn set_limits(&mut self, limits: &Limits) {
        self.capacity = limits.alarms;
        self.starts = limits.alarm_starts;
        self.runs = limits.alarm_runs;
    }

    /// Describes a leftover of runs that have ended, or an alarm that will not fire in time.
    pub(in super::super) fn leftover(&self, now: Now) -> Option<(Option<RawId>, String)> {
        let running = self
            .alarms
            .values()
            .filter(|alarm| matches!(alarm.state, State::Running { .. }))
            .count();
        if running != self.running {
            let counted = self.running;
            return Some((
                None,
                format!("{counted} runs of alarms, of which {running} are under way"),
            ));
        }
        let settling = |state| state == State::Settling;
        if let Some((id, _)) = self.alarms.iter().find(|(_, alarm)| settling(alarm.state)) {
            return Some((
                Some(*id),
                "a run of its alarm that waits for a commit".to_owned(),
            ));
        }
        if self.running >= self.runs || self.starting.len() >= self.starts {
            return None;
        }
        let late = self.alarms.iter().find_map(|(id, alarm)| {
            let due = match alarm.state {
                State::Waiting => now.steady_at(alarm.at?),
                State::Paused { until } => until,
                State::Running { .. } | State::Settling => return None,
            };
            let is_late = self.next_due(|| now).is_none_or(|next| next > due);
            is_late.then_some((*id, due - now.steady))
        });
        late.map(|(id, pause)| {
            let message = format!("its alarm, due in {pause} ms, for which no timer is set");
            (Some(id), message)
        })
    }

    /// Whether this alarm will fire in time: it is in memory, or beyond the horizon.
    pub(in super::super) fn expects(&self, id: RawId, at: i64) -> bool {
        at > self.horizon
            || self
                .alarms
                .get(&id)
                .is_some_and(|alarm| alarm.at.is_some_and(|expected| expected <= at))
    }
}
