//! The pending runs of one object: which are due, which are being tried, and the time of the
//! platform's alarm.

use std::cell::{Cell, RefCell};

use super::row::{
    DOUBLINGS, FIRST_RETRY_MILLIS, IS_RUNNING, LACKS_ITS_METHOD, MAX_RETRIES, integer,
    next_occurrence, text,
};
use super::run::{AlarmRun, LostTries, Try};
use crate::codec::message_pack;
use crate::error::StorageError;
use crate::object::class::{Alarm, Class};
use crate::platform::ObjectState;
use crate::storage::sql::{SqlRows, SqlValue};
use crate::time::Timestamp;

/// The pending runs of one object.
#[derive(Default)]
pub(crate) struct Timetable {
    table_exists: Cell<bool>,
    /// The time to which the platform's alarm was last set; the outer `None` if it is not known.
    platform_alarm: Cell<Option<Option<i64>>>,
    /// The runs whose handlers are running in this activation.
    running: RefCell<Vec<(String, String)>>,
}

/// A run that was due when its alarm fired.
pub(crate) struct Pending {
    pub(crate) alarm: &'static Alarm,
    key: String,
}

/// A run whose try was counted.
pub(crate) struct Due {
    alarm: &'static Alarm,
    pub(crate) payload: Vec<u8>,
    pub(crate) run: AlarmRun,
}

/// The pause before an alarm event that could not start is retried (P29).
const POSTPONED_MILLIS: i64 = 2_000;

