//! Types that can be read from a path or a query string, as far as the compiler can tell.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::Probe;

macro_rules! texts {
    ($constant:ident: $($({ $($parameter:ident),* })? $ty:ty,)*) => {$(
        impl $(<$($parameter),*>)? Probe<$ty> {
            pub const $constant: bool = true;
        }
        impl $(<$($parameter),*>)? Probe<Option<$ty>> {
            pub const $constant: bool = true;
        }
    )*};
}

texts! {
    __IS_LIST:
    { T } Vec<T>,
    { T } VecDeque<T>,
    { T, S } HashSet<T, S>,
    { T } BTreeSet<T>,
    { K, V, S } HashMap<K, V, S>,
    { K, V } BTreeMap<K, V>,
}

texts! {
    __HAS_NO_FIELDS:
    { T } Vec<T>,
    { T } VecDeque<T>,
    { T, S } HashSet<T, S>,
    { T } BTreeSet<T>,
    String,
    bool,
    char,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    f32,
    f64,
}

/// An argument that is read from one text: a segment of the path or a value of the query string.
#[diagnostic::on_unimplemented(
    message = "a path or a query string carries one text for each name",
    label = "cannot be read from one text",
    note = "take the values one by one, or use `#[post]`"
)]
pub trait OneText<const IS_LIST: bool> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> OneText<false> for T {}

pub const fn assert_one_text<T: ?Sized + OneText<IS_LIST>, const IS_LIST: bool>() {}

/// An argument that is read from the whole query string.
#[diagnostic::on_unimplemented(
    message = "`#[query]` decodes the whole query string into a struct",
    label = "`{Self}` has no fields",
    note = "take a struct, or remove `#[query]` to read one value by its name"
)]
pub trait HasFields<const HAS_NONE: bool> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized> HasFields<false> for T {}

pub const fn assert_has_fields<T: ?Sized + HasFields<HAS_NONE>, const HAS_NONE: bool>() {}
