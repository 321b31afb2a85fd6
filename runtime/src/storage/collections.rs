//! Stored collections: state that grows, kept entry by entry and read only where it is used.

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

/// What a [`StoredMap`] with keys of type `K` can be asked by: the key, or `&str` where it is a `String`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key of a `StoredMap<{K}, …>`",
    label = "not a key",
    note = "keys are `String` (looked up by `&str` or `&String`), `u8` to `u64` and `i8` to `i64`;\nconvert others to text, for example with `id.to_string()`"
)]
pub trait AsKeyOf<K> {
    #[doc(hidden)]
    fn to_key(&self) -> String;
}

/// What may be the key of a [`StoredMap`]: text, or integers (which sort by value).
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

/// The entries below one field: what storage holds, under what this turn has changed.
struct Entries {
    field: &'static str,
    state: Option<ObjectState>,
    changed: RefCell<BTreeMap<String, Option<Vec<u8>>>>,
}

impl Entries {
    /// Not yet part of an object: what is put in is kept until it is.
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

    /// The entries from `range` on, in key order.
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
            // A collection made anew and assigned to the field replaces what the field held.
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

/// A map whose entries are stored one by one and read where they are used: it may grow to millions
/// of entries, and a turn costs what it touches.
///
/// Changes take effect when the turn succeeds and are taken back when it fails, as with every
/// stored field. A map that is moved to another field takes its entries along, one by one: that costs
/// as much as reading and writing them all. Keys are text or integers, up to 2,048 bytes together
/// with the field's name; an entry may have up to 2 MiB.
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

// Their entries change through `&mut self` only, and the fields of a failed turn are restored.
impl<K, V> RefUnwindSafe for StoredMap<K, V> {}
impl<T, const BOUND: u64> RefUnwindSafe for StoredLog<T, BOUND> {}

// Bounds stand at the methods: a key of another type is then told what a key may be, and not that there is no such method.
impl<K, V: Serialize + DeserializeOwned> StoredMap<K, V> {
    /// The value under `key`.
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

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// Storage failed.
    pub fn contains_key<Q>(&self, key: &Q) -> Result<bool, StorageError>
    where
        Q: AsKeyOf<K> + ?Sized,
    {
        Ok(self.entries.get(&key.to_key())?.is_some())
    }

    /// Puts a value under `key`; the one it replaces.
    ///
    /// # Errors
    /// A limit, or a value that refuses to be serialised.
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

    /// Removes `key`; the value it had.
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

    /// The entries in the order of their keys, from `start` (included) on, at most `limit`.
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

/// The kind of fields whose entries are stored one by one.
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

/// An append-only log of at most `BOUND` entries: the oldest leave as new ones come. Every entry
/// has an index that counts up from 1 and is never given twice. A new log that is assigned to the field
/// counts from 1 again.
///
/// `BOUND` may change between versions: entries that a smaller bound had dropped stay away, and what
/// a larger one had kept leaves as new entries come.
///
/// Entries are stored one by one, as in a [`StoredMap`]; appending costs the same at every length.
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
    /// The index of the oldest entry in storage; of the next one if there is none.
    first: u64,
    /// The index of the next entry.
    next: u64,
    types: PhantomData<fn() -> T>,
}

/// Beside the entries, whose keys are digits only.
const NEXT_KEY: &str = "next";
/// The most entries that one push drops: after a deployment with a smaller bound there may be many.
const DROPPED_AT_ONCE: u64 = 64;

impl<T: Serialize + DeserializeOwned, const BOUND: u64> StoredLog<T, BOUND> {
    /// Appends an entry; its index.
    ///
    /// # Errors
    /// A limit, or a value that refuses to be serialised.
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

    /// The index of the oldest entry that is kept, and the index that the next entry will get.
    #[must_use]
    pub fn indices(&self) -> Range<u64> {
        self.next.saturating_sub(BOUND).max(self.first)..self.next
    }

    /// How many entries are kept.
    #[must_use]
    pub fn len(&self) -> u64 {
        let Range { start, end } = self.indices();
        end - start
    }

    /// Whether nothing was appended yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry with this index, if it is still kept.
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

    /// The newest entries of a range of indices, at most `limit`, oldest first.
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
