//! Stored collections as fields: where they are allowed, and how much they keep.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

/// A part of a field's type. It cannot be a collection, because a collection's entries are stored
/// under the field's own key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be nested in another type",
    label = "must be the type of the field itself",
    note = "to keep several in one collection, make the distinguishing value part of the key"
)]
pub trait Nestable<const IS_COLLECTION: bool> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> Nestable<false> for T {}

pub const fn assert_nestable<T: ?Sized + Nestable<IS_COLLECTION>, const IS_COLLECTION: bool>() {}

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
