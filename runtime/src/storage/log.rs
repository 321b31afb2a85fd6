//! A stored log of bounded length: its entries are stored one by one and read on use.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::RefUnwindSafe;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entries::{AsKeyOf, ByEntry, Entries, MapKey};
use super::fields::{Slot, StoredField};
use crate::codec::message_pack;
use crate::error::StorageError;

/// An append-only log of at most `BOUND` entries: the oldest are dropped as new ones are appended.
/// Every entry has an index. Indices count up from 1 and are never reused. If a new log is assigned
/// to the field, its indices start at 1 again.
///
/// `BOUND` may change between versions. Entries that a smaller bound dropped do not reappear. If
/// the bound becomes smaller, surplus entries are deleted as new ones are appended.
///
/// Entries are stored one by one, as in a [`StoredMap`](crate::StoredMap). The cost of appending
/// does not depend on the length.
///
/// ```
/// # use anchorhold::prelude::*;
/// # #[durable_object]
/// # struct Audit { events: StoredLog<String, 1000> }
/// # #[durable_object]
/// # impl Audit {
/// #[rpc]
/// fn record(&mut self, event: String) -> Result<u64, StorageError> {
///     self.events.push(&event)
/// }
/// # }
/// # fn main() {}
/// ```
pub struct StoredLog<T, const BOUND: u64> {
    entries: Entries,
    /// The index of the oldest entry in storage, or `next` if there are no entries.
    first: u64,
    /// The index of the next entry.
    next: u64,
    types: PhantomData<fn() -> T>,
}

// Entries change only through `&mut self`, and the fields of a failed turn are restored.
impl<T, const BOUND: u64> RefUnwindSafe for StoredLog<T, BOUND> {}

/// Cannot collide with an entry, whose key consists of digits only.
const NEXT_KEY: &str = "next";
/// The most entries that one push drops. After a deployment with a smaller bound there may be many.
const DROPPED_AT_ONCE: u64 = 64;

impl<T: Serialize + DeserializeOwned, const BOUND: u64> StoredLog<T, BOUND> {
    /// Appends an entry. Returns its index.
    ///
    /// # Errors
    /// A limit is exceeded, or the value's `Serialize` implementation failed.
    pub fn push(&mut self, value: &T) -> Result<u64, StorageError> {
        const { assert!(BOUND > 0, "a log keeps at least one entry") };
        let index = self.next;
        let key = index.to_key();
        let bytes = message_pack::encode(value).map_err(|message| StorageError::Unencodable {
            subject: self.subject(&key),
            message,
        })?;
        self.entries.put(key, bytes)?;
        self.set_next(index + 1)?;
        let excess = self.next.saturating_sub(self.first).saturating_sub(BOUND);
        for _ in 0..excess.min(DROPPED_AT_ONCE) {
            self.entries.remove(&self.first.to_key())?;
            self.first += 1;
        }
        Ok(index)
    }

    /// Returns the range from the index of the oldest entry to the index that the next entry will
    /// get.
    #[must_use]
    pub fn indices(&self) -> Range<u64> {
        self.next.saturating_sub(BOUND).max(self.first)..self.next
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> u64 {
        let Range { start, end } = self.indices();
        end - start
    }

    /// Returns `true` if there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the entry with this index, or `None` if it was dropped or not appended yet.
    ///
    /// # Errors
    /// The stored value does not fit `T`.
    pub fn get(&self, index: u64) -> Result<Option<T>, StorageError> {
        let key = index.to_key();
        self.entries
            .get(&key)?
            .map(|bytes| self.decode(&key, &bytes))
            .transpose()
    }

    /// Returns the newest entries of a range of indices, at most `limit`, oldest first.
    ///
    /// ```
    /// # use anchorhold::prelude::*;
    /// # #[durable_object]
    /// # struct Inbox { mails: StoredMap<u64, String>, log: StoredLog<String, 100> }
    /// # #[durable_object]
    /// # impl Inbox {
    /// /// Returns the 10 newest entries.
    /// #[rpc]
    /// fn newest(&self) -> Result<Vec<(u64, String)>, StorageError> {
    ///     self.log.newest(self.log.indices(), 10)
    /// }
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// A stored value does not fit `T`.
    pub fn newest(&self, range: Range<u64>, limit: usize) -> Result<Vec<(u64, T)>, StorageError> {
        let kept = self.indices();
        let start = range.start.max(kept.start).to_key();
        let end = range.end.min(kept.end).to_key();
        let mut found = self
            .entries
            .list(Some(&start), Some(&end), true, Some(limit))?
            .into_iter()
            .filter_map(|(key, bytes)| Some((u64::from_key(&key)?, self.decode(&key, &bytes))))
            .map(|(index, value)| Ok((index, value?)))
            .collect::<Result<Vec<_>, StorageError>>()?;
        found.reverse();
        Ok(found)
    }

    fn set_next(&mut self, next: u64) -> Result<(), StorageError> {
        self.next = next;
        let bytes = message_pack::encode(&next).map_err(|message| StorageError::Unencodable {
            subject: self.subject(NEXT_KEY),
            message,
        })?;
        self.entries.put(NEXT_KEY.to_owned(), bytes)
    }

    fn decode(&self, key: &str, bytes: &[u8]) -> Result<T, StorageError> {
        message_pack::decode(bytes).map_err(|message| StorageError::Undecodable {
            subject: self.subject(key),
            message,
        })
    }

    fn subject(&self, key: &str) -> String {
        format!("entry `{key}` of field `{}`", self.entries.field)
    }
}

impl<T, const BOUND: u64> Default for StoredLog<T, BOUND> {
    fn default() -> Self {
        Self {
            entries: Entries::detached(),
            first: 1,
            next: 1,
            types: PhantomData,
        }
    }
}

impl<T, const BOUND: u64> fmt::Debug for StoredLog<T, BOUND> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "StoredLog({}, next {})",
            self.entries.field, self.next
        )
    }
}

impl<T, const BOUND: u64> StoredField<ByEntry> for StoredLog<T, BOUND> {
    fn load(slot: &mut Slot<'_>, _: fn() -> Self) -> Result<Self, StorageError> {
        let entries = Entries::attached(slot);
        let next = match entries.get(NEXT_KEY)? {
            Some(bytes) => {
                message_pack::decode(&bytes).map_err(|message| StorageError::Undecodable {
                    subject: format!("the length of log `{}`", slot.key()),
                    message,
                })?
            }
            None => 1,
        };
        let oldest = entries.list(None, Some(NEXT_KEY), false, Some(1))?;
        let first = oldest.first().and_then(|(key, _)| u64::from_key(key));
        Ok(Self {
            entries,
            first: first.unwrap_or(next).min(next),
            next,
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
