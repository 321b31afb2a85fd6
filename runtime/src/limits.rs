//! The platform's documented limits. They are checked before either host is called, so that the
//! messages are the same.
//!
//! Sources: "Limits" and "Storage API" of Cloudflare's Durable Objects documentation.

use crate::error::StorageError;
use crate::error::fault::Fault;

/// The key and value of one entry together, in bytes (P39).
pub(crate) const MAX_ENTRY: usize = 2 * 1024 * 1024;
/// A key, in bytes (P38, P39).
pub(crate) const MAX_KEY: usize = 2_048;
/// Keys of one `get_many`, `put_many` or `delete_many` (P40).
pub(crate) const MAX_KEYS: usize = 128;
/// An attachment, in bytes: the platform's 16,384 (P55) minus the overhead of its serialisation.
pub(crate) const MAX_ATTACHMENT: usize = 16_384 - 64;
/// The arguments or the result of a call, in bytes: the platform's 32 MiB (P65) minus the names and
/// the call chain that are sent with them.
pub(crate) const MAX_CALL: usize = (32 << 20) - (64 << 10);
/// The tags of one socket (P54).
pub(crate) const MAX_TAGS: usize = 10;
/// The bytes of one tag (P54).
pub(crate) const MAX_TAG: usize = 256;
/// Each side of the automatic response, in bytes (P55).
pub(crate) const MAX_AUTOMATIC_RESPONSE: usize = 2_048;
/// The reason of a close, in bytes (P61).
pub(crate) const MAX_CLOSE_REASON: usize = 123;
/// A name that is passed to its object, in bytes (P71).
pub(crate) const MAX_NAME: usize = 1_024;
/// A JSON body that binds to arguments, in bytes. It is the runtime's own limit: the platform
/// accepts 100 MB, which arguments do not need. A `Request` argument accepts any body.
pub(crate) const MAX_JSON_BODY: usize = 1024 * 1024;
/// An SQL statement, in bytes (P50).
pub(crate) const MAX_STATEMENT: usize = 100_000;
/// Bound parameters of a statement (P50).
pub(crate) const MAX_PARAMETERS: usize = 100;

/// The message for SQLite's own limit of a string, a blob or a row (P39).
pub(crate) const TOO_BIG: &str = "a string, blob or row is over the limit of 2 MiB";

/// The prefix of keys that are reserved for the runtime.
pub(crate) const INTERNAL_PREFIX: &str = "__anchorhold/";
/// The smallest key after all keys with that prefix.
pub(crate) const INTERNAL_END: &str = "__anchorhold0";

pub(crate) fn check_key(key: &str) -> Result<(), StorageError> {
    if key.is_empty() {
        return Err(StorageError::Usage("a key cannot be empty".to_owned()));
    }
    if key.len() > MAX_KEY {
        return Err(StorageError::Limit(format!(
            "a key of {} bytes is over the limit of {MAX_KEY}",
            key.len()
        )));
    }
    Ok(())
}

/// The body of a request is over the limit in bytes. `stated` is its length, if the client said it.
pub(crate) fn body_too_large(stated: Option<&str>, limit: usize) -> Fault {
    let size = stated.unwrap_or("more");
    Fault::TooLarge(format!(
        "a body of {size} bytes is over the limit of {limit}"
    ))
}

pub(crate) fn check_call(bytes: &[u8]) -> Result<(), Fault> {
    if bytes.len() > MAX_CALL {
        return Err(Fault::TooLarge(format!(
            "{} bytes are over the limit of {MAX_CALL} of the arguments or the result of a call",
            bytes.len()
        )));
    }
    Ok(())
}

pub(crate) fn check_entry(key: &str, value: usize) -> Result<(), StorageError> {
    check_key(key)?;
    if key.len() + value > MAX_ENTRY {
        return Err(StorageError::Limit(format!(
            "`{key}` with its value of {value} bytes is over the limit of {MAX_ENTRY} bytes; split it, or keep growing state in a StoredMap, a StoredLog or SQL"
        )));
    }
    Ok(())
}
