//! Typed, synchronous storage.

mod entries;
pub(crate) mod fields;
mod list;
pub(crate) mod log;
pub(crate) mod map;
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

/// The object's own storage. Reads and writes are synchronous. Writes without an `await` between
/// them become durable together, and nothing that the object sends leaves before they are.
///
/// Values are MessagePack with field names. Between versions a struct may lose fields and gain
/// fields (`#[serde(default)]`). The limits are the same on every host: keys up to 2,048 bytes, key
/// and value together up to 2 MiB, up to 128 keys in one operation. Keys that start with
/// `__anchorhold/` are reserved. A stored field's key and the keys below it (`field/…`) can be
/// written only through the field.
///
/// A turn is a transaction: when a handler returns `Err` or panics, its writes and its stored
/// fields are rolled back. In an `async` turn this covers the writes since the last `await`;
/// earlier writes have been committed. To roll back a part of a turn, use
/// [`transaction`](Self::transaction).
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

    /// Returns the value stored under `key`, or `None`.
    ///
    /// # Errors
    /// The key is over the limit, or the value does not fit `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StorageError> {
        limits::check_key(key)?;
        match self.state().get(key)? {
            Some(bytes) => decode(key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the values of up to 128 keys, sorted by key. Keys without a value are left out.
    ///
    /// # Errors
    /// As [`get`](Self::get), or there are more than 128 keys.
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
    /// A limit is exceeded, the key is reserved, or the value's `Serialize` implementation failed.
    /// Nothing is written then.
    pub fn put<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), StorageError> {
        self.check_writable(key)?;
        self.state().put(key, &encode(key, value)?)
    }

    /// Stores up to 128 entries, all or none.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn example(ctx: &Ctx) -> Result<(), StorageError> {
    /// ctx.storage()
    ///     .put_many(&[("light/kitchen", true), ("light/hall", false)])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`put`](Self::put), or there are more than 128 entries.
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

    /// Removes `key`. Returns `true` if it existed.
    ///
    /// # Errors
    /// The key is over the limit or reserved.
    pub fn delete(&self, key: &str) -> Result<bool, StorageError> {
        self.check_writable(key)?;
        limits::check_key(key)?;
        self.state().delete(key)
    }

    /// Removes up to 128 keys. Returns how many of them existed.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # fn example(ctx: &Ctx) -> Result<(), StorageError> {
    /// let removed = ctx.storage().delete_many(&["light/kitchen", "light/hall"])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`delete`](Self::delete), or there are more than 128 keys. Nothing is removed then.
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

    /// Returns the entries of a range, ordered by the bytes of their keys.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// use anchorhold::List;
    ///
    /// # fn example(ctx: &Ctx) -> Result<(), StorageError> {
    /// let lights: Vec<(String, bool)> = ctx.storage().list(&List::all().prefix("light/").limit(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The options contradict each other, or a value does not fit `T`.
    pub fn list<T: DeserializeOwned>(&self, list: &List) -> Result<Vec<(String, T)>, StorageError> {
        let range = list.range()?;
        let limit = range.limit.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        for part in around_internal(range) {
            // Reading more and truncating would be wrong: the values of a range may be large.
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

    /// Removes all of the object's stored data: keys, stored fields, SQL tables and schedules. Then
    /// the class's migrations and recurring alarms are set up again, as in a new object.
    ///
    /// From the next turn on the fields have their defaults, whatever their values at the end of
    /// this turn. If the turn fails, the deletion is rolled back.
    ///
    /// # Errors
    /// It was called inside a [`transaction`](Self::transaction).
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
        // The rest of this turn may use the tables and alarms that every object of the class has.
        migrate(state, class)?;
        timetable.wake(state, class)
    }

    /// Runs `body` as one transaction, SQL included. Its writes are kept if it returns `Ok`, and
    /// rolled back if it returns `Err` or panics. Transactions nest. Stored fields do not take
    /// part.
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

    /// Returns the object's SQLite database.
    #[must_use]
    pub fn sql(&self) -> Sql {
        Sql::new(self.state().clone())
    }

    /// Waits until the writes made so far are durable. Responses wait automatically. Use this for
    /// effects that the platform does not hold back.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// async fn export(ctx: &Ctx) -> Result<(), StorageError> {
    ///     ctx.storage().put("exported", &true)?;
    ///     ctx.storage().sync().await
    /// }
    /// ```
    ///
    /// # Errors
    /// The commit failed. The object is reset.
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