impl Timetable {
    pub(super) fn exists(&self, state: &ObjectState) -> Result<bool, StorageError> {
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

    pub(super) fn due_of(
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

    pub(super) fn put(
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

    pub(super) fn cancel(
        &self,
        state: &ObjectState,
        alarm: &str,
        key: &str,
    ) -> Result<bool, StorageError> {
        if !self.exists(state)? {
            return Ok(false);
        }
        // A run in progress has no pending row. Deleting its row also cancels its retry (P37).
        let pending = self.next(state, alarm, key)?.is_some();
        state.sql(
            "DELETE FROM _anchorhold_schedule WHERE name = ? AND key = ?",
            &[alarm.into(), key.into()],
        )?;
        self.rearm(state)?;
        Ok(pending)
    }

    pub(super) fn next(
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

    /// Returns when the first run is due.
    pub(super) fn earliest(&self, state: &ObjectState) -> Result<Option<i64>, StorageError> {
        let SqlRows { rows, .. } = state.sql("SELECT MIN(due) FROM _anchorhold_schedule", &[])?;
        let earliest = rows.first().and_then(|row| row.first());
        Ok(earliest
            .filter(|value| **value != SqlValue::Null)
            .map(integer))
    }

    /// Sets the platform's alarm to the earliest row, or cancels it if there is none.
    pub(crate) fn rearm(&self, state: &ObjectState) -> Result<(), StorageError> {
        let earliest = if self.exists(state)? {
            self.earliest(state)?
        } else {
            None
        };
        // An alarm that its own handler sets to exactly now can stall on the platform
        // (workerd#6866).
        self.set_alarm(state, earliest.map(|due| due.max(state.now() + 1)))
    }

    /// Sets the platform's alarm to the earliest row, but not before a pause, because no run can
    /// start now.
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

    /// Returns the runs that are due now. Runs whose alarm this version of the class lacks are kept
    /// for a version that has it, because a bad deployment may be rolled back. Retries come last,
    /// so that a run which is aborted at each try delays others by at most one try.
    pub(crate) fn due(
        &self,
        state: &ObjectState,
        class: &'static Class,
    ) -> Result<Vec<Pending>, StorageError> {
        if !self.exists(state)? {
            return Ok(Vec::new());
        }
        let SqlRows { rows, .. } = state.sql(
            "SELECT name, key, scheduled, attempt, running FROM _anchorhold_schedule
                WHERE due <= ? ORDER BY attempt, due, name, key LIMIT 100",
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
            if let Some(alarm) = class.alarm(&name) {
                if lacked_its_method {
                    state.sql(
                        "UPDATE _anchorhold_schedule SET running = 0, attempt = 0 WHERE name = ? AND key = ?",
                        &[name.into(), key.as_str().into()],
                    )?;
                }
                due.push(Pending { alarm, key });
                continue;
            }
            let looked = if lacked_its_method {
                integer(&attempt)
            } else {
                0
            };
            self.wait_for_method(state, class, &name, &key, integer(&scheduled), looked)?;
        }
        Ok(due)
    }

    /// Counts a try and sets the time of its retry. Returns `None` if the run is no longer due.
    /// Also returns `None` if the run has used up its tries and the last one was aborted before it
    /// was settled. A try that the disk has lost is not counted, and delays the retry (P30).
    pub(crate) fn begin(
        &self,
        state: &ObjectState,
        pending: &Pending,
        lost_tries: &LostTries,
    ) -> Result<Option<Due>, StorageError> {
        let Pending { alarm, key } = pending;
        let name = alarm.name;
        if !self.exists(state)? || self.is_running(name, key) {
            return Ok(None);
        }
        let SqlRows { rows, .. } = state.sql(
            "SELECT scheduled, attempt, running, payload FROM _anchorhold_schedule
                WHERE name = ? AND key = ? AND due <= ?",
            &[name.into(), key.into(), state.now().into()],
        )?;
        let Some(Ok([scheduled, attempt, running, payload])) =
            rows.into_iter().next().map(<[SqlValue; 4]>::try_from)
        else {
            return Ok(None);
        };
        let mut retry_count = u32::try_from(integer(&attempt)).unwrap_or(u32::MAX);
        let is_lost =
            |lost: &Try| lost.alarm == name && lost.key == *key && lost.count == retry_count;
        if integer(&running) == IS_RUNNING && lost_tries.tries.iter().any(is_lost) {
            retry_count = retry_count.saturating_sub(1);
        }
        let payload = match payload {
            SqlValue::Blob(bytes) => bytes,
            _ => message_pack::NIL.to_vec(),
        };
        let due = Due {
            alarm,
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
        let tried = retry_count.saturating_add(lost_tries.events);
        let retry_at = state.now().saturating_add(backoff(state, tried));
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

    /// Settles a run. A row that the handler scheduled again is no longer marked and stays
    /// unchanged: it supersedes both the end and the retry of this run.
    pub(crate) fn finished(
        &self,
        state: &ObjectState,
        due: &Due,
        succeeded: bool,
    ) -> Result<(), StorageError> {
        let name = due.alarm.name;
        let key = due.run.key.as_str();
        self.running
            .borrow_mut()
            .retain(|(running, of)| running != name || of != key);
        // The handler may have called `delete_all`.
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
            object = %state.id(),
            alarm = due.alarm.name,
            key = due.run.key,
            "an alarm failed {MAX_RETRIES} retries; its run is dropped"
        );
        self.settle(state, due)?;
        self.rearm(state)
    }

    /// Ends a run. A recurring alarm continues with its next run.
    fn settle(&self, state: &ObjectState, due: &Due) -> Result<(), StorageError> {
        let Due { alarm, run, .. } = due;
        let next = next_occurrence(alarm.recurrence, run.scheduled.as_millis(), state.now());
        let (name, key) = (alarm.name, run.key.as_str());
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

    /// Discards cached state: after a rollback, after `delete_all`, and when the platform's alarm
    /// has fired.
    pub(crate) fn forget(&self) {
        self.table_exists.set(false);
        self.platform_alarm.set(None);
    }
}

fn key_for_limits(key: &str) -> &str {
    if key.is_empty() { "-" } else { key }
}

/// Returns the pause before try number `retry_count + 1` is repeated, in milliseconds.
fn backoff(state: &ObjectState, retry_count: u32) -> i64 {
    let pause = FIRST_RETRY_MILLIS.saturating_mul(1 << retry_count.min(DOUBLINGS));
    let mut random = [0; 8];
    state.random(&mut random);
    let jitter = u64::from_le_bytes(random) % (pause / 4 + 1);
    i64::try_from(pause + jitter).unwrap_or(i64::MAX)
}
