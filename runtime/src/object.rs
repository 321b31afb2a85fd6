//! What makes a struct a Durable Object.

use std::any::Any;

use crate::description::Description;
use crate::error::StorageError;
use crate::fields::FieldStore;
use crate::stub::Stub;

/// A class of Durable Objects. `#[durable_object]` on the struct and on its impl block implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `#[durable_object] impl` block",
    label = "its methods are missing",
    note = "a Durable Object is a struct and an impl block, both with the attribute and both under the same conditions:\n#[durable_object]\nimpl {Self} {{ … }}"
)]
pub trait DurableObject: StoredFields + 'static {
    /// The name of the class, on Cloudflare the name of the exported JavaScript class.
    const CLASS: &'static str;

    /// The typed stub that calls such an object.
    type Stub: Stub<Object = Self>;

    #[doc(hidden)]
    fn __description() -> &'static Description;
}

/// A struct with the attribute that was refused because it is generic: its impl block need not say so again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a Durable Object",
    label = "the struct needs `#[durable_object]`, and cannot be generic",
    note = "put `#[durable_object]` on the struct too, and name the types instead of the parameters"
)]
pub trait RefusedAsGeneric {}

/// Does not compile for a struct without the attribute.
pub const fn assert_refused_as_generic<T: ?Sized + RefusedAsGeneric>() {}

/// How a struct's durable fields come and go; the struct attribute implements it.
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

/// A resident object whose type the runtime does not know.
#[allow(missing_docs, reason = "nobody else names it")]
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

/// Fails to compile, with the trait's own words, for a struct without an annotated impl block.
pub fn assert_durable_object<T: DurableObject>() {}
