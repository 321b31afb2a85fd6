//! Typed, synchronous storage.

pub(crate) mod collections;
pub(crate) mod fields;
mod list;
pub(crate) mod migrations;
mod shared;
pub(crate) mod sql;
pub(crate) mod sql_text;

pub use list::List;
pub(crate) use list::ListRange;
pub(crate) use shared::Shared;

use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use list::around_internal;
use shared::OpenTransaction;

use crate::codec::message_pack;
use crate::engine::activation::Activation;
use crate::error::StorageError;
use crate::limits::{self, INTERNAL_PREFIX, MAX_KEYS};
use crate::platform::ObjectState;
use migrations::migrate;
use sql::Sql;

/// The object's own storage. Reads and writes are synchronous; writes without an `await` between
/// them become durable together, and nothing the object sends leaves before they are.
///
/// Values are MessagePack with field names, so a struct may gain fields (`#[serde(default)]`) and
/// lose them between versions. Limits, on every host: keys up to 2,048 bytes, key and value
/// together up to 2 MiB, up to 128 keys in one operation. Keys that begin `__anchorhold/` are
/// reserved; a stored field's key, and those below it (`field/…`), are written by the field only.
///
/// A turn is a transaction: when a handler returns `Err` or panics, what it wrote here is taken back
/// with its stored fields. In an `async` turn that holds for what was written since the last
/// `await`; what was written before has been committed. Use [`transaction`](Self::transaction) to
/// take back a part of a turn.
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
    inner: Rc<Activation>,
}

impl Storage {
    pub(crate) fn new(inner: Rc<Activation>) -> Self {
        Self { inner }
    }

    fn state(&self) -> &ObjectState {
        &self.inner.state
    }

    fn check_writable(&self, key: &str) -> Result<(), StorageError> {
        if key.starts_with(INTERNAL_PREFIX) {
            return Err(StorageError::Usage(format!(
                "`{key}`: keys that begin `{INTERNAL_PREFIX}` are reserved"
            )));
        }
        if self.inner.class.keys.contains(&key) {
            return Err(StorageError::Usage(format!(
                "`{key}` is a stored field: assign to the field instead"
            )));
        }
        let below = |field: &&str| {
            key.strip_prefix(*field)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        if let Some(field) = self.inner.class.keys.iter().copied().find(below) {
            return Err(StorageError::Usage(format!(
                "`{key}`: keys below `{field}/` belong to the stored field `{field}`; use another prefix"
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
        match self.state().get(key)? {
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
        self.state().put(key, &encode(key, value)?)
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
        self.transaction(|_| {
            encoded
                .iter()
                .try_for_each(|(key, value)| self.state().put(key, value))
        })
    }

    /// Removes `key`; whether it was there.
    ///
    /// # Errors
    /// A key over the limit or reserved.
    pub fn delete(&self, key: &str) -> Result<bool, StorageError> {
        self.check_writable(key)?;
        limits::check_key(key)?;
        self.state().delete(key)
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
        self.transaction(|_| {
            let mut deleted = 0;
            for key in keys {
                deleted += usize::from(self.state().delete(key)?);
            }
            Ok(deleted)
        })
    }

    /// The entries of a range, ordered by the bytes of their keys.
    ///
    /// # Errors
    /// Contradictory options, or a value that does not fit `T`.
    pub fn list<T: DeserializeOwned>(&self, list: &List) -> Result<Vec<(String, T)>, StorageError> {
        let range = list.range()?;
        let limit = range.limit.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        for part in around_internal(range) {
            // Never more than what is asked for: the values of a range may be large.
            let part = ListRange {
                limit: part.limit.map(|_| limit - found.len()),
                ..part
            };
            for (key, bytes) in self.state().list(&part)? {
                found.push(decode(&key, &bytes).map(|value| (key, value))?);
            }
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// Removes everything the object has stored: keys, stored fields, SQL tables, schedules. Then
    /// the class's migrations and recurring alarms are set up anew, as in a new object.
    ///
    /// The fields hold their defaults from the next turn on, whatever this turn leaves in them. A
    /// turn that fails takes the deletion back.
    ///
    /// # Errors
    /// Inside a [`transaction`](Self::transaction) it is refused.
    pub fn delete_all(&self) -> Result<(), StorageError> {
        if self.inner.storage.is_in_transaction() {
            return Err(StorageError::Usage(
                "delete_all cannot be part of a transaction".to_owned(),
            ));
        }
        let Activation {
            class,
            state,
            storage,
            timetable,
        } = &*self.inner;
        state.delete_all()?;
        storage.wiped.set(true);
        timetable.forget();
        // What every object of the class has is there again for the rest of this turn.
        migrate(state, class)?;
        timetable.wake(state, class)
    }

    /// Runs `body` so that its writes, SQL included, stay together: all if it returns `Ok`, none if
    /// it returns `Err` or panics. Transactions nest. Stored fields take no part.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # #[durable_object]
    /// # struct Account {}
    /// # #[durable_object]
    /// # impl Account {
    /// #[rpc]
    /// fn move_all(&self, ctx: &Ctx, from: &str, to: &str) -> Result<(), Error> {
    ///     ctx.storage().transaction(|storage| {
    ///         let amount: i64 = storage.get(from)?.unwrap_or_default();
    ///         storage.put(to, &amount)?;
    ///         if amount == 0 {
    ///             return Err(Error::conflict("empty", "there is nothing to move"));
    ///         }
    ///         storage.delete(from)?;
    ///         Ok(())
    ///     })
    /// }
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// The error of `body`, or of storage itself.
    pub fn transaction<T, E: From<StorageError>>(
        &self,
        body: impl FnOnce(&Storage) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut body = Some(body);
        let mut result = None;
        let _open = OpenTransaction::new(&self.inner.storage);
        let closed = self.state().transaction(&mut || match body.take() {
            Some(body) => {
                let outcome = body(self);
                let keep = outcome.is_ok();
                result = Some(outcome);
                keep
            }
            None => false,
        });
        if closed.is_err() || !matches!(result, Some(Ok(_))) {
            self.inner.timetable.forget();
        }
        closed?;
        result.unwrap_or_else(|| {
            Err(StorageError::Io("the transaction did not run".to_owned()).into())
        })
    }

    /// SQLite, in the object's own database.
    #[must_use]
    pub fn sql(&self) -> Sql {
        Sql::new(self.state().clone())
    }

    /// Waits until the writes made so far are durable. Answers wait by themselves; this is
    /// for effects that the platform does not hold back.
    ///
    /// # Errors
    /// The commit failed; the object is reset.
    pub async fn sync(&self) -> Result<(), StorageError> {
        self.state().sync().await
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
    message_pack::decode(bytes).map_err(|message| StorageError::Undecodable {
        subject: format!("`{key}`"),
        message: format!("{message}; it was read as `{}`", std::any::type_name::<T>()),
    })
}

fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, StorageError> {
    let bytes = message_pack::encode(value).map_err(|message| StorageError::Unencodable {
        subject: format!("`{key}`"),
        message,
    })?;
    limits::check_entry(key, bytes.len())?;
    Ok(bytes)
}
