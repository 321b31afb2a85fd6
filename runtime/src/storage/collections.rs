//! Stored collections: large state whose entries are stored one by one and read on use.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::RefUnwindSafe;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fields::{Slot, StoredField};
use crate::codec::message_pack;
use crate::error::StorageError;
use crate::limits;
use crate::platform::ObjectState;
use crate::storage::ListRange;

/// Types that can look up keys of type `K` in a [`StoredMap`]: `K` itself, and `&str` if `K` is
/// `String`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key of a `StoredMap<{K}, …>`",
    label = "not a key",
    note = "keys are `String` (looked up by `&str` or `&String`), `u8` to `u64` and `i8` to `i64`;\nconvert others to text, for example with `id.to_string()`"
)]
pub trait AsKeyOf<K> {
    #[doc(hidden)]
    fn to_key(&self) -> String;
}

/// The key of a [`StoredMap`]: text, or integers (which sort by value).
pub trait MapKey: AsKeyOf<Self> + Sized {
    #[doc(hidden)]
    fn from_key(text: &str) -> Option<Self>;
}

impl AsKeyOf<String> for str {
    fn to_key(&self) -> String {
        self.to_owned()
    }
}

impl AsKeyOf<String> for String {
    fn to_key(&self) -> String {
        self.clone()
    }
}

impl MapKey for String {
    fn from_key(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

macro_rules! unsigned_keys {
    ($($type:ty),*) => { $(
        impl AsKeyOf<$type> for $type {
            fn to_key(&self) -> String {
                format!("{:016x}", u64::from(*self))
            }
        }
        impl MapKey for $type {
            fn from_key(text: &str) -> Option<Self> {
                u64::from_str_radix(text, 16).ok()?.try_into().ok()
            }
        }
    )* };
}
unsigned_keys!(u8, u16, u32, u64);

macro_rules! signed_keys {
    ($($type:ty),*) => { $(
        impl AsKeyOf<$type> for $type {
            fn to_key(&self) -> String {
                // Shifted by half the range, so that negative keys sort before positive ones.
                format!("{:016x}", i64::from(*self).cast_unsigned() ^ (1 << 63))
            }
        }
        impl MapKey for $type {
            fn from_key(text: &str) -> Option<Self> {
                let shifted = u64::from_str_radix(text, 16).ok()? ^ (1 << 63);
                shifted.cast_signed().try_into().ok()
            }
        }
    )* };
}
signed_keys!(i8, i16, i32, i64);

/// The entries of one field: those in storage, overlaid by the changes of this turn.
struct Entries {
    field: &'static str,
    state: Option<ObjectState>,
    changed: RefCell<BTreeMap<String, Option<Vec<u8>>>>,
}

impl Entries {
    /// Not yet assigned to an object's field. Changes are kept until it is.
    fn detached() -> Self {
        Self {
            field: "",
            state: None,
            changed: RefCell::default(),
        }
    }

    fn attached(slot: &Slot<'_>) -> Self {
        Self {
            field: slot.key(),
            state: Some(slot.state().clone()),
            changed: RefCell::default(),
        }
    }

    fn full_key(&self, key: &str) -> String {
        format!("{}/{key}", self.field)
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        if let Some(change) = self.changed.borrow().get(key) {
            return Ok(change.clone());
        }
        match &self.state {
            Some(state) => state.get(&self.full_key(key)),
            None => Ok(None),
        }
    }

    fn put(&self, key: String, value: Vec<u8>) -> Result<(), StorageError> {
        limits::check_entry(&self.full_key(&key), value.len())?;
        self.changed.borrow_mut().insert(key, Some(value));
        Ok(())
    }

    fn remove(&self, key: &str) -> Result<bool, StorageError> {
        let existed = self.get(key)?.is_some();
        if existed {
            self.changed.borrow_mut().insert(key.to_owned(), None);
        }
        Ok(existed)
    }

    /// The entries from `start` up to and without `end`, in key order.
    fn list(
        &self,
        start: Option<&str>,
        end: Option<&str>,
        reverse: bool,
        limit: Option<usize>,
    ) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let changed = self.changed.borrow();
        let mut entries = BTreeMap::new();
        if let Some(state) = &self.state {
            let prefix = format!("{}/", self.field);
            let range = ListRange {
                start: start.map(|key| self.full_key(key)),
                end: end.map(|key| self.full_key(key)),
                prefix: Some(prefix.clone()),
                reverse,
                // Changes of this turn may hide as many stored entries as there are changes.
                limit: limit.map(|limit| limit.saturating_add(changed.len())),
            };
            for (key, value) in state.list(&range)? {
                entries.insert(key[prefix.len()..].to_owned(), value);
            }
        }
        for (key, change) in changed.iter() {
            let inside = start.is_none_or(|start| key.as_str() >= start)
                && end.is_none_or(|end| key.as_str() < end);
            match change {
                Some(value) if inside => {
                    entries.insert(key.clone(), value.clone());
                }
                _ => {
                    entries.remove(key);
                }
            }
        }
        let limit = limit.unwrap_or(usize::MAX);
        Ok(if reverse {
            entries.into_iter().rev().take(limit).collect()
        } else {
            entries.into_iter().take(limit).collect()
        })
    }

    fn store(&mut self, slot: &mut Slot<'_>) -> Result<(), StorageError> {
        if self.state.is_none() {
            // A new collection that is assigned to the field replaces the field's entries.
            let fresh = std::mem::replace(self, Self::attached(slot)).changed;
            for (key, _) in self.list(None, None, false, None)? {
                slot.note_entry(self.full_key(&key), None);
            }
            self.changed = fresh;
        } else if self.field != slot.key() {
            // Moved here from another field, by `mem::take` or `mem::swap`.
            let moved = self.list(None, None, false, None)?;
            *self = Self::attached(slot);
            for (key, _) in self.list(None, None, false, None)? {
                slot.note_entry(self.full_key(&key), None);
            }
            self.changed
                .get_mut()
                .extend(moved.into_iter().map(|(key, value)| (key, Some(value))));
        }
        for (key, value) in std::mem::take(self.changed.get_mut()) {
            slot.note_entry(self.full_key(&key), value);
        }
        Ok(())
    }
}

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
impl<T, const BOUND: u64> RefUnwindSafe for StoredLog<T, BOUND> {}

// The bounds are on the methods, so that for a key of another type the compiler lists the possible
// keys instead of reporting a missing method.
impl<K, V: Serialize + DeserializeOwned> StoredMap<K, V> {
    /// Returns the value of `key`.
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

/// Marks fields whose entries are stored one by one.
pub enum ByEntry {}

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

/// An append-only log of at most `BOUND` entries: the oldest are dropped as new ones are appended.
/// Every entry has an index. Indices count up from 1 and are never reused. If a new log is assigned
/// to the field, its indices start at 1 again.
///
/// `BOUND` may change between versions. Entries that a smaller bound dropped do not reappear. If
/// the bound becomes smaller, surplus entries are deleted as new ones are appended.
///
/// Entries are stored one by one, as in a [`StoredMap`]. The cost of appending does not depend on
/// the length.
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
