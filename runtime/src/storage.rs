//! Typed, synchronous storage.

use std::cell::Cell;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StorageError;
use crate::limits::{self, INTERNAL_PREFIX, MAX_KEYS};
use crate::platform::ObjectState;
use crate::sql::Sql;
use crate::wire;

/// The object's own storage. Reads and writes are synchronous; writes without an `await` between
/// them become durable together, and nothing the object sends leaves before they are.
///
/// Values are MessagePack with field names, so a struct may gain fields (`#[serde(default)]`) and
/// lose them between versions. Limits, on every host: keys up to 2,048 bytes, key and value
/// together up to 2 MiB, up to 128 keys in one operation. Keys that begin `__anchorhold/` are
/// reserved, and a stored field's key is written by the field only.
///
/// What a handler writes here stays even if it returns an error; stored fields and collections are
/// what rolls back. Use [`transaction`](Self::transaction) for the rest.
///
/// ```
/// # use anchorhold::prelude::*;
/// fn remember(ctx: &Ctx, visitor: &str) -> Result<u32, StorageError> {
///     let storage = ctx.storage();
///     let visits = storage.get::<u32>(visitor)?.unwrap_or(0) + 1;
///     storage.put(visitor, &visits)?;
///     Ok(visits)
/// }
/// ```
#[derive(Clone)]
pub struct Storage {
    state: ObjectState,
    field_keys: &'static [&'static str],
    shared: Rc<Shared>,
}

/// What all handles to one object's storage know together.
#[derive(Default)]
pub(crate) struct Shared {
    /// `delete_all` was called in this turn.
    pub(crate) wiped: Cell<bool>,
    /// How many transactions are open, one inside the other.
    transactions: Cell<u32>,
}

impl Storage {
    pub(crate) fn new(
        state: ObjectState,
        field_keys: &'static [&'static str],
        shared: Rc<Shared>,
    ) -> Self {
        Self {
            state,
            field_keys,
            shared,
        }
    }

    fn check_writable(&self, key: &str) -> Result<(), StorageError> {
        if key.starts_with(INTERNAL_PREFIX) {
            return Err(StorageError::Usage(format!(
                "`{key}`: keys that begin `{INTERNAL_PREFIX}` are reserved"
            )));
        }
        if self.field_keys.contains(&key) {
            return Err(StorageError::Usage(format!(
                "`{key}` is a stored field: assign to the field instead"
            )));
        }
        Ok(())
    }

    /// The value under `key`, if there is one.
    ///
    /// # Errors
    /// A key over the limit, or a value that does not fit `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StorageError> {
        limits::check_key(key)?;
        match self.state.get(key)? {
            Some(bytes) => decode(key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The values under up to 128 keys, sorted by key; missing ones are left out.
    ///
    /// # Errors
    /// As [`get`](Self::get), or more than 128 keys.
    pub fn get_many<T: DeserializeOwned>(
        &self,
        keys: &[&str],
    ) -> Result<Vec<(String, T)>, StorageError> {
        check_count(keys.len())?;
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(value) = self.get(key)? {
                found.push((key.to_owned(), value));
            }
        }
        Ok(found)
    }

    /// Stores `value` under `key`.
    ///
    /// # Errors
    /// A limit, a reserved key, or a value that refuses to be serialised; nothing is written then.
    pub fn put<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), StorageError> {
        self.check_writable(key)?;
        self.state.put(key, &encode(key, value)?)
    }

    /// Stores up to 128 entries, all or none.
    ///
    /// # Errors
    /// As [`put`](Self::put), or more than 128 entries.
    pub fn put_many<T: Serialize>(&self, entries: &[(&str, T)]) -> Result<(), StorageError> {
        check_count(entries.len())?;
        let mut encoded = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            self.check_writable(key)?;
            encoded.push((*key, encode(key, value)?));
        }
        encoded
            .iter()
            .try_for_each(|(key, value)| self.state.put(key, value))
    }

    /// Removes `key`; whether it was there.
    ///
    /// # Errors
    /// A key over the limit or reserved.
    pub fn delete(&self, key: &str) -> Result<bool, StorageError> {
        self.check_writable(key)?;
        limits::check_key(key)?;
        self.state.delete(key)
    }

    /// Removes up to 128 keys; how many were there.
    ///
    /// # Errors
    /// As [`delete`](Self::delete), or more than 128 keys; nothing is removed then.
    pub fn delete_many(&self, keys: &[&str]) -> Result<usize, StorageError> {
        check_count(keys.len())?;
        for key in keys {
            self.check_writable(key)?;
            limits::check_key(key)?;
        }
        let mut deleted = 0;
        for key in keys {
            deleted += usize::from(self.state.delete(key)?);
        }
        Ok(deleted)
    }

    /// The entries of a range, ordered by the bytes of their keys.
    ///
    /// # Errors
    /// Contradictory options, or a value that does not fit `T`.
    pub fn list<T: DeserializeOwned>(&self, list: &List) -> Result<Vec<(String, T)>, StorageError> {
        let mut range = list.range()?;
        let limit = range.limit;
        // The runtime's own entries lie in one stretch of the key space; they are rare, so they are
        // dropped after reading, and the limit is applied after that.
        let touches_internal = range.prefix.as_deref().is_none_or(|prefix| {
            prefix.starts_with(INTERNAL_PREFIX) || INTERNAL_PREFIX.starts_with(prefix)
        });
        if touches_internal {
            range.limit = None;
        }
        self.state
            .list(&range)?
            .into_iter()
            .filter(|(key, _)| !key.starts_with(INTERNAL_PREFIX))
            .take(limit.unwrap_or(usize::MAX))
            .map(|(key, bytes)| decode(&key, &bytes).map(|value| (key, value)))
            .collect()
    }

    /// Removes everything the object has stored: keys, stored fields, SQL tables, schedules.
    /// The fields hold their defaults from the next turn on, whatever this turn leaves in them.
    ///
    /// # Errors
    /// Inside a [`transaction`](Self::transaction) it is refused.
    pub fn delete_all(&self) -> Result<(), StorageError> {
        if self.shared.transactions.get() > 0 {
            return Err(StorageError::Usage(
                "delete_all cannot be part of a transaction".to_owned(),
            ));
        }
        self.state.delete_all()?;
        self.shared.wiped.set(true);
        Ok(())
    }

    /// Runs `body` so that its writes, SQL included, stay together: all if it returns `Ok`, none if
    /// it returns `Err` or panics. Transactions nest. Stored fields take no part.
    ///
    /// # Errors
    /// The error of `body`, or of storage itself.
    pub fn transaction<T, E: From<StorageError>>(
        &self,
        body: impl FnOnce(&Storage) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut body = Some(body);
        let mut result = None;
        let _open = OpenTransaction::new(&self.shared.transactions);
        self.state.transaction(&mut || match body.take() {
            Some(body) => {
                let outcome = body(self);
                let keep = outcome.is_ok();
                result = Some(outcome);
                keep
            }
            None => false,
        })?;
        result.unwrap_or_else(|| {
            Err(StorageError::Io("the transaction did not run".to_owned()).into())
        })
    }

    /// SQLite, in the object's own database.
    #[must_use]
    pub fn sql(&self) -> Sql {
        Sql::new(self.state.clone())
    }

    /// Waits until the writes made so far are durable. Answers wait by themselves; this is
    /// for effects that the platform does not hold back.
    ///
    /// # Errors
    /// The commit failed; the object is reset.
    pub async fn sync(&self) -> Result<(), StorageError> {
        self.state.sync().await
    }
}

