//! Named schedules over the platform's single alarm.
//!
//! Each pending run is a row; the platform's alarm stands at the earliest. A try is counted in its
//! row, with the time of its retry, and that is durable *before* the handler starts. So a run that
//! dies with the process or the wasm instance comes back, one that kills them each time is given up,
//! and the platform's own count of retries, after which it would drop the one alarm for all
//! schedules, is never used up by one of them.
//!
//! The rows are the truth. What is remembered of them here is forgotten at every rollback.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::context::Ctx;
use crate::description::{AlarmMethod, Description, Recurrence};
use crate::error::StorageError;
use crate::platform::ObjectState;
use crate::sql::{SqlRows, SqlValue};
use crate::time::Timestamp;
use crate::wire;

/// The first pause before a failed run is tried again; it doubles with each further try.
const FIRST_RETRY_MILLIS: u64 = 2_000;
/// How often a failed run is tried again before its schedule is dropped.
const MAX_RETRIES: u32 = 6;

/// The latest time that a JavaScript date, and so the platform's alarm, can hold.
const LATEST_MILLIS: i64 = 8_640_000_000_000_000;

/// What an alarm handler may know of its run; take it as an argument `run: AlarmRun`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRun {
    /// When the run was due. It never starts earlier.
    pub scheduled: Timestamp,
    /// How many tries failed before this one, 0 to 6.
    pub retry_count: u32,
    /// The key it was scheduled under; empty unless one was given.
    pub key: String,
}

impl AlarmRun {
    /// Whether an earlier try of this run failed.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.retry_count > 0
    }
}

/// A run about to be scheduled: say when with [`at`](Self::at) or [`after`](Self::after).
///
/// One run is pending for each alarm method and key; scheduling again replaces it. A run happens at
/// least once: a handler whose effects reach outside gives them an idempotency key. A handler that
/// fails is run again after 2 s, then 4 s and so on, with up to 25 % more at random, 6 times; then
/// the run is dropped (a recurring alarm goes on with its next). A try counts from the moment its
/// handler starts, a try that ends with the process included.
#[must_use = "nothing is scheduled until `at` or `after` says when"]
pub struct Scheduling<'a> {
    ctx: &'a Ctx,
    alarm: &'static str,
    key: String,
    payload: Result<Vec<u8>, String>,
}

impl Scheduling<'_> {
    /// Names this run among others of the same alarm method.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// Runs at a point in time; one in the past runs at once.
    ///
    /// # Errors
    /// A time of zero or less or beyond the year 275,760, or storage failed.
    pub fn at(self, time: Timestamp) -> Result<(), StorageError> {
        if !(1..=LATEST_MILLIS).contains(&time.as_millis()) {
            return Err(StorageError::Usage(format!(
                "an alarm's time is milliseconds since 1970, more than zero and at most {LATEST_MILLIS}, not {time}"
            )));
        }
        let payload = self.payload.map_err(|message| StorageError::Unencodable {
            subject: format!("the payload of alarm `{}`", self.alarm),
            message,
        })?;
        let time = time.as_millis().max(self.ctx.state().now());
        self.ctx
            .inner
            .timetable
            .put(self.ctx.state(), self.alarm, &self.key, time, payload)
    }

    /// Runs when `delay` has passed.
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub fn after(self, delay: Duration) -> Result<(), StorageError> {
        let time = self.ctx.now() + delay;
        self.at(time)
    }
}

/// Begins to schedule a run; generated code names the alarm.
pub fn scheduling<'a, T: Serialize + ?Sized>(
    ctx: &'a Ctx,
    alarm: &'static str,
    payload: &T,
) -> Scheduling<'a> {
    Scheduling {
        ctx,
        alarm,
        key: String::new(),
        payload: wire::encode(payload),
    }
}

/// Takes back a pending run; whether there was one.
pub fn cancel(ctx: &Ctx, alarm: &'static str, key: &str) -> Result<bool, StorageError> {
    ctx.inner.timetable.cancel(ctx.state(), alarm, key)
}

