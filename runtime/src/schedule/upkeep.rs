//! Changes to the pending runs at wakes and after deployments.

use std::collections::BTreeMap;

use super::row::{LACKS_ITS_METHOD, MAX_RETRIES, integer, next_occurrence, text};
use super::timetable::Timetable;
use crate::codec::message_pack;
use crate::error::StorageError;
use crate::object::class::{Alarm, Class};
use crate::platform::ObjectState;
use crate::storage::sql::{SqlRows, SqlValue};

/// The key of the recurrences for which the pending runs were scheduled: alarm names and their
/// texts.
const RECURRENCES_KEY: &str = "__anchorhold/recurrences";
const FIRST_LOOK_MILLIS: i64 = 60_000;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
const KEPT_WITHOUT_METHOD_MILLIS: i64 = 30 * DAY_MILLIS;
/// The upper bound of a retry's pause: six doublings, and 25 % jitter.
const LONGEST_BACKOFF_MILLIS: i64 = 2_000 * (1 << MAX_RETRIES) * 5 / 4;

impl Timetable {
    /// Runs on every wake: schedules the recurring alarms of the class. A row whose recurrence has
    /// changed is replaced; an unchanged one is kept.
    pub(crate) fn wake(
        &self,
        state: &ObjectState,
        class: &'static Class,
    ) -> Result<(), StorageError> {
        if class.alarms.is_empty() {
            return Ok(());
        }
        let known: BTreeMap<String, String> = match state.get(RECURRENCES_KEY)? {
            Some(bytes) => {
                message_pack::decode(&bytes).map_err(|message| StorageError::Undecodable {
                    subject: "the recurrences of the alarms".to_owned(),
                    message,
                })?
            }
            None => BTreeMap::new(),
        };
        let mut current = BTreeMap::new();
        for alarm in class.alarms {
            let Some(text) = alarm.recurrence.text() else {
                continue;
            };
            self.keep_recurring(
                state,
                alarm,
                known.get(alarm.name).map(|known| *known == text),
            )?;
            current.insert(alarm.name.to_owned(), text);
        }
        if known == current {
            return Ok(());
        }
        // A row whose method is gone too is kept for a version that has it: see `due`.
        let gone = |name: &&String| !current.contains_key(*name) && class.alarm(name).is_some();
        for name in known.keys().filter(gone) {
            self.cancel(state, name, "")?;
        }
        let bytes =
            message_pack::encode(&current).map_err(|message| StorageError::Unencodable {
                subject: "the recurrences of the alarms".to_owned(),
                message,
            })?;
        state.put(RECURRENCES_KEY, &bytes)
    }

    fn keep_recurring(
        &self,
        state: &ObjectState,
        alarm: &Alarm,
        unchanged: Option<bool>,
    ) -> Result<(), StorageError> {
        let now = state.now();
        let Some(next) = next_occurrence(alarm.recurrence, now, now) else {
            return Ok(());
        };
        let keeps = match self.due_of(state, alarm.name, "")? {
            Some(due) => match unchanged {
                // A row may be due at most one occurrence, or one retry, from now. A clock that was
                // wrong for a while may have set it years ahead.
                Some(true) => due <= next.max(now.saturating_add(LONGEST_BACKOFF_MILLIS)),
                Some(false) => false,
                // Rows of versions that did not store the recurrences.
                None => due <= next,
            },
            None => false,
        };
        if keeps {
            return Ok(());
        }
        self.put(state, alarm.name, "", next, message_pack::NIL.to_vec())
    }

    /// Compares the platform's alarm with the pending runs. Writes only if the alarm is too late or
    /// not set.
    pub(crate) fn check_alarm(
        &self,
        state: &ObjectState,
        class: &'static Class,
    ) -> Result<(), StorageError> {
        if class.alarms.is_empty() || !self.exists(state)? {
            return Ok(());
        }
        self.bring_back(state, class)?;
        match self.earliest(state)? {
            Some(earliest) => state.ensure_alarm(earliest),
            None => Ok(()),
        }
    }

    /// Makes overdue rows due now: retries that a temporarily wrong clock has set too far ahead,
    /// and runs whose method this version has again.
    fn bring_back(&self, state: &ObjectState, class: &'static Class) -> Result<(), StorageError> {
        let now = state.now();
        let latest = now.saturating_add(LONGEST_BACKOFF_MILLIS);
        let SqlRows { rows, .. } = state.sql(
            "SELECT name, key, running FROM _anchorhold_schedule
                WHERE attempt > 0 AND due > ? AND (running = ? OR due > ?)",
            &[now.into(), LACKS_ITS_METHOD.into(), latest.into()],
        )?;
        for row in rows {
            let Ok([name, key, running]) = <[SqlValue; 3]>::try_from(row) else {
                continue;
            };
            let (name, key) = (text(name), text(key));
            if integer(&running) == LACKS_ITS_METHOD && class.alarm(&name).is_none() {
                continue;
            }
            state.sql(
                "UPDATE _anchorhold_schedule SET due = ? WHERE name = ? AND key = ?",
                &[now.into(), name.into(), key.into()],
            )?;
        }
        Ok(())
    }

    /// Looks again after a minute, then two and so on up to a day. Drops the run after 30 days.
    pub(super) fn wait_for_method(
        &self,
        state: &ObjectState,
        class: &'static Class,
        name: &str,
        key: &str,
        scheduled: i64,
        looked: i64,
    ) -> Result<(), StorageError> {
        let now = state.now();
        if now.saturating_sub(scheduled) > KEPT_WITHOUT_METHOD_MILLIS {
            tracing::error!(
                class = class.name,
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
            class = class.name,
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
}
