//! Schedules and cancels runs, and returns when they are due.

use std::time::Duration;

use serde::Serialize;

use crate::codec::message_pack;
use crate::error::StorageError;
use crate::object::context::Ctx;
use crate::time::Timestamp;

/// The latest time that a JavaScript date, and therefore the platform's alarm, can represent.
const LATEST_MILLIS: i64 = 8_640_000_000_000_000;

/// A run that is about to be scheduled. Nothing is scheduled until [`at`](Self::at) or
/// [`after`](Self::after) sets its time.
///
/// Each alarm method and key has at most one pending run; scheduling again replaces it. A run
/// happens at least once: a handler with external effects should give them an idempotency key.
///
/// A failed run is retried up to 6 times, after 2 s, then 4 s and so on, with up to 25 % random
/// jitter. After that the run is dropped, and a recurring alarm continues with its next run. A try
/// is counted when its handler starts, so a try that ends with the process counts too.
///
/// The runs of one object do not overlap. A run is aborted after 15 minutes: that is a failed try,
/// and the object is reset. Other runs that are due then start before its next try.
#[must_use = "nothing is scheduled until `at` or `after` says when"]
pub struct Scheduling<'a> {
    ctx: &'a Ctx,
    alarm: &'static str,
    key: String,
    payload: Result<Vec<u8>, String>,
}

impl Scheduling<'_> {
    /// Sets the key, which distinguishes this run from others of the same alarm method.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// Schedules the run for a point in time. If the time is in the past, the run starts
    /// immediately.
    ///
    /// # Errors
    /// The time is zero or less or beyond the year 275,760, a limit is exceeded, the payload's
    /// `Serialize` implementation failed, or storage failed.
    pub fn at(self, time: Timestamp) -> Result<(), StorageError> {
        if !(1..=LATEST_MILLIS).contains(&time.as_millis()) {
            return Err(StorageError::Usage(format!(
                "an alarm's time is {time}; must be 1 to {LATEST_MILLIS} milliseconds since 1970"
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

    /// Schedules the run for the time when `delay` has passed.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use std::time::Duration;
    ///
    /// # #[durable_object]
    /// # struct Reminders {}
    /// # #[durable_object]
    /// # impl Reminders {
    /// #[rpc]
    /// fn remind(&mut self, ctx: &Ctx, text: String) -> Result<(), StorageError> {
    ///     Self::schedules(ctx)
    ///         .deliver(text.clone())
    ///         .key(text)
    ///         .after(Duration::from_secs(60))
    /// }
    ///
    /// #[alarm]
    /// fn deliver(&mut self, text: String) {}
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub fn after(self, delay: Duration) -> Result<(), StorageError> {
        let time = self.ctx.now() + delay;
        self.at(time)
    }
}

/// Starts to schedule a run. Generated code names the alarm.
pub fn scheduling<'a, T: Serialize + ?Sized>(
    ctx: &'a Ctx,
    alarm: &'static str,
    payload: &T,
) -> Scheduling<'a> {
    Scheduling {
        ctx,
        alarm,
        key: String::new(),
        payload: message_pack::encode(payload),
    }
}

/// Cancels a pending run. Returns `true` if there was one.
pub fn cancel(ctx: &Ctx, alarm: &'static str, key: &str) -> Result<bool, StorageError> {
    ctx.inner.timetable.cancel(ctx.state(), alarm, key)
}

/// Returns when the pending run is due. Inside the handler of that run it is `None` until the run
/// is scheduled again.
pub fn next_run(
    ctx: &Ctx,
    alarm: &'static str,
    key: &str,
) -> Result<Option<Timestamp>, StorageError> {
    ctx.inner.timetable.next(ctx.state(), alarm, key)
}