/// When the pending run is due. Inside the handler of that very run it is `None` until the run is
/// scheduled again.
pub fn next_run(
    ctx: &Ctx,
    alarm: &'static str,
    key: &str,
) -> Result<Option<Timestamp>, StorageError> {
    ctx.inner.timetable.next(ctx.state(), alarm, key)
}

/// The pending runs of one object.
#[derive(Default)]
pub(crate) struct Timetable {
    table_exists: Cell<bool>,
    /// Where the platform's alarm was last put; `None` if not known.
    platform_alarm: Cell<Option<Option<i64>>>,
    /// The runs whose handlers are at work in this memory.
    running: RefCell<Vec<(String, String)>>,
}

/// A run that was due when its alarm fired.
pub(crate) struct Pending {
    pub(crate) method: &'static AlarmMethod,
    key: String,
}

/// A run whose try was counted.
pub(crate) struct Due {
    method: &'static AlarmMethod,
    pub(crate) payload: Vec<u8>,
    pub(crate) run: AlarmRun,
}

/// Where the recurrences are kept that the pending runs were made for: names and their texts.
const RECURRENCES_KEY: &str = "__anchorhold/recurrences";

/// In the column `running`, beside 0 and 1: the run is due, and the version that was asked last does not
/// have its method. `attempt` counts how often one was asked.
const LACKS_ITS_METHOD: i64 = 2;
const FIRST_LOOK_MILLIS: i64 = 60_000;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
const KEPT_WITHOUT_METHOD_MILLIS: i64 = 30 * DAY_MILLIS;

/// No retry waits longer: six doublings, and a quarter at random.
const LONGEST_BACKOFF_MILLIS: i64 = 2_000 * (1 << MAX_RETRIES) * 5 / 4;

/// The pause before an alarm event that could not start is tried again (P29).
const POSTPONED_MILLIS: i64 = 2_000;

impl Timetable {
    /// On every wake: the recurring alarms of the class get their rows. One whose recurrence was
    /// changed since its row was made gets a new row; an unchanged one keeps its run.
    pub(crate) fn wake(
        &self,
        state: &ObjectState,
        description: &'static Description,
    ) -> Result<(), StorageError> {
        if description.alarms.is_empty() {
            return Ok(());
        }
        let known: BTreeMap<String, String> = match state.get(RECURRENCES_KEY)? {
            Some(bytes) => wire::decode(&bytes).map_err(|message| StorageError::Undecodable {
                subject: "the recurrences of the alarms".to_owned(),
                message,
            })?,
            None => BTreeMap::new(),
        };
        let mut current = BTreeMap::new();
        for alarm in description.alarms {
            let Some(text) = alarm.recurrence.text() else {
                continue;
            };
            self.keep_recurring(state, alarm, known.get(alarm.name) == Some(&text))?;
            current.insert(alarm.name.to_owned(), text);
        }
        if known == current {
            return Ok(());
        }
        // One whose method is gone, too, is kept for a version that has it: see `due`.
        let gone =
            |name: &&String| !current.contains_key(*name) && description.alarm(name).is_some();
        for name in known.keys().filter(gone) {
            self.cancel(state, name, "")?;
        }
        let bytes = wire::encode(&current).map_err(|message| StorageError::Unencodable {
            subject: "the recurrences of the alarms".to_owned(),
            message,
        })?;
        state.put(RECURRENCES_KEY, &bytes)
    }

    fn keep_recurring(
        &self,
        state: &ObjectState,
        alarm: &AlarmMethod,
        unchanged: bool,
    ) -> Result<(), StorageError> {
        let now = state.now();
        let Some(next) = next_occurrence(alarm.recurrence, now, now) else {
            return Ok(());
        };
        let keeps = match self.due_of(state, alarm.name, "")? {
            // None waits longer than one occurrence, or its retry: a clock that was wrong for a while
            // may have put it years away. So may the rows of versions that kept no recurrence.
            Some(due) if unchanged => due <= next.max(now.saturating_add(LONGEST_BACKOFF_MILLIS)),
            Some(due) => due <= next,
            None => false,
        };
        if keeps {
            return Ok(());
        }
        self.put(state, alarm.name, "", next, wire::NIL.to_vec())
    }

