//! Which object's alarm is due when (P24 to P35, as far as the platform's single alarm goes).
//!
//! An entry follows what was committed to the object's own database, and nothing else. Entries are
//! also read from the index on disk, which may be early but is never late: the code that runs an alarm
//! compares it with the database first.

mod rest;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::limits::Limits;
use super::time::Now;
use crate::object::id::RawId;

/// The first retry of an alarm that failed (P29).
const FIRST_RETRY_MS: i64 = 2_000;
/// The pause doubles up to 1,024 s (P30).
const DOUBLINGS: u32 = 9;
/// The pause of an alarm whose object cannot be found at present.
const POSTPONED_MS: i64 = 60_000;
/// A run counts as starting for so long at most: one that waits for something else holds up no other.
const STARTING_MS: i64 = 1_000;

/// The earliest alarms of one shard; the others stay in the index on disk.
///
/// Alarms that wait for their dates and alarms that wait for a retry are bounded apart. So alarms
/// that keep failing, however many, keep no other alarm out of memory.
#[derive(Debug)]
pub(crate) struct Timetable {
    alarms: HashMap<RawId, Alarm>,
    /// By date; at most `capacity`.
    waiting: BTreeSet<(i64, RawId)>,
    /// By the steady clock: a pause is a duration. At most `capacity`.
    paused: BTreeSet<(i64, RawId)>,
    /// The longest pauses, for which there was no room: the index is to keep them.
    left_out: Vec<PausedAlarm>,
    /// All alarms up to this date are here.
    horizon: i64,
    /// Until when the horizon should reach.
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

/// An alarm that failed and is to wait.
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
    /// As committed to the object's database.
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
    /// It fired, for this date. What is committed meanwhile waits for the end of the run (P33).
    Running {
        fired_for: i64,
    },
    /// The run is over, and the object has writes that no commit has made durable: they may hold
    /// another alarm, or be lost.
    Settling,
}

impl Timetable {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            alarms: HashMap::new(),
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

    /// Everything in the index up to this date is about to be [loaded](Self::load).
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

    /// The object's alarm was committed: it is at `at`, or there is none.
    pub(super) fn set(&mut self, id: RawId, at: Option<i64>) {
        match self.alarms.get_mut(&id) {
            Some(alarm) => match alarm.state {
                State::Running { .. } | State::Settling => alarm.at = at,
                // Told again of the alarm that is being retried (by a wake): the pause stays.
                State::Waiting | State::Paused { .. } if alarm.at == at => {}
                State::Waiting | State::Paused { .. } => self.place(id, at),
            },
            None => self.place(id, at),
        }
    }

    /// The index holds this alarm.
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

    /// The alarms that the index is to keep, with their pauses.
    pub(super) fn take_left_out(&mut self) -> Vec<PausedAlarm> {
        std::mem::take(&mut self.left_out)
    }

    /// The alarm may be at `at`, or later: the index says so, or a commit of unknown outcome.
    pub(super) fn lower(&mut self, id: RawId, at: i64) {
        match self.alarms.get(&id) {
            None => self.place(id, Some(at)),
            Some(alarm) if alarm.state == State::Waiting && alarm.at > Some(at) => {
                self.place(id, Some(at));
            }
            Some(_) => {}
        }
    }

    /// The next alarm that is due, marked as running. Never early (P26). None while as many runs
    /// are starting or under way as there may be.
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

    /// What has been due for longest: neither retries nor first runs can keep the others waiting.
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

    /// The handler ran to its end. With `unsettled` the object has writes that are not durable.
    pub(super) fn finished(&mut self, id: RawId, unsettled: bool) {
        if self.end_run(id).is_none() {
            return;
        }
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.failures = 0;
            if unsettled {
                alarm.state = State::Settling;
            } else {
                let at = alarm.at;
                self.place(id, at);
            }
        }
    }

    /// Nothing ran: the object's database has another alarm, which is committed.
    pub(super) fn was_stale(&mut self, id: RawId, actual: Option<i64>) {
        if self.end_run(id).is_some() {
            self.place(id, actual);
        }
    }

    /// The handler could not run, or not to its end. `random` spreads the retries: up to a quarter
    /// is added.
    pub(super) fn failed(&mut self, id: RawId, now: Now, random: u32) {
        let Some(fired_for) = self.end_run(id) else {
            return;
        };
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

    /// The object cannot be found at present.
    pub(super) fn postponed(&mut self, id: RawId, now: Now) {
        if self.end_run(id).is_some() {
            self.pause(id, now.steady + POSTPONED_MS, now);
        }
    }

    /// All that the object wrote is durable.
    pub(super) fn settled(&mut self, id: RawId) {
        if let Some(alarm) = self.alarms.get(&id)
            && alarm.state == State::Settling
        {
            let at = alarm.at;
            self.place(id, at);
        }
    }

    /// What the object wrote is lost, and with it the end of a run: it is repeated.
    pub(super) fn unsettled(&mut self, id: RawId, now: Now) {
        if let Some(alarm) = self.alarms.get_mut(&id)
            && alarm.state == State::Settling
        {
            let delay = retry_delay(alarm.failures, 0);
            alarm.failures = alarm.failures.saturating_add(1);
            self.pause(id, now.steady + delay, now);
        }
    }

    /// By the steady clock.
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

    /// Whether a run is under way; for which date it fired.
    fn end_run(&mut self, id: RawId) -> Option<i64> {
        let State::Running { fired_for } = self.alarms.get(&id)?.state else {
            return None;
        };
        self.running -= 1;
        self.starting.retain(|(_, starting)| *starting != id);
        Some(fired_for)
    }

    /// Waits for the date, or is gone.
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

    /// Leaves an alarm that failed to the index, where its pause goes on. It may come up to one
    /// reading of the index late.
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
