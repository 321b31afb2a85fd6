//! Named schedules, multiplexed over the platform's single alarm.
//!
//! Each pending run is a row, and the platform's alarm is set to the earliest one. A try is counted
//! in its row, together with the time of its retry. This is durable *before* the handler starts,
//! for three reasons:
//!
//! - A run that dies with the process or the wasm instance is retried.
//! - A run that kills them each time is dropped after its last retry.
//! - No run uses up the platform's own retries, after which the platform would drop the one alarm
//!   for all schedules.
//!
//! The rows are the source of truth. What is cached of them here is discarded at every rollback.

pub(crate) mod cron;
mod row;
pub(crate) mod run;
mod scheduling;
mod timetable;
mod upkeep;

pub use run::AlarmRun;
pub use scheduling::{Scheduling, cancel, next_run, scheduling};
pub(crate) use timetable::{Pending, Timetable};
