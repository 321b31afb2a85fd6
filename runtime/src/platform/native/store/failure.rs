//! Reports errors of SQLite and the file system in the user's terms.

use std::ffi::OsStr;
use std::fmt::Display;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::StorageError;
use crate::limits::TOO_BIG;

/// Distinguishes a failing disk from an invalid statement.
pub(super) fn storage_error(error: &rusqlite::Error) -> StorageError {
    let message = match error {
        // Its text contains the statement, which may hold data that the caller must not read.
        rusqlite::Error::SqlInputError { msg, offset, .. } => format!("{msg} at offset {offset}"),
        error => error.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => disk_is_full(),
        Some(ErrorCode::ReadOnly) => {
            StorageError::Io("the data folder is read-only: make it writable".to_owned())
        }
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied,
        ) => StorageError::Io(message),
        Some(ErrorCode::TooBig) => StorageError::Limit(TOO_BIG.to_owned()),
        _ => StorageError::Sql(message),
    }
}

pub(crate) fn disk_is_full() -> StorageError {
    StorageError::Io(
        "the disk is full, or the object reached 10 GB: free space, or delete data".to_owned(),
    )
}

/// Creates the error of a file. A client may read the error. The path contains the object's
/// identifier, which may give access to the object, so the path is only logged.
pub(crate) fn io_error(doing: &str, path: &Path, error: &impl Display) -> StorageError {
    tracing::error!(path = %path.display(), %error, "{doing}");
    let what = match path.extension().and_then(OsStr::to_str) {
        Some("sqlite") => "the object's database",
        Some("sqlite-wal") => "the log of the object's database",
        _ => "a folder of the data folder",
    };
    StorageError::Io(format!("{doing} {what}: {error}"))
}
