//! Decides which object's alarm is due when (P24 to P35, as far as they concern the platform's
//! single alarm).
//!
//! An entry follows only what was committed to the object's own database. Entries are also read
//! from the index on disk, which may be early but is never late. So the code that runs an alarm
//! first compares it with the database.

mod lost_tries;
mod rest;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};

use lost_tries::Losses;

use super::limits::Limits;
use super::time::Now;
use crate::object::id::RawId;
use crate::schedule::run::{LostTries, Try};

/// The delay of the first retry after an alarm failed (P29).
const FIRST_RETRY_MS: i64 = 2_000;
/// The pause doubles until it is 1,024 s (P30).
const DOUBLINGS: u32 = 9;
/// The pause of an alarm whose object cannot be found at present.
const POSTPONED_MS: i64 = 60_000;
/// How long a run counts as starting at most. A run that waits for something else does not delay
/// others.
const STARTING_MS: i64 = 1_000;

/// The earliest alarms of one shard. The others stay in the index on disk.
///
/// Alarms that wait for their dates and alarms that wait for a retry have separate limits. So
/// alarms that keep failing, however many, do not keep other alarms out of memory.
#[derive(Debug)]
pub(crate) struct Timetable {
    alarms: HashMap<RawId, Alarm>,
    /// Of objects that have an event of their alarm, or whose last one the disk lost: also if the
    /// alarm is beyond the horizon, because a retry may be. At most `capacity` of the latter.
    losses: HashMap<RawId, Losses>,
    /// Sorted by date. At most `capacity`.
    waiting: BTreeSet<(i64, RawId)>,
    /// Sorted by the steady clock, because a pause is a duration. At most `capacity`.
    paused: BTreeSet<(i64, RawId)>,
    /// The longest pauses, for which there was no room. The index must keep them.
    left_out: Vec<PausedAlarm>,
    /// All alarms up to this date are here.
    horizon: i64,
    /// The date that the horizon should reach.
    wanted: i64,
    loading: bool,
    running: usize,
    /// The newest runs, and until when they count as starting.
    starting: VecDeque<(i64, RawId)>,
    capacity: usize,
    starts: usize,
    runs: usize,
}

/// An alarm as the index holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexedAlarm {
    pub(crate) id: RawId,
    pub(crate) at: i64,
    pub(crate) pause: Option<Pause>,
}

/// An alarm that failed and must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PausedAlarm {
    pub(crate) id: RawId,
    pub(crate) pause: Pause,
}

/// A pause that the index keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// The date of the retry.
    pub(crate) until: i64,
    pub(crate) failures: u32,
}

#[derive(Debug)]
struct Alarm {
    /// The date committed to the object's database.
    at: Option<i64>,
    state: State,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Paused {
        until: i64,
    },
    /// The alarm fired for this date. Later commits take effect at the end of the run (P33).
    Running {
        fired_for: i64,
    },
    /// The run has ended, but the object has writes that are not durable. They may hold another
    /// alarm, or be lost.
    Settling,
}