/// Counts an open transaction for as long as it lives, a panic in its body included.
struct OpenTransaction<'a>(&'a Cell<u32>);

impl<'a> OpenTransaction<'a> {
    fn new(count: &'a Cell<u32>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn check_count(count: usize) -> Result<(), StorageError> {
    if count > MAX_KEYS {
        return Err(StorageError::Limit(format!(
            "{count} keys in one operation are over the limit of {MAX_KEYS}"
        )));
    }
    Ok(())
}

fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, StorageError> {
    wire::decode(bytes).map_err(|message| StorageError::Undecodable {
        subject: format!("`{key}`"),
        message: format!("{message}; it was read as `{}`", std::any::type_name::<T>()),
    })
}

fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, StorageError> {
    let bytes = wire::encode(value).map_err(|message| StorageError::Unencodable {
        subject: format!("`{key}`"),
        message,
    })?;
    limits::check_entry(key, bytes.len())?;
    Ok(bytes)
}

/// Which entries [`Storage::list`] returns.
///
/// ```
/// use anchorhold::List;
/// let newest_ten = List::all().prefix("message/").reverse().limit(10);
/// ```
#[derive(Clone, Debug, Default)]
pub struct List {
    start: Option<String>,
    start_after: Option<String>,
    end: Option<String>,
    prefix: Option<String>,
    reverse: bool,
    limit: Option<usize>,
}

impl List {
    /// Every entry.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }
    /// From this key on, the key included.
    #[must_use]
    pub fn start(mut self, key: impl Into<String>) -> Self {
        self.start = Some(key.into());
        self
    }
    /// From this key on, the key itself left out. Excludes [`start`](Self::start).
    #[must_use]
    pub fn start_after(mut self, key: impl Into<String>) -> Self {
        self.start_after = Some(key.into());
        self
    }
    /// Up to this key, the key itself left out.
    #[must_use]
    pub fn end(mut self, key: impl Into<String>) -> Self {
        self.end = Some(key.into());
        self
    }
    /// Keys that begin so.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }
    /// From the last to the first; `start` and `end` keep their meanings.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }
    /// At most this many entries; zero is an error.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    fn range(&self) -> Result<ListRange, StorageError> {
        if self.start.is_some() && self.start_after.is_some() {
            return Err(StorageError::Usage(
                "list: `start` and `start_after` exclude each other".to_owned(),
            ));
        }
        if self.limit == Some(0) {
            return Err(StorageError::Usage("list: a limit is 1 or more".to_owned()));
        }
        // The smallest key after K is K with a zero byte.
        let start = self
            .start
            .clone()
            .or_else(|| self.start_after.as_ref().map(|key| format!("{key}\0")));
        Ok(ListRange {
            start,
            end: self.end.clone(),
            prefix: self.prefix.clone(),
            reverse: self.reverse,
            limit: self.limit,
        })
    }
}

/// A validated range, as the hosts take it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListRange {
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) reverse: bool,
    pub(crate) limit: Option<usize>,
}
