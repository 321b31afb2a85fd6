//! Which object's alarm is due when (P24 to P35, as far as the platform's single alarm goes).

use std::collections::{BTreeSet, HashMap};

use crate::id::RawId;

/// The first retry of an alarm that failed (P29).
const FIRST_RETRY_MS: i64 = 2_000;
/// The pause doubles up to 1,024 s (P30).
const DOUBLINGS: u32 = 9;

/// The alarms of one shard that are due before its horizon; later ones stay in the index on disk.
#[derive(Debug, Default)]
pub(crate) struct Timetable {
    alarms: HashMap<RawId, Alarm>,
    waiting: BTreeSet<(i64, RawId)>,
}

#[derive(Debug)]
struct Alarm {
    /// What the object asked for.
    scheduled_at: i64,
    /// When it fires: later than asked for while it is being retried.
    due_at: i64,
    failures: u32,
    /// Fired and not finished. What the handler sets meanwhile waits for the end of the run (P33).
    running: bool,
    set_again: bool,
}

impl Timetable {
    /// The object's alarm is at `at`, or there is none.
    pub(crate) fn set(&mut self, id: RawId, at: Option<i64>) {
        match (self.alarms.get_mut(&id), at) {
            (Some(alarm), Some(at)) if alarm.running => {
                alarm.set_again = true;
                alarm.scheduled_at = at;
                alarm.due_at = at;
            }
            (Some(alarm), None) if alarm.running => alarm.set_again = false,
            (Some(alarm), Some(at)) => {
                // Told again of the alarm that is being retried (by a wake): the pause stays.
                if alarm.scheduled_at != at {
                    self.waiting.remove(&(alarm.due_at, id));
                    *alarm = Alarm::new(at);
                    self.waiting.insert((at, id));
                }
            }
            (Some(alarm), None) => {
                self.waiting.remove(&(alarm.due_at, id));
                self.alarms.remove(&id);
            }
            (None, Some(at)) => {
                self.alarms.insert(id, Alarm::new(at));
                self.waiting.insert((at, id));
            }
            (None, None) => {}
        }
    }

    /// A wake read the alarm from the object's own database; a run that has begun knows better.
    pub(crate) fn confirm(&mut self, id: RawId, at: Option<i64>) {
        if !self.alarms.get(&id).is_some_and(|alarm| alarm.running) {
            self.set(id, at);
        }
    }

    /// Adds what the index knows, unless something newer is known here.
    pub(crate) fn load(&mut self, id: RawId, at: i64) {
        if !self.alarms.contains_key(&id) {
            self.set(id, Some(at));
        }
    }

    /// The next alarm that is due, marked as running. Never early (P26).
    pub(crate) fn fire(&mut self, now: i64) -> Option<RawId> {
        let &(due_at, id) = self.waiting.first()?;
        if due_at > now {
            return None;
        }
        self.waiting.pop_first();
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.running = true;
            alarm.set_again = false;
        }
        Some(id)
    }

    /// The run is over and is not to be repeated.
    pub(crate) fn finished(&mut self, id: RawId) {
        let Some(alarm) = self.alarms.get_mut(&id) else {
            return;
        };
        if alarm.set_again {
            *alarm = Alarm::new(alarm.due_at);
            self.waiting.insert((alarm.due_at, id));
        } else {
            self.alarms.remove(&id);
        }
    }

    /// The handler could not run to its end. `random` spreads the retries: up to a quarter is added.
    pub(crate) fn failed(&mut self, id: RawId, now: i64, random: u32) {
        let Some(alarm) = self.alarms.get_mut(&id) else {
            return;
        };
        if alarm.set_again {
            *alarm = Alarm::new(alarm.due_at);
        } else {
            alarm.running = false;
            alarm.due_at = now + retry_delay(alarm.failures, random);
            alarm.failures = alarm.failures.saturating_add(1);
        }
        self.waiting.insert((alarm.due_at, id));
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.waiting.first().map(|(due_at, _)| *due_at)
    }
}

impl Alarm {
    fn new(at: i64) -> Self {
        Self {
            scheduled_at: at,
            due_at: at,
            failures: 0,
            running: false,
            set_again: false,
        }
    }
}

fn retry_delay(failures: u32, random: u32) -> i64 {
    let delay = FIRST_RETRY_MS << failures.min(DOUBLINGS);
    delay + (delay / 4) * i64::from(random) / i64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: RawId = RawId([1; 32]);
    const B: RawId = RawId([2; 32]);

    #[test]
    fn fires_in_order_and_never_early() {
        let mut timetable = Timetable::default();
        timetable.set(B, Some(20));
        timetable.set(A, Some(10));
        assert_eq!(timetable.fire(9), None);
        assert_eq!(timetable.fire(25), Some(A));
        assert_eq!(timetable.fire(25), Some(B));
        assert_eq!(timetable.fire(25), None);
        assert_eq!(timetable.next_due(), None);
    }

    #[test]
    fn an_alarm_set_during_its_run_waits_for_the_end() {
        let mut timetable = Timetable::default();
        timetable.set(A, Some(10));
        assert_eq!(timetable.fire(10), Some(A));
        timetable.set(A, Some(10));
        assert_eq!(timetable.fire(11), None);
        timetable.finished(A);
        assert_eq!(timetable.fire(11), Some(A));
        timetable.finished(A);
        assert_eq!(timetable.fire(100), None);
    }

    #[test]
    fn the_wake_that_a_run_causes_does_not_repeat_the_run() {
        let mut timetable = Timetable::default();
        timetable.load(A, 10);
        assert_eq!(timetable.fire(10), Some(A));
        timetable.confirm(A, Some(10));
        timetable.finished(A);
        assert_eq!(timetable.next_due(), None);
    }

    #[test]
    fn a_new_alarm_supersedes_the_retry() {
        let mut timetable = Timetable::default();
        timetable.set(A, Some(10));
        timetable.fire(10);
        timetable.set(A, Some(50));
        timetable.failed(A, 12, 0);
        assert_eq!(timetable.next_due(), Some(50));
    }

    #[test]
    fn retries_double_up_to_the_cap_with_bounded_jitter() {
        let mut timetable = Timetable::default();
        timetable.set(A, Some(0));
        let mut now = 0;
        let mut expected = FIRST_RETRY_MS;
        for _ in 0..20 {
            assert_eq!(timetable.fire(now), Some(A));
            timetable.failed(A, now, 0);
            // A wake that reads the same alarm from disk does not cut the pause short.
            timetable.confirm(A, Some(0));
            let due = timetable.next_due().unwrap_or_default();
            assert_eq!(due - now, expected);
            now = due;
            expected = (expected * 2).min(1_024_000);
        }
        assert_eq!(retry_delay(0, u32::MAX), 2_500);
        assert_eq!(retry_delay(200, 0), 1_024_000);
    }

    #[test]
    fn moved_and_deleted_alarms_leave_nothing_behind() {
        let mut timetable = Timetable::default();
        timetable.set(A, Some(10));
        timetable.set(A, Some(30));
        assert_eq!(timetable.next_due(), Some(30));
        timetable.load(A, 5);
        assert_eq!(timetable.next_due(), Some(30));
        timetable.set(A, None);
        assert_eq!(timetable.next_due(), None);
        assert!(timetable.alarms.is_empty());
    }
}
