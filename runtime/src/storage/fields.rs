//! Stored fields: loaded before the first event, written when a turn succeeds, restored when it
//! fails.
//!
//! The encoded form of each field in storage is cached in memory. It shows which fields a turn
//! changed, and a failed turn is restored from it. A clone of the value would need more from the
//! user's types, and might share data that it should copy.

use std::any::Any;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::message_pack;
use crate::error::StorageError;
use crate::limits;
use crate::platform::ObjectState;

/// The stored fields of one resident object.
pub struct FieldStore {
    state: ObjectState,
    keys: &'static [&'static str],
    committed: Vec<Option<Vec<u8>>>,
    /// The initial values of fields that are not in storage.
    defaults: Vec<Option<FirstValue>>,
    pending: Vec<Pending>,
}

struct FirstValue {
    value: Vec<u8>,
    /// The default differs each time, for example a random token.
    varies: bool,
}

struct Pending {
    key: String,
    /// The index in `committed` to update, or `None` for entries of collections.
    field: Option<usize>,
    value: Option<Vec<u8>>,
}

impl FieldStore {
    pub(crate) fn new(state: ObjectState, keys: &'static [&'static str]) -> Self {
        Self {
            state,
            keys,
            committed: vec![None; keys.len()],
            defaults: keys.iter().map(|_| None).collect(),
            pending: Vec::new(),
        }
    }

    /// Loads field number `index`.
    pub fn load<T: StoredField<Kind>, Kind>(
        &mut self,
        index: usize,
        default: fn() -> T,
    ) -> Result<T, StorageError> {
        T::load(&mut self.slot(index), default)
    }

    /// Records the changes of field number `index`, which [`commit`](Self::commit) writes.
    pub fn store<T: StoredField<Kind>, Kind>(
        &mut self,
        index: usize,
        value: &mut T,
    ) -> Result<(), StorageError> {
        value.store(&mut self.slot(index))
    }

    /// Restores field number `index` from storage.
    pub fn restore<T: StoredField<Kind>, Kind>(
        &mut self,
        index: usize,
        value: &mut T,
        default: fn() -> T,
    ) -> Result<(), StorageError> {
        value.restore(&mut self.slot(index), default)
    }

    fn slot(&mut self, index: usize) -> Slot<'_> {
        Slot {
            index,
            fields: self,
        }
    }

    /// Writes the changes that [`store`](Self::store) recorded. All limits have been checked by
    /// then, so that if one field is too large, no field is written.
    pub(crate) fn commit(&mut self) -> Result<(), StorageError> {
        // A field that was not changed is not stored, so that it follows the default of later
        // versions. An object that is only read is therefore not created, whatever the receiver of
        // the handler.
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|pending| !self.is_default(pending));
        self.pending = pending;
        let entries = self
            .pending
            .iter()
            .map(|pending| (pending.key.as_str(), pending.value.as_deref()));
        self.state.store_fields(entries)?;
        for pending in self.pending.drain(..) {
            if let Some(index) = pending.field {
                self.committed[index] = pending.value;
            }
        }
        Ok(())
    }

    /// Returns `true` if [`commit`](Self::commit) would write.
    pub(crate) fn would_write(&self) -> bool {
        self.pending.iter().any(|pending| !self.is_default(pending))
    }

    /// Returns `true` if this would store a default that is not stored yet.
    fn is_default(&self, pending: &Pending) -> bool {
        pending.field.is_some_and(|index| {
            let default = self.defaults[index].as_ref();
            self.committed[index].is_none()
                && default.is_some_and(|default| {
                    // A default that varies must be stored.
                    !default.varies && pending.value.as_ref() == Some(&default.value)
                })
        })
    }

    pub(crate) fn discard(&mut self) {
        self.pending.clear();
    }

    /// After `delete_all`: no field is in storage, and nothing is to be written.
    pub(crate) fn forget(&mut self) {
        self.forget_stored();
        self.pending.clear();
    }

    /// As [`forget`](Self::forget), but the changes that [`store`](Self::store) recorded are still
    /// written.
    pub(crate) fn forget_stored(&mut self) {
        self.committed.fill(None);
        self.defaults.fill_with(|| None);
    }
}

/// One field of the store.
pub struct Slot<'a> {
    index: usize,
    fields: &'a mut FieldStore,
}

impl Slot<'_> {
    pub(crate) fn key(&self) -> &'static str {
        self.fields.keys[self.index]
    }

    pub(crate) fn state(&self) -> &ObjectState {
        &self.fields.state
    }

    /// Records a write of an entry of this field, or its deletion if `value` is `None`.
    pub(crate) fn note_entry(&mut self, key: String, value: Option<Vec<u8>>) {
        self.fields.pending.push(Pending {
            key,
            field: None,
            value,
        });
    }
}

