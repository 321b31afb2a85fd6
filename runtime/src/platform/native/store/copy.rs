//! Continues with another connection in place of one.

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

/// Settings that an object's SQL may have changed, and that must be copied to another connection.
const SETTINGS: &[&str] = &[
    "foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "recursive_triggers",
    "reverse_unordered_selects",
];

/// Copies a database, with the settings of its connection.
pub(super) fn copy(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    for setting in SETTINGS {
        let value: i64 = from.query_row(&format!("PRAGMA {setting}"), [], |row| row.get(0))?;
        to.execute_batch(&format!("PRAGMA {setting} = {value}"))?;
    }
    // This setting cannot be read directly.
    let ignores_case = from.query_row("SELECT 'a' LIKE 'A'", [], |row| row.get::<_, bool>(0))?;
    to.execute_batch(&format!("PRAGMA case_sensitive_like = {}", !ignores_case))?;
    let backup = Backup::new(from, to)?;
    while backup.step(-1)? != StepResult::Done {}
    drop(backup);
    copy_last_rowid(from, to)
}

/// `last_insert_rowid()` belongs to the connection, and only an insert can set it.
fn copy_last_rowid(from: &Connection, to: &Connection) -> rusqlite::Result<()> {
    let last = from.last_insert_rowid();
    if last == 0 {
        return Ok(());
    }
    to.execute_batch("CREATE TEMP TABLE last (id INTEGER PRIMARY KEY)")?;
    to.execute("INSERT INTO last VALUES (?)", [last])?;
    to.execute_batch("DROP TABLE last")
}
