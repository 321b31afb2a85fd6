//! Descriptors that the macro generates once for each of the user's types. Each constructor has the
//! bounds and later code needs none, so that a type which does not fit is reported once.
#![allow(missing_docs, reason = "the vocabulary of generated code")]
#![allow(
    clippy::new_without_default,
    reason = "const constructors that carry a bound"
)]

use std::future::Future;

use super::recognition::{
    AlarmPayload, ErrorOf, HandlerError, MethodArgument, MethodResult, Output,
};
use crate::engine::input::{Input, Outcome};
use crate::error::fault::Fault;
use crate::error::{CallError, StorageError};
use crate::object::arguments::Arguments;
use crate::object::context::Ctx;
use crate::schedule::Scheduling;
use crate::storage::fields::{FieldStore, StoredField, Whole};

/// A durable field without an explicit default. A type that escapes the rollback is refused only
/// for that reason.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored, and this field is durable",
    label = "needs `Serialize`, `Deserialize` and `Default`",
    note = "derive them for the type (a missing `Default` may also be given as `#[stored(default = …)]`),\nor mark the field `#[memory]` if it may be forgotten when the object leaves memory"
)]
pub trait DefaultField<Kind, const ESCAPES: bool>: Sized {
    const FIELD: Field<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: StoredField<Kind> + Default, Kind> DefaultField<Kind, false> for T {
    const FIELD: Field<T> = Field::stored::<Kind>(T::default);
}

#[diagnostic::do_not_recommend]
impl<T> DefaultField<Whole, true> for T {
    const FIELD: Field<T> = Field::refused();
}

/// A durable field with an explicit default.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored, and this field is durable",
    label = "needs `Serialize` and `Deserialize`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for the type,\nor mark the field `#[memory]` if it may be forgotten when the object leaves memory"
)]
pub trait StatedField<Kind, const ESCAPES: bool>: Sized {
    /// The field before its default is set.
    const FIELD: Field<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: StoredField<Kind>, Kind> StatedField<Kind, false> for T {
    const FIELD: Field<T> = Field::stored::<Kind>(never);
}

#[diagnostic::do_not_recommend]
impl<T> StatedField<Whole, true> for T {
    const FIELD: Field<T> = Field::refused();
}

fn never<R>() -> R {
    unreachable!(
        "a field that escapes the rollback does not compile, and one with a stated default has it"
    )
}

type LoadField<T> = fn(&mut FieldStore, usize, fn() -> T) -> Result<T, StorageError>;
type StoreField<T> = fn(&mut FieldStore, usize, &mut T) -> Result<(), StorageError>;
type RestoreField<T> = fn(&mut FieldStore, usize, &mut T, fn() -> T) -> Result<(), StorageError>;

/// A durable field.
pub struct Field<T> {
    default: fn() -> T,
    load: LoadField<T>,
    store: StoreField<T>,
    restore: RestoreField<T>,
}

impl<T> Field<T> {
    /// Returns the same field with an explicit default.
    #[must_use]
    pub const fn starting_with(self, default: fn() -> T) -> Self {
        Self { default, ..self }
    }

    const fn stored<Kind>(default: fn() -> T) -> Self
    where
        T: StoredField<Kind>,
    {
        Self {
            default,
            load: FieldStore::load::<T, Kind>,
            store: FieldStore::store::<T, Kind>,
            restore: FieldStore::restore::<T, Kind>,
        }
    }

    /// Returns a field for a type that does not compile as one.
    const fn refused() -> Self {
        Self {
            default: never,
            load: |_, _, _| never(),
            store: |_, _, _| never(),
            restore: |_, _, _, _| never(),
        }
    }

    pub fn load(&self, fields: &mut FieldStore, index: usize) -> Result<T, StorageError> {
        (self.load)(fields, index, self.default)
    }

    pub fn store(
        &self,
        fields: &mut FieldStore,
        index: usize,
        value: &mut T,
    ) -> Result<(), StorageError> {
        (self.store)(fields, index, value)
    }