impl Timetable {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            alarms: HashMap::new(),
            losses: HashMap::new(),
            waiting: BTreeSet::new(),
            paused: BTreeSet::new(),
            left_out: Vec::new(),
            horizon: i64::MIN,
            wanted: i64::MIN,
            loading: false,
            running: 0,
            starting: VecDeque::new(),
            capacity: limits.alarms,
            starts: limits.alarm_starts,
            runs: limits.alarm_runs,
        }
    }

    /// Announces that everything in the index up to this date will be [loaded](Self::load).
    pub(super) fn begin_loading(&mut self, until: i64) {
        self.horizon = until;
        self.wanted = until;
        self.loading = true;
        while self.waiting.len() > self.capacity && self.drop_latest() {}
    }

    pub(super) fn end_loading(&mut self) {
        self.loading = false;
    }

    pub(super) fn horizon(&self) -> i64 {
        self.horizon
    }

    /// Whether there is room again for alarms that did not fit.
    pub(super) fn wants_loading(&self) -> bool {
        !self.loading && self.horizon < self.wanted && self.waiting.len() <= self.capacity / 2
    }

    /// Records that the object's alarm was committed: its date is `at`, or it has none.
    pub(super) fn set(&mut self, id: RawId, at: Option<i64>) {
        match self.alarms.get_mut(&id) {
            Some(alarm) => match alarm.state {
                State::Running { .. } | State::Settling => alarm.at = at,
                // A wake reported the alarm that is being retried. Its pause is kept.
                State::Waiting | State::Paused { .. } if alarm.at == at => {}
                State::Waiting | State::Paused { .. } => self.place(id, at),
            },
            None => self.place(id, at),
        }
    }

    /// Records that the index holds this alarm.
    pub(super) fn load(&mut self, alarm: IndexedAlarm, now: Now) {
        let IndexedAlarm { id, at, pause } = alarm;
        let until = pause.map(|pause| now.steady_at(pause.until));
        match (pause, until) {
            (Some(Pause { failures, .. }), Some(until)) if !self.alarms.contains_key(&id) => {
                let is_full = self.paused.len() >= self.capacity;
                if is_full && self.paused.last().is_some_and(|(last, _)| *last <= until) {
                    return;
                }
                let state = State::Paused { until };
                let at = Some(at);
                self.alarms.insert(
                    id,
                    Alarm {
                        at,
                        state,
                        failures,
                    },
                );
                self.pause(id, until, now);
            }
            _ => self.lower(id, at),
        }
    }

    /// Takes the alarms that the index must keep, with their pauses.
    pub(super) fn take_left_out(&mut self) -> Vec<PausedAlarm> {
        std::mem::take(&mut self.left_out)
    }

    /// Records that the alarm may be at `at` or later, because of the index or a commit of unknown
    /// outcome.
    pub(super) fn lower(&mut self, id: RawId, at: i64) {
        match self.alarms.get(&id) {
            None => self.place(id, Some(at)),
            Some(alarm) if alarm.state == State::Waiting && alarm.at > Some(at) => {
                self.place(id, Some(at));
            }
            Some(_) => {}
        }
    }

    /// Returns the next alarm that is due, marked as running. Never returns one early (P26).
    /// Returns `None` while as many runs are starting or under way as are allowed.
    pub(super) fn fire(&mut self, now: Now) -> Option<RawId> {
        while self
            .starting
            .front()
            .is_some_and(|(until, _)| *until <= now.steady)
        {
            self.starting.pop_front();
        }
        if self.starting.len() >= self.starts || self.running >= self.runs {
            return None;
        }
        let id = self.take_due(now)?;
        if let Some(alarm) = self.alarms.get_mut(&id) {
            let fired_for = alarm.at.unwrap_or(now.wall);
            alarm.state = State::Running { fired_for };
            self.running += 1;
            self.starting.push_back((now.steady + STARTING_MS, id));
        }
        Some(id)
    }

    /// Takes the alarm that has been due for longest, so that neither retries nor first runs delay
    /// the others indefinitely.
    fn take_due(&mut self, now: Now) -> Option<RawId> {
        let waiting = self
            .waiting
            .first()
            .map(|(at, _)| now.wall.saturating_sub(*at));
        let paused = self.paused.first().map(|(until, _)| now.steady - until);
        let taken = match (waiting, paused) {
            (Some(late), _) if late >= paused.unwrap_or(0).max(0) => self.waiting.pop_first(),
            (_, Some(0..)) => self.paused.pop_first(),
            _ => None,
        };
        taken.map(|(_, id)| id)
    }

    /// Records that the handler ran to completion. With `unsettled`, the object has writes that are
    /// not durable.
    pub(super) fn finished(&mut self, id: RawId, unsettled: bool) {
        if self.end_run(id).is_none() {
            return;
        }
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.failures = 0;
            if unsettled {
                alarm.state = State::Settling;
                return;
            }
            let at = alarm.at;
            self.place(id, at);
        }
        if !unsettled {
            self.forget_tries(id);
        }
    }

    /// Records that nothing ran, because the object's database has another committed alarm.
    pub(super) fn was_stale(&mut self, id: RawId, actual: Option<i64>) {
        if self.end_run(id).is_some() {
            self.place(id, actual);
        }
    }

    /// Records that the handler could not run to completion. `random` adds up to a quarter to the
    /// delay, to spread the retries.
    pub(super) fn failed(&mut self, id: RawId, now: Now, random: u32) {
        let Some(fired_for) = self.end_run(id) else {
            return;
        };
        self.forget_tries(id);
        let Some(alarm) = self.alarms.get_mut(&id) else {
            return;
        };
        match alarm.at {
            None => self.place(id, None),
            // The run set another alarm, which supersedes the retry (P33).
            Some(at) if at != fired_for && at > now.wall => self.place(id, Some(at)),
            Some(at) if at != fired_for => {
                alarm.failures = 0;
                self.pause(id, now.steady + retry_delay(0, random), now);
            }
            Some(_) => {
                let delay = retry_delay(alarm.failures, random);
                alarm.failures = alarm.failures.saturating_add(1);
                self.pause(id, now.steady + delay, now);
            }
        }
    }

    /// Records that the object cannot be found at present.
    pub(super) fn postponed(&mut self, id: RawId, now: Now) {
        if self.end_run(id).is_some() {
            self.pause(id, now.steady + POSTPONED_MS, now);
        }
    }

    /// Records that all writes of the object are durable.
    pub(super) fn settled(&mut self, id: RawId) {
        if let Some(alarm) = self.alarms.get(&id)
            && alarm.state == State::Settling
        {
            let at = alarm.at;
            self.place(id, at);
        }
        self.forget_tries(id);
    }

    /// Records that the disk lost the object's writes. If that ends tries, they are not counted
    /// (P30).
    pub(super) fn lost_by_the_disk(&mut self, id: RawId) {
        let is_full = self.losses.len() > self.capacity + self.running;
        if let Some(losses) = self.losses.get_mut(&id) {
            losses.lose();
            if is_full {
                self.losses.remove(&id);
            }
        }
    }

    /// Records that an event of the object's alarm starts there. Returns what the disk lost of
    /// those before it.
    pub(super) fn start_tries(&mut self, id: RawId) -> LostTries {
        self.losses.entry(id).or_default().start()
    }

    /// Records that a run is tried.
    pub(super) fn begin_try(&mut self, id: RawId, next: Try) {
        if let Some(losses) = self.losses.get_mut(&id) {
            losses.begin(next);
        }
    }

    /// Records that the event is over, and whether a run was tried in it.
    pub(super) fn end_tries(&mut self, id: RawId, tried: bool) {
        if let Some(losses) = self.losses.get_mut(&id) {
            losses.end(tried);
        }
    }

    /// Forgets the tries of an object, unless the disk lost the last ones.
    fn forget_tries(&mut self, id: RawId) {
        if self.losses.get(&id).is_some_and(Losses::is_empty) {
            self.losses.remove(&id);
        }
    }

    /// Records that the object's writes are lost. A run that ended is then repeated.
    pub(super) fn unsettled(&mut self, id: RawId, now: Now) {
        if let Some(alarm) = self.alarms.get_mut(&id)
            && alarm.state == State::Settling
        {
            let delay = retry_delay(alarm.failures, 0);
            alarm.failures = alarm.failures.saturating_add(1);
            self.pause(id, now.steady + delay, now);
        }
    }

    /// When the next alarm is due, by the steady clock.
    pub(super) fn next_due(&self, now: impl FnOnce() -> Now) -> Option<i64> {
        let waiting = self.waiting.first().map(|(at, _)| now().steady_at(*at));
        let paused = self.paused.first().map(|(until, _)| *until);
        let due = [waiting, paused].into_iter().flatten().min()?;
        if self.running >= self.runs {
            return None;
        }
        let admitted = match self.starting.front() {
            Some((until, _)) if self.starting.len() >= self.starts => *until,
            _ => due,
        };
        Some(due.max(admitted))
    }

    pub(super) fn is_due(&self, now: Now) -> bool {
        self.waiting.first().is_some_and(|(at, _)| *at <= now.wall)
            || self
                .paused
                .first()
                .is_some_and(|(until, _)| *until <= now.steady)
    }

    /// Ends a run. Returns the date for which it fired, or `None` if no run was under way.
    fn end_run(&mut self, id: RawId) -> Option<i64> {
        let State::Running { fired_for } = self.alarms.get(&id)?.state else {
            return None;
        };
        self.running -= 1;
        self.starting.retain(|(_, starting)| *starting != id);
        Some(fired_for)
    }

    /// Waits for the date. Removes the alarm if there is no date, or if the date is beyond the
    /// horizon.
    fn place(&mut self, id: RawId, at: Option<i64>) {
        self.unlist(id);
        let Some(at) = at.filter(|at| *at <= self.horizon) else {
            self.alarms.remove(&id);
            return;
        };
        let alarm = Alarm {
            at: Some(at),
            state: State::Waiting,
            failures: 0,
        };
        self.alarms.insert(id, alarm);
        self.waiting.insert((at, id));
        if self.waiting.len() > self.capacity {
            self.drop_latest();
        }
    }

    fn pause(&mut self, id: RawId, until: i64, now: Now) {
        self.unlist(id);
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.state = State::Paused { until };
            self.paused.insert((until, id));
        }
        if self.paused.len() > self.capacity {
            self.leave_out_longest_pause(now);
        }
    }

    /// Leaves a failed alarm to the index, which keeps its pause. It may be late by up to one
    /// reading of the index.
    fn leave_out_longest_pause(&mut self, now: Now) {
        let Some((until, id)) = self.paused.pop_last() else {
            return;
        };
        let failures = self.alarms.remove(&id).map_or(0, |alarm| alarm.failures);
        let until = now.wall.saturating_add(until - now.steady);
        self.left_out.push(PausedAlarm {
            id,
            pause: Pause { until, failures },
        });
    }

    fn unlist(&mut self, id: RawId) {
        if let Some(Alarm {
            at: Some(at),
            state: State::Waiting,
            ..
        }) = self.alarms.get(&id)
        {
            self.waiting.remove(&(*at, id));
        }
        if let Some(Alarm {
            state: State::Paused { until },
            ..
        }) = self.alarms.get(&id)
        {
            self.paused.remove(&(*until, id));
        }
    }

    /// Leaves the latest alarm to the index.
    fn drop_latest(&mut self) -> bool {
        let Some((at, id)) = self.waiting.pop_last() else {
            return false;
        };
        self.alarms.remove(&id);
        self.horizon = self.horizon.min(at - 1);
        true
    }
}

fn retry_delay(failures: u32, random: u32) -> i64 {
    let delay = FIRST_RETRY_MS << failures.min(DOUBLINGS);
    delay + (delay / 4) * i64::from(random) / i64::from(u32::MAX)
}
