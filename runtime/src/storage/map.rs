//! A stored map: its entries are stored one by one and read on use.

use std::fmt;
use std::marker::PhantomData;
use std::panic::RefUnwindSafe;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entries::{AsKeyOf, ByEntry, Entries, MapKey};
use super::fields::{Slot, StoredField};
use crate::codec::message_pack;
use crate::error::StorageError;

/// A map whose entries are stored one by one and read on use. It may grow to millions of entries:
/// the cost of a turn depends only on the entries that it uses.
///
/// As with every stored field, changes take effect when the turn succeeds and are rolled back when
/// it fails. A map that is moved to another field takes its entries along. This reads and writes
/// every entry. Keys are text or integers, of up to 2,048 bytes together with the field's name. An
/// entry may have up to 2 MiB.
///
/// ```
/// # use anchorhold::prelude::*;
/// # #[durable_object]
/// # struct Votes { by_user: StoredMap<String, i32> }
/// # #[durable_object]
/// # impl Votes {
/// #[rpc]
/// fn vote(&mut self, user: &str, points: i32) -> Result<Option<i32>, StorageError> {
///     self.by_user.insert(user, &points)
/// }
/// # }
/// # fn main() {}
/// ```
pub struct StoredMap<K, V> {
    entries: Entries,
    types: PhantomData<fn() -> (K, V)>,
}

// Entries change only through `&mut self`, and the fields of a failed turn are restored.
impl<K, V> RefUnwindSafe for StoredMap<K, V> {}

// The bounds are on the methods, so that for a key of another type the compiler lists the possible
// keys instead of reporting a missing method.
impl<K, V: Serialize + DeserializeOwned> StoredMap<K, V> {
    /// Returns the value of `key`.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # #[durable_object]
    /// # struct Inbox { mails: StoredMap<u64, String>, log: StoredLog<String, 100> }
    /// # #[durable_object]
    /// # impl Inbox {
    /// #[rpc]
    /// fn subject(&self, id: u64) -> Result<String, Error> {
    ///     self.mails.get(&id)?.ok_or_else(|| Error::not_found(format!("there is no mail {id}")))
    /// }
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// The stored value does not fit `V`.
    pub fn get<Q>(&self, key: &Q) -> Result<Option<V>, StorageError>
    where
        Q: AsKeyOf<K> + ?Sized,
    {
        let key = key.to_key();
        match self.entries.get(&key)? {
            Some(bytes) => self.decode(&key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Returns `true` if `key` has a value.
    ///
    /// # Errors
    /// Storage failed.
    pub fn contains_key<Q>(&self, key: &Q) -> Result<bool, StorageError>
    where
        Q: AsKeyOf<K> + ?Sized,
    {
        Ok(self.entries.get(&key.to_key())?.is_some())
    }

    /// Stores a value under `key`. Returns the value that it replaces.
    ///
    /// # Errors
    /// A limit is exceeded, the value's `Serialize` implementation failed, or the replaced value
    /// does not fit `V`.
    pub fn insert<Q>(&mut self, key: &Q, value: &V) -> Result<Option<V>, StorageError>
    where
        Q: AsKeyOf<K> + ?Sized,
    {
        let before = self.get(key)?;
        let key = key.to_key();
        let bytes = message_pack::encode(value).map_err(|message| StorageError::Unencodable {
            subject: self.subject(&key),
            message,
        })?;
        self.entries.put(key, bytes)?;
        Ok(before)
    }

    /// Removes `key`. Returns the value that it had.
    ///
    /// # Errors
    /// The stored value does not fit `V`.
    pub fn remove<Q>(&mut self, key: &Q) -> Result<Option<V>, StorageError>
    where
        Q: AsKeyOf<K> + ?Sized,
    {
        let before = self.get(key)?;
        self.entries.remove(&key.to_key())?;
        Ok(before)
    }

    /// Returns at most `limit` entries in key order, from `start` (included) on.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # #[durable_object]
    /// # struct Inbox { mails: StoredMap<u64, String>, log: StoredLog<String, 100> }
    /// # #[durable_object]
    /// # impl Inbox {
    /// /// Returns up to 50 mails from `id` on.
    /// #[rpc]
    /// fn page(&self, id: Option<u64>) -> Result<Vec<(u64, String)>, StorageError> {
    ///     self.mails.entries(id.as_ref(), 50)
    /// }
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// A stored key or value does not fit.
    pub fn entries(&self, start: Option<&K>, limit: usize) -> Result<Vec<(K, V)>, StorageError>
    where
        K: MapKey,
    {
        let start = start.map(AsKeyOf::to_key);
        self.entries
            .list(start.as_deref(), None, false, Some(limit))?
            .into_iter()
            .map(|(key, bytes)| {
                let value = self.decode(&key, &bytes)?;
                let typed = K::from_key(&key).ok_or_else(|| StorageError::Undecodable {
                    subject: self.subject(&key),
                    message: "the key does not fit".to_owned(),
                })?;
                Ok((typed, value))
            })
            .collect()
    }

    fn decode(&self, key: &str, bytes: &[u8]) -> Result<V, StorageError> {
        message_pack::decode(bytes).map_err(|message| StorageError::Undecodable {
            subject: self.subject(key),
            message,
        })
    }

    fn subject(&self, key: &str) -> String {
        format!("entry `{key}` of field `{}`", self.entries.field)
    }
}

impl<K, V> Default for StoredMap<K, V> {
    fn default() -> Self {
        Self {
            entries: Entries::detached(),
            types: PhantomData,
        }
    }
}

impl<K, V> fmt::Debug for StoredMap<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StoredMap({})", self.entries.field)
    }
}

impl<K, V> StoredField<ByEntry> for StoredMap<K, V> {
    fn load(slot: &mut Slot<'_>, _: fn() -> Self) -> Result<Self, StorageError> {
        Ok(Self {
            entries: Entries::attached(slot),
            types: PhantomData,
        })
    }

    fn store(&mut self, slot: &mut Slot<'_>) -> Result<(), StorageError> {
        self.entries.store(slot)
    }

    fn restore(&mut self, slot: &mut Slot<'_>, default: fn() -> Self) -> Result<(), StorageError> {
        *self = Self::load(slot, default)?;
        Ok(())
    }
}
