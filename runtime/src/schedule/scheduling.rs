//! Schedules runs, takes them back and says when they are due.

use std::time::Duration;

use serde::Serialize;

use crate::codec::message_pack;
use crate::error::StorageError;
use crate::object::context::Ctx;
use crate::time::Timestamp;

/// The latest time that a JavaScript date, and so the platform's alarm, can hold.
const LATEST_MILLIS: i64 = 8_640_000_000_000_000;

/// A run about to be scheduled: say when with [`at`](Self::at) or [`after`](Self::after).
///
/// One run is pending for each alarm method and key; scheduling again replaces it. A run happens at
/// least once: a handler whose effects reach outside gives them an idempotency key. A handler that
/// fails is run again after 2 s, then 4 s and so on, with up to 25 % more at random, 6 times; then
/// the run is dropped (a recurring alarm goes on with its next). A try counts from the moment its
/// handler starts, a try that ends with the process included.
///
/// The runs of one object run one after the other. One that takes 15 minutes is cut off: a failed
/// try, with which the object is reset. Other runs that are due then start before its next try.
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
        payload: message_pack::encode(payload),
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
