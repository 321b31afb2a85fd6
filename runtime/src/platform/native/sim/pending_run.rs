//! An object's pending runs of alarms.

use super::super::store::Database;
use crate::error::StorageError;
use crate::storage::sql::decode_rows;
use crate::time::Timestamp;

/// The table does not exist before the first run is scheduled.
const HAS_RUNS: &str =
    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_anchorhold_schedule'";
const RUNS: &str =
    "SELECT name, key, due, attempt FROM _anchorhold_schedule ORDER BY due, name, key";

/// A pending run of an object's alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingRun {
    /// The alarm's method.
    pub alarm: String,
    /// The key it was scheduled under. Empty if none was given.
    pub key: String,
    /// When it is due. If the run failed, or if its handler is running, this is the time of its
    /// next try.
    pub due: Timestamp,
    /// How many tries have begun.
    pub tries: u32,
}

impl PendingRun {
    pub(in super::super) fn all_in(database: &Database) -> Result<Vec<Self>, StorageError> {
        if database.sql(HAS_RUNS, &[])?.rows.is_empty() {
            return Ok(Vec::new());
        }
        let runs: Vec<(String, String, i64, u32)> = decode_rows(database.sql(RUNS, &[])?)?;
        let run = |(alarm, key, due, tries)| Self {
            alarm,
            key,
            due: Timestamp::from_millis(due),
            tries,
        };
        Ok(runs.into_iter().map(run).collect())
    }
}
