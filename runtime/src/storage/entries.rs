//! The entries of one stored field, and their keys.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::fields::Slot;
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
pub(super) struct Entries {
    pub(super) field: &'static str,
    state: Option<ObjectState>,
    changed: RefCell<BTreeMap<String, Option<Vec<u8>>>>,
}

impl Entries {
    /// Not yet assigned to an object's field. Changes are kept until it is.
    pub(super) fn detached() -> Self {
        Self {
            field: "",
            state: None,
            changed: RefCell::default(),
        }
    }

    pub(super) fn attached(slot: &Slot<'_>) -> Self {
        Self {
            field: slot.key(),
            state: Some(slot.state().clone()),
            changed: RefCell::default(),
        }
    }

    fn full_key(&self, key: &str) -> String {
        format!("{}/{key}", self.field)
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        if let Some(change) = self.changed.borrow().get(key) {
            return Ok(change.clone());
        }
        match &self.state {
            Some(state) => state.get(&self.full_key(key)),
            None => Ok(None),
        }
    }

    pub(super) fn put(&self, key: String, value: Vec<u8>) -> Result<(), StorageError> {
        limits::check_entry(&self.full_key(&key), value.len())?;
        self.changed.borrow_mut().insert(key, Some(value));
        Ok(())
    }

    pub(super) fn remove(&self, key: &str) -> Result<bool, StorageError> {
        let existed = self.get(key)?.is_some();
        if existed {
            self.changed.borrow_mut().insert(key.to_owned(), None);
        }
        Ok(existed)
    }

    /// The entries from `start` up to and without `end`, in key order.
    pub(super) fn list(
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

    pub(super) fn store(&mut self, slot: &mut Slot<'_>) -> Result<(), StorageError> {
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

/// Marks fields whose entries are stored one by one.
pub enum ByEntry {}