    /// Compares the platform's alarm with the pending runs. Writes only if it stands too late, or
    /// nowhere.
    pub(crate) fn check_alarm(
        &self,
        state: &ObjectState,
        description: &'static Description,
    ) -> Result<(), StorageError> {
        if description.alarms.is_empty() || !self.exists(state)? {
            return Ok(());
        }
        self.bring_back_retries(state)?;
        match self.earliest(state)? {
            Some(earliest) => state.ensure_alarm(earliest),
            None => Ok(()),
        }
    }

    /// Retries that a clock which was wrong for a while has put too far away are due now.
    fn bring_back_retries(&self, state: &ObjectState) -> Result<(), StorageError> {
        let now = state.now();
        let latest = now.saturating_add(LONGEST_BACKOFF_MILLIS);
        let SqlRows { rows, .. } = state.sql(
            "SELECT 1 FROM _anchorhold_schedule
                WHERE attempt > 0 AND running <> ? AND due > ? LIMIT 1",
            &[LACKS_ITS_METHOD.into(), latest.into()],
        )?;
        if !rows.is_empty() {
            state.sql(
                "UPDATE _anchorhold_schedule SET due = ?
                    WHERE attempt > 0 AND running <> ? AND due > ?",
                &[now.into(), LACKS_ITS_METHOD.into(), latest.into()],
            )?;
        }
        Ok(())
    }

    fn exists(&self, state: &ObjectState) -> Result<bool, StorageError> {
        if !self.table_exists.get() {
            let rows = state.sql(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_anchorhold_schedule'",
                &[],
            )?;
            self.table_exists.set(!rows.rows.is_empty());
        }
        Ok(self.table_exists.get())
    }

