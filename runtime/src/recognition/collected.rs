//! Stored collections as fields: where they may stand, and what they may hold.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::collections::{AsKeyOf, StoredLog, StoredMap};

/// A part of a field's type, which is no collection: its entries are stored under the field's own key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be nested in another type",
    label = "must be the type of the field itself",
    note = "to keep several in one collection, make the distinguishing value part of the key"
)]
pub trait Nestable<const IS_COLLECTION: bool> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> Nestable<false> for T {}

pub const fn assert_nestable<T: ?Sized + Nestable<IS_COLLECTION>, const IS_COLLECTION: bool>() {}

/// What a stored collection can hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an entry of a stored collection",
    label = "needs `Serialize` and `Deserialize`",
    note = "entries are stored one by one, through serde"
)]
pub trait Entry {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Entry for T {}

/// A field whose entries can be stored, if it has entries.
pub trait HoldsEntries<const IS_COLLECTION: bool> {}

impl<T: ?Sized> HoldsEntries<false> for T {}

impl<K: AsKeyOf<K>, V: Entry> HoldsEntries<true> for StoredMap<K, V> {}

impl<T: Entry, const BOUND: u64> HoldsEntries<true> for StoredLog<T, BOUND> {}

pub const fn assert_holds_entries<T, const IS_COLLECTION: bool>()
where
    T: ?Sized + HoldsEntries<IS_COLLECTION>,
{
}

/// A log that keeps at least one entry.
#[diagnostic::on_unimplemented(
    message = "a log that keeps no entry loses what is pushed",
    label = "keeps 0 entries",
    note = "write how many entries it keeps, for example `StoredLog<String, 100>`"
)]
pub trait Keeps<const NOTHING: bool> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> Keeps<false> for T {}

pub const fn assert_keeps<T: ?Sized + Keeps<NOTHING>, const NOTHING: bool>() {}
