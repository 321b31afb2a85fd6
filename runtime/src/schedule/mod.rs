//! Named schedules over the platform's single alarm.
//!
//! Each pending run is a row; the platform's alarm stands at the earliest. A try is counted in its
//! row, with the time of its retry, and that is durable *before* the handler starts. So a run that
//! dies with the process or the wasm instance comes back, one that kills them each time is given up,
//! and the platform's own count of retries, after which it would drop the one alarm for all
//! schedules, is never used up by one of them.
//!
//! The rows are the truth. What is remembered of them here is forgotten at every rollback.

pub(crate) mod cron;
mod row;
mod run;
mod scheduling;
mod timetable;
mod upkeep;

pub use run::AlarmRun;
pub use scheduling::{Scheduling, cancel, next_run, scheduling};
pub(crate) use timetable::{Pending, Timetable};