    fn ensure(&self, state: &ObjectState) -> Result<(), StorageError> {
        if !self.table_exists.get() {
            state.sql(
                "CREATE TABLE IF NOT EXISTS _anchorhold_schedule (
                    name TEXT NOT NULL, key TEXT NOT NULL, due INTEGER NOT NULL,
                    scheduled INTEGER NOT NULL, attempt INTEGER NOT NULL,
                    running INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (name, key)
                 ) WITHOUT ROWID;
                 CREATE INDEX IF NOT EXISTS _anchorhold_schedule_due ON _anchorhold_schedule (due)",
                &[],
            )?;
            self.table_exists.set(true);
        }
        Ok(())
    }

    fn due_of(
        &self,
        state: &ObjectState,
        alarm: &str,
        key: &str,
    ) -> Result<Option<i64>, StorageError> {
        if !self.exists(state)? {
            return Ok(None);
        }
        let SqlRows { rows, .. } = state.sql(
            "SELECT due FROM _anchorhold_schedule WHERE name = ? AND key = ?",
            &[alarm.into(), key.into()],
        )?;
        Ok(rows.first().and_then(|row| row.first()).map(integer))
    }

    fn put(
        &self,
        state: &ObjectState,
        alarm: &str,
        key: &str,
        time: i64,
        payload: Vec<u8>,
    ) -> Result<(), StorageError> {
        crate::limits::check_entry(key_for_limits(key), payload.len())?;
        self.ensure(state)?;
        state.sql(
            "INSERT OR REPLACE INTO _anchorhold_schedule
                (name, key, due, scheduled, attempt, running, payload) VALUES (?, ?, ?, ?, 0, 0, ?)",
            &[alarm.into(), key.into(), time.into(), time.into(), payload.into()],
        )?;
        self.rearm(state)
    }

    fn cancel(&self, state: &ObjectState, alarm: &str, key: &str) -> Result<bool, StorageError> {
        if !self.exists(state)? {
            return Ok(false);
        }
        // A run at work keeps no pending row; taking its row away also takes away its retry (P37).
        let pending = self.next(state, alarm, key)?.is_some();
        state.sql(
            "DELETE FROM _anchorhold_schedule WHERE name = ? AND key = ?",
            &[alarm.into(), key.into()],
        )?;
        self.rearm(state)?;
        Ok(pending)
    }

    fn next(
        &self,
        state: &ObjectState,
        alarm: &str,
        key: &str,
    ) -> Result<Option<Timestamp>, StorageError> {
        if !self.exists(state)? {
            return Ok(None);
        }
        let rows = state.sql(
            "SELECT due, running FROM _anchorhold_schedule WHERE name = ? AND key = ?",
            &[alarm.into(), key.into()],
        )?;
        let Some([due, running]) = rows.rows.first().and_then(|row| row.first_chunk()) else {
            return Ok(None);
        };
        let at_work = integer(running) != 0 && self.is_running(alarm, key);
        Ok((!at_work).then(|| Timestamp::from_millis(integer(due))))
    }

    fn is_running(&self, alarm: &str, key: &str) -> bool {
        self.running
            .borrow()
            .iter()
            .any(|(name, running)| name == alarm && running == key)
    }

    /// When the first run is due.
    fn earliest(&self, state: &ObjectState) -> Result<Option<i64>, StorageError> {
        let SqlRows { rows, .. } = state.sql("SELECT MIN(due) FROM _anchorhold_schedule", &[])?;
        let earliest = rows.first().and_then(|row| row.first());
        Ok(earliest
            .filter(|value| **value != SqlValue::Null)
            .map(integer))
    }

    /// Puts the platform's alarm at the earliest row, or takes it away.
    pub(crate) fn rearm(&self, state: &ObjectState) -> Result<(), StorageError> {
        let earliest = if self.exists(state)? {
            self.earliest(state)?
        } else {
            None
        };
        // At exactly now the platform's alarm can stall when set by its own handler (workerd#6866).
        self.set_alarm(state, earliest.map(|due| due.max(state.now() + 1)))
    }

    /// Puts the platform's alarm at the earliest row, but not before a pause: nothing can start now.
    pub(crate) fn postpone(&self, state: &ObjectState) -> Result<(), StorageError> {
        let earliest = self.earliest(state)?;
        let soonest = state.now().saturating_add(POSTPONED_MILLIS);
        self.set_alarm(state, earliest.map(|due| due.max(soonest)))
    }

    fn set_alarm(&self, state: &ObjectState, at: Option<i64>) -> Result<(), StorageError> {
        if self.platform_alarm.get() != Some(at) {
            state.set_alarm(at)?;
            self.platform_alarm.set(Some(at));
        }
        Ok(())
    }

    /// The runs that are due now. Those whose alarm this version of the class does not have wait for
    /// a version that has it: a bad deployment may be rolled back.
    pub(crate) fn due(
        &self,
        state: &ObjectState,
        description: &'static Description,
    ) -> Result<Vec<Pending>, StorageError> {
        if !self.exists(state)? {
            return Ok(Vec::new());
        }
        let SqlRows { rows, .. } = state.sql(
            "SELECT name, key, scheduled, attempt, running FROM _anchorhold_schedule
                WHERE due <= ? ORDER BY due, name, key LIMIT 100",
            &[state.now().into()],
        )?;
        let mut due = Vec::with_capacity(rows.len());
        for row in rows {
            let Ok([name, key, scheduled, attempt, running]) = <[SqlValue; 5]>::try_from(row)
            else {
                continue;
            };
            let (name, key) = (text(name), text(key));
            let lacked_its_method = integer(&running) == LACKS_ITS_METHOD;
            if let Some(method) = description.alarm(&name) {
                if lacked_its_method {
                    state.sql(
                        "UPDATE _anchorhold_schedule SET running = 0, attempt = 0 WHERE name = ? AND key = ?",
                        &[name.into(), key.as_str().into()],
                    )?;
                }
                due.push(Pending { method, key });
                continue;
            }
            let looked = if lacked_its_method {
                integer(&attempt)
            } else {
                0
            };
            self.wait_for_method(state, description, &name, &key, integer(&scheduled), looked)?;
        }
        Ok(due)
    }

    /// Looks again after a minute, then two and so on up to a day; gives up after 30 days.
    fn wait_for_method(
        &self,
        state: &ObjectState,
        description: &'static Description,
        name: &str,
        key: &str,
        scheduled: i64,
        looked: i64,
    ) -> Result<(), StorageError> {
        let class = description.class;
        let now = state.now();
        if now.saturating_sub(scheduled) > KEPT_WITHOUT_METHOD_MILLIS {
            tracing::error!(
                class,
                alarm = name,
                key,
                "dropping a run: no version had its alarm for 30 days"
            );
            state.sql(
                "DELETE FROM _anchorhold_schedule WHERE name = ? AND key = ?",
                &[name.into(), key.into()],
            )?;
            return Ok(());
        }
        tracing::error!(
            class,
            alarm = name,
            key,
            "a run is due and this version has no such alarm: it is kept for 30 days, and runs when a version with it is deployed"
        );
        let doublings = u32::try_from(looked).unwrap_or(u32::MAX).min(11);
        let again = now.saturating_add((FIRST_LOOK_MILLIS << doublings).min(DAY_MILLIS));
        state.sql(
            "UPDATE _anchorhold_schedule SET running = ?, attempt = ?, due = ? WHERE name = ? AND key = ?",
            &[
                LACKS_ITS_METHOD.into(),
                looked.saturating_add(1).into(),
                again.into(),
                name.into(),
                key.into(),
            ],
        )?;
        Ok(())
    }

    /// Counts a try and sets the time of its retry. `None` if the run is no longer due, or has used
    /// up its tries, with the last of them cut off before it could be settled.
    pub(crate) fn begin(
        &self,
        state: &ObjectState,
        pending: &Pending,
    ) -> Result<Option<Due>, StorageError> {
        let Pending { method, key } = pending;
        let name = method.name;
        if !self.exists(state)? || self.is_running(name, key) {
            return Ok(None);
        }
        let SqlRows { rows, .. } = state.sql(
            "SELECT scheduled, attempt, payload FROM _anchorhold_schedule
                WHERE name = ? AND key = ? AND due <= ?",
            &[name.into(), key.into(), state.now().into()],
        )?;
        let Some(Ok([scheduled, attempt, payload])) =
            rows.into_iter().next().map(<[SqlValue; 3]>::try_from)
        else {
            return Ok(None);
        };
        let retry_count = u32::try_from(integer(&attempt)).unwrap_or(u32::MAX);
        let payload = match payload {
            SqlValue::Blob(bytes) => bytes,
            _ => wire::NIL.to_vec(),
        };
        let due = Due {
            method,
            payload,
            run: AlarmRun {
                scheduled: Timestamp::from_millis(integer(&scheduled)),
                retry_count,
                key: key.clone(),
            },
        };
        if retry_count > MAX_RETRIES {
            self.give_up(state, &due)?;
            return Ok(None);
        }
        let retry_at = state.now().saturating_add(backoff(state, retry_count));
        state.sql(
            "UPDATE _anchorhold_schedule SET running = 1, attempt = ?, due = ? WHERE name = ? AND key = ?",
            &[(retry_count + 1).into(), retry_at.into(), name.into(), key.into()],
        )?;
        self.rearm(state)?;
        self.running
            .borrow_mut()
            .push((name.to_owned(), key.clone()));
        Ok(Some(due))
    }

    /// Settles a run. A row that the handler scheduled anew is no longer marked, and stays as it
    /// is: it supersedes both the end and the retry of this run.
    pub(crate) fn finished(
        &self,
        state: &ObjectState,
        due: &Due,
        succeeded: bool,
    ) -> Result<(), StorageError> {
        let name = due.method.name;
        let key = due.run.key.as_str();
        self.running
            .borrow_mut()
            .retain(|(running, of)| running != name || of != key);
        // The handler may have deleted everything the object has.
        if !self.exists(state)? {
            return Ok(());
        }
        if succeeded {
            self.settle(state, due)?;
        } else if due.run.retry_count >= MAX_RETRIES {
            return self.give_up(state, due);
        } else {
            let retry_at = state
                .now()
                .saturating_add(backoff(state, due.run.retry_count));
            state.sql(
                "UPDATE _anchorhold_schedule SET running = 0, due = ? WHERE name = ? AND key = ? AND running = 1",
                &[retry_at.into(), name.into(), key.into()],
            )?;
        }
        self.rearm(state)
    }

    fn give_up(&self, state: &ObjectState, due: &Due) -> Result<(), StorageError> {
        tracing::error!(
            alarm = due.method.name,
            key = due.run.key,
            "an alarm failed {MAX_RETRIES} retries; its run is dropped"
        );
        self.settle(state, due)?;
        self.rearm(state)
    }

    /// A run is over for good: a recurring alarm goes on with its next.
    fn settle(&self, state: &ObjectState, due: &Due) -> Result<(), StorageError> {
        let Due { method, run, .. } = due;
        let next = next_occurrence(method.recurrence, run.scheduled.as_millis(), state.now());
        let (name, key) = (method.name, run.key.as_str());
        match next {
            Some(next) => state.sql(
                "UPDATE _anchorhold_schedule SET running = 0, attempt = 0, due = ?, scheduled = ?
                    WHERE name = ? AND key = ? AND running = 1",
                &[next.into(), next.into(), name.into(), key.into()],
            )?,
            None => state.sql(
                "DELETE FROM _anchorhold_schedule WHERE name = ? AND key = ? AND running = 1",
                &[name.into(), key.into()],
            )?,
        };
        Ok(())
    }

    /// Forgets what was remembered of storage: after a rollback, after `delete_all`, and where the
    /// platform's alarm fired.
    pub(crate) fn forget(&self) {
        self.table_exists.set(false);
        self.platform_alarm.set(None);
    }
}

