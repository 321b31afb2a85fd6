//! Named schedules over the platform's single alarm.
//!
//! Each pending run is a row; the platform's alarm stands at the earliest. A row is marked as
//! running and given its retry time *before* the handler starts, so that a run that dies with the
//! process, or with the wasm instance, comes back; and the platform's own count of retries, after
//! which it would drop the one alarm for all schedules, is never used up by one of them.

use std::cell::{Cell, RefCell};
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
/// the run is dropped (a recurring alarm goes on with its next).
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

/// A run that is due.
pub(crate) struct Due {
    pub(crate) method: &'static AlarmMethod,
    pub(crate) payload: Vec<u8>,
    pub(crate) run: AlarmRun,
}

impl Timetable {
    /// What is done on every wake: the recurring alarms of the class get their rows, and a row
    /// without a platform alarm (the platform gave it up, P29) gets one.
    pub(crate) fn wake(
        &self,
        state: &ObjectState,
        description: &'static Description,
    ) -> Result<(), StorageError> {
        if description.alarms.is_empty() {
            return Ok(());
        }
        let recurring = description
            .alarms
            .iter()
            .filter(|alarm| alarm.recurrence != Recurrence::Once);
        let mut any = false;
        for alarm in recurring {
            any = true;
            if !self.has_row(state, alarm.name, "")?
                && let Some(time) = next_occurrence(alarm.recurrence, state.now(), state.now())
            {
                self.put(state, alarm.name, "", time, wire::NIL.to_vec())?;
            }
        }
        if any || self.exists(state)? {
            self.rearm(state)
        } else {
            Ok(())
        }
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

    fn has_row(&self, state: &ObjectState, alarm: &str, key: &str) -> Result<bool, StorageError> {
        if !self.exists(state)? {
            return Ok(false);
        }
        let rows = state.sql(
            "SELECT 1 FROM _anchorhold_schedule WHERE name = ? AND key = ?",
            &[alarm.into(), key.into()],
        )?;
        Ok(!rows.rows.is_empty())
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

    /// Puts the platform's alarm at the earliest row, or takes it away.
    fn rearm(&self, state: &ObjectState) -> Result<(), StorageError> {
        let earliest = state
            .sql("SELECT MIN(due) FROM _anchorhold_schedule", &[])?
            .rows
            .first()
            .and_then(|row| row.first())
            .and_then(|value| match value {
                SqlValue::Null => None,
                value => Some(integer(value)),
            })
            // At exactly now the platform's alarm can stall when set by its own handler (workerd#6866).
            .map(|due| due.max(state.now() + 1));
        if self.platform_alarm.get() != Some(earliest) {
            state.set_alarm(earliest)?;
            self.platform_alarm.set(Some(earliest));
        }
        Ok(())
    }

    /// The platform's alarm fired: it stands nowhere now.
    pub(crate) fn fired(&self) {
        self.platform_alarm.set(None);
    }

    /// The next due run, marked as running, its retry time set; `None` when nothing more is due.
    pub(crate) fn take_due(
        &self,
        state: &ObjectState,
        description: &'static Description,
    ) -> Result<Option<Due>, StorageError> {
        if !self.exists(state)? {
            return Ok(None);
        }
        let SqlRows { rows, .. } = state.sql(
            "SELECT name, key, scheduled, attempt, payload, running FROM _anchorhold_schedule
                WHERE due <= ? ORDER BY due, name, key LIMIT 100",
            &[state.now().into()],
        )?;
        for row in rows {
            let Ok([name, key, scheduled, attempt, payload, running]) =
                <[SqlValue; 6]>::try_from(row)
            else {
                continue;
            };
            let (name, key) = (text(name), text(key));
            if self.is_running(&name, &key) {
                continue;
            }
            let Some(method) = description.alarm(&name) else {
                tracing::warn!(
                    class = description.class,
                    alarm = name,
                    "dropping a run: this version has no such alarm"
                );
                state.sql(
                    "DELETE FROM _anchorhold_schedule WHERE name = ? AND key = ?",
                    &[name.into(), key.into()],
                )?;
                continue;
            };
            // A row still marked was at work in a memory that is gone: that try failed.
            let failed = u32::try_from(integer(&attempt)).unwrap_or(u32::MAX);
            let retry_count = if integer(&running) != 0 {
                failed.max(1)
            } else {
                failed
            };
            let retry_at = state.now().saturating_add(backoff(state, retry_count));
            state.sql(
                "UPDATE _anchorhold_schedule SET running = 1, attempt = ?, due = ? WHERE name = ? AND key = ?",
                &[(retry_count.saturating_add(1)).into(), retry_at.into(), name.clone().into(), key.clone().into()],
            )?;
            self.rearm(state)?;
            self.running.borrow_mut().push((name, key.clone()));
            let payload = match payload {
                SqlValue::Blob(bytes) => bytes,
                _ => wire::NIL.to_vec(),
            };
            let scheduled = Timestamp::from_millis(integer(&scheduled));
            return Ok(Some(Due {
                method,
                payload,
                run: AlarmRun {
                    scheduled,
                    retry_count,
                    key,
                },
            }));
        }
        self.rearm(state)?;
        Ok(None)
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
        let given_up = !succeeded && due.run.retry_count >= MAX_RETRIES;
        let condition = "WHERE name = ? AND key = ? AND running = 1";
        if succeeded || given_up {
            if given_up {
                tracing::error!(
                    alarm = name,
                    key,
                    "an alarm failed {MAX_RETRIES} retries; its run is dropped"
                );
            }
            match next_occurrence(due.method.recurrence, due.run.scheduled.as_millis(), state.now()) {
                Some(next) => state.sql(
                    &format!("UPDATE _anchorhold_schedule SET running = 0, attempt = 0, due = ?, scheduled = ? {condition}"),
                    &[next.into(), next.into(), name.into(), key.into()],
                )?,
                None => state.sql(
                    &format!("DELETE FROM _anchorhold_schedule {condition}"),
                    &[name.into(), key.into()],
                )?,
            };
        } else {
            let retry_at = state
                .now()
                .saturating_add(backoff(state, due.run.retry_count));
            state.sql(
                &format!("UPDATE _anchorhold_schedule SET running = 0, due = ? {condition}"),
                &[retry_at.into(), name.into(), key.into()],
            )?;
        }
        self.rearm(state)
    }

    /// After `delete_all`.
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
