//! The length of a database's write-ahead log. Its file may extend beyond its last commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

/// Returns the length of the log up to the end of its last commit.
pub(super) fn length(connection: &Connection) -> rusqlite::Result<u64> {
    // Moves nothing, and returns how many pages the log has.
    let pages = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1))?;
    Ok(length_of_pages(pages, page_size(connection)?))
}

/// Keeps `length` updated to the end of the last commit.
pub(super) fn follow(connection: &mut Connection, length: &Arc<AtomicU64>) -> rusqlite::Result<()> {
    let page_size = page_size(connection)?;
    let length = Arc::clone(length);
    connection.wal_hook(Some(move |_: &mut Wal, pages| {
        length.store(length_of_pages(pages, page_size), Ordering::Release);
        Ok(())
    }))
}

fn page_size(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA page_size", [], |row| row.get(0))
}

/// See "The WAL File Format" in the documentation of SQLite.
fn length_of_pages(pages: i32, page_size: u32) -> u64 {
    const HEADER: u64 = 32;
    const FRAME_HEADER: u64 = 24;
    match u64::try_from(pages) {
        Ok(0) | Err(_) => 0,
        Ok(pages) => HEADER + pages * (FRAME_HEADER + u64::from(page_size)),
    }
}