fn key_for_limits(key: &str) -> &str {
    if key.is_empty() { "-" } else { key }
}

/// The pause before try number `retry_count + 1` is repeated, in milliseconds.
fn backoff(state: &ObjectState, retry_count: u32) -> i64 {
    let pause = FIRST_RETRY_MILLIS.saturating_mul(1 << retry_count.min(MAX_RETRIES));
    let mut random = [0; 8];
    state.random(&mut random);
    let jitter = u64::from_le_bytes(random) % (pause / 4 + 1);
    i64::try_from(pause + jitter).unwrap_or(i64::MAX)
}

/// The first occurrence after `now`. Those missed while nothing ran are skipped.
fn next_occurrence(recurrence: Recurrence, scheduled: i64, now: i64) -> Option<i64> {
    match recurrence {
        Recurrence::Once => None,
        Recurrence::EveryMillis(interval) => {
            let interval = i64::try_from(interval).unwrap_or(i64::MAX).max(1);
            let missed = now.saturating_sub(scheduled).max(0) / interval;
            Some(scheduled.saturating_add((missed + 1).saturating_mul(interval)))
        }
        Recurrence::Cron(pattern) => crate::cron::next(pattern, now),
    }
}

fn integer(value: &SqlValue) -> i64 {
    match value {
        SqlValue::Integer(integer) => *integer,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "times and counts are whole numbers"
        )]
        SqlValue::Real(real) => *real as i64,
        _ => 0,
    }
}

fn text(value: SqlValue) -> String {
    match value {
        SqlValue::Text(text) => text,
        _ => String::new(),
    }
}
