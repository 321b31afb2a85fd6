//! A user's crate between anchorhold and the crates with objects. It re-exports anchorhold, and has
//! a macro that declares objects.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

#[doc(no_inline)]
pub use anchorhold as reexported;

/// Declares each item as (a half of) an object.
#[macro_export]
macro_rules! objects {
    ($($item:item)*) => {
        $(
            #[$crate::reexported::durable_object(crate = $crate::reexported)]
            $item
        )*
    };
}