    pub fn restore(
        &self,
        fields: &mut FieldStore,
        index: usize,
        value: &mut T,
    ) -> Result<(), StorageError> {
        (self.restore)(fields, index, value, self.default)
    }
}

/// Takes the argument with a number and a name from an event.
type Take<T> = fn(&mut Input, usize, &'static str) -> Result<T, Fault>;

/// An argument of an `#[rpc]` method.
pub struct Parameter<T> {
    index: usize,
    name: &'static str,
    argument: Take<T>,
    body: Take<T>,
    query: Take<T>,
    push: fn(&mut Arguments, &'static str, &T),
}

impl<T> Parameter<T> {
    #[must_use]
    pub const fn new<const KIND: u8>(index: usize, name: &'static str) -> Self
    where
        T: MethodArgument<KIND>,
    {
        Self {
            index,
            name,
            argument: T::take,
            body: T::take_body,
            query: T::take_query,
            push: T::push,
        }
    }

    #[inline]
    pub fn argument(&self, input: &mut Input) -> Result<T, Fault> {
        (self.argument)(input, self.index, self.name)
    }

    #[inline]
    pub fn body(&self, input: &mut Input) -> Result<T, Fault> {
        (self.body)(input, self.index, self.name)
    }

    #[inline]
    pub fn query(&self, input: &mut Input) -> Result<T, Fault> {
        (self.query)(input, self.index, self.name)
    }

    #[inline]
    pub fn push(&self, arguments: &mut Arguments, value: &T) {
        (self.push)(arguments, self.name, value);
    }
}

/// The result of an `#[rpc]` method.
pub struct Returned<T> {
    encode: fn(&T) -> Outcome,
    decode: fn(&[u8]) -> Result<T, String>,
}

impl<T> Returned<T> {
    #[must_use]
    pub const fn new<const KIND: u8>() -> Self
    where
        T: MethodResult<KIND>,
    {
        Self {
            encode: T::encode,
            decode: T::decode,
        }
    }

    #[inline]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "generated code hands the result over"
    )]
    pub fn reply(&self, value: T) -> Outcome {
        (self.encode)(&value)
    }

    /// Encodes the return value of a handler that may fail.
    #[inline]
    pub fn reply_output<R, const IS_RESULT: bool>(
        &self,
        failed: &Failed<ErrorOf<R, IS_RESULT>, IS_RESULT>,
        output: R,
    ) -> Outcome
    where
        R: Output<IS_RESULT, Value = T>,
    {
        match output.into_result() {
            Ok(value) => (self.encode)(&value),
            Err(error) => Err((failed.fault)(&error)),
        }
    }

    pub(crate) fn decode(&self) -> fn(&[u8]) -> Result<T, String> {
        self.decode
    }
}

/// The error of a method. `IS_RESULT` means that it returns a `Result` and can fail.
pub struct Failed<E, const IS_RESULT: bool> {
    fault: fn(&E) -> Fault,
    decode: fn(&[u8]) -> Result<E, String>,
}

impl<E, const IS_RESULT: bool> Failed<E, IS_RESULT> {
    #[must_use]
    pub const fn new() -> Self
    where
        E: HandlerError<IS_RESULT>,
    {
        Self {
            fault: E::fault,
            decode: E::decode,
        }
    }

    pub(crate) fn decode(&self) -> fn(&[u8]) -> Result<E, String> {
        self.decode
    }
}

/// The payload of an alarm.
pub struct Payload<T> {
    decode: fn(&mut Input) -> Result<T, Fault>,
    schedule: for<'a> fn(&'a Ctx, &'static str, &T) -> Scheduling<'a>,
}

impl<T> Payload<T> {
    #[must_use]
    pub const fn new<const KIND: u8>() -> Self
    where
        T: AlarmPayload<KIND>,
    {
        Self {
            decode: T::take,
            schedule: T::schedule,
        }
    }

    #[inline]
    pub fn decode(&self, input: &mut Input) -> Result<T, Fault> {
        (self.decode)(input)
    }

    #[inline]
    pub fn schedule<'a>(&self, ctx: &'a Ctx, alarm: &'static str, payload: &T) -> Scheduling<'a> {
        (self.schedule)(ctx, alarm, payload)
    }
}

/// Decodes the result of a stub's future.
pub(crate) async fn decoded<T, E>(
    answer: impl Future<Output = Result<Vec<u8>, Fault>>,
    value: fn(&[u8]) -> Result<T, String>,
    error: impl FnOnce(&[u8]) -> Result<E, String>,
) -> Result<T, CallError<E>> {
    match answer.await {
        Ok(bytes) => value(&bytes).map_err(|message| {
            CallError::Undecodable(format!(
                "the result does not match the caller's type: {message}"
            ))
        }),
        Err(fault) => Err(fault.into_call_error(error)),
    }
}