/// How a durable field is stored: whole, through serde, or as a collection whose entries are stored
/// one by one. `Kind` only lets the compiler distinguish the two.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored, and this field is durable",
    label = "needs `Serialize` and `Deserialize`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for the type,\nor mark the field `#[memory]` if it may be forgotten when the object leaves memory"
)]
pub trait StoredField<Kind>: Sized {
    #[doc(hidden)]
    fn load(slot: &mut Slot<'_>, default: fn() -> Self) -> Result<Self, StorageError>;
    #[doc(hidden)]
    fn store(&mut self, slot: &mut Slot<'_>) -> Result<(), StorageError>;
    #[doc(hidden)]
    fn restore(&mut self, slot: &mut Slot<'_>, default: fn() -> Self) -> Result<(), StorageError>;
}

/// The kind of fields that are stored as one value.
pub enum Whole {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> StoredField<Whole> for T {
    fn load(slot: &mut Slot<'_>, default: fn() -> Self) -> Result<Self, StorageError> {
        let stored = slot.fields.state.get(slot.key())?;
        let value = match &stored {
            Some(bytes) => decode_field(slot.key(), bytes)?,
            None => {
                let first = default();
                slot.fields.defaults[slot.index] =
                    message_pack::encode(&first).ok().map(|value| FirstValue {
                        varies: message_pack::encode(&default()).as_ref() != Ok(&value),
                        value,
                    });
                first
            }
        };
        slot.fields.committed[slot.index] = stored;
        Ok(value)
    }

    fn store(&mut self, slot: &mut Slot<'_>) -> Result<(), StorageError> {
        let key = slot.key();
        let bytes = message_pack::encode(self).map_err(|message| StorageError::Unencodable {
            subject: format!("field `{key}`"),
            message,
        })?;
        let index = slot.index;
        if slot.fields.committed[index].as_deref() != Some(bytes.as_slice()) {
            limits::check_entry(key, bytes.len())?;
            slot.fields.pending.push(Pending {
                key: key.to_owned(),
                field: Some(index),
                value: Some(bytes),
            });
        }
        Ok(())
    }

    fn restore(&mut self, slot: &mut Slot<'_>, default: fn() -> Self) -> Result<(), StorageError> {
        *self = match &slot.fields.committed[slot.index] {
            Some(bytes) => decode_field(slot.key(), bytes)?,
            None => match &slot.fields.defaults[slot.index] {
                Some(first) if first.varies => decode_field(slot.key(), &first.value)?,
                _ => default(),
            },
        };
        Ok(())
    }
}

pub(crate) fn decode_field<T: DeserializeOwned>(
    key: &str,
    bytes: &[u8],
) -> Result<T, StorageError> {
    message_pack::decode(bytes).map_err(|message| StorageError::Undecodable {
        subject: format!("stored field `{key}`"),
        message: format!("{message}; its type is `{}`", std::any::type_name::<T>()),
    })
}

/// Fails to compile, with the message of the trait, for a type that cannot be a durable field.
pub fn assert_stored<T: StoredField<Kind>, Kind>() {}

/// The requirements of a `#[memory]` field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default, and a `#[memory]` field starts from one on every wake",
    label = "needs `Default`",
    note = "implement or derive `Default` for the type, or wrap it: `Option<{Self}>`"
)]
pub trait MemoryDefault: Sized {
    #[doc(hidden)]
    fn fresh() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> MemoryDefault for T {
    fn fresh() -> Self {
        T::default()
    }
}

/// Fails to compile for a type that cannot be a `#[memory]` field.
pub fn assert_memory_default<T: MemoryDefault>() {}

/// Loads, stores and restores a struct's durable fields. The struct attribute implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a Durable Object",
    label = "the struct needs `#[durable_object]`",
    note = "put `#[durable_object]` on `struct {Self}` too"
)]
pub trait StoredFields: Sized + 'static {
    #[doc(hidden)]
    const KEYS: &'static [&'static str];
    #[doc(hidden)]
    const MIGRATIONS: &'static [&'static str];
    #[doc(hidden)]
    fn load(fields: &mut FieldStore) -> Result<Self, StorageError>;
    #[doc(hidden)]
    fn store(&mut self, fields: &mut FieldStore) -> Result<(), StorageError>;
    #[doc(hidden)]
    fn restore(&mut self, fields: &mut FieldStore) -> Result<(), StorageError>;
}

/// A resident object whose type is erased.
#[allow(missing_docs, reason = "the vocabulary of generated code")]
pub trait Object: Any {
    fn store(&mut self, fields: &mut FieldStore) -> Result<(), StorageError>;
    fn restore(&mut self, fields: &mut FieldStore) -> Result<(), StorageError>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: StoredFields> Object for T {
    fn store(&mut self, fields: &mut FieldStore) -> Result<(), StorageError> {
        StoredFields::store(self, fields)
    }
    fn restore(&mut self, fields: &mut FieldStore) -> Result<(), StorageError> {
        StoredFields::restore(self, fields)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Loads an object of a known class for the class's table.
pub fn load_object<T: StoredFields>(
    fields: &mut FieldStore,
) -> Result<Box<dyn Object>, StorageError> {
    Ok(Box::new(T::load(fields)?))
}
