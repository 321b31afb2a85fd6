//! Model → generated code. Only this module and `fallback` use `quote!`.
//!
//! Generated code only refers to items and calls the runtime, which contains the logic. It names
//! the runtime and the standard library by absolute paths only, so that no name in the user's scope
//! can change its meaning. Each block begins by naming the runtime `__anchorhold`, whatever its
//! path in the user's crate, and its part for generated code `__anchored`. Names inside the block
//! are the user's own, including `__private`, which many crates have.
//!
//! Generated items do not allow lints, because a crate may forbid that. Their tokens carry the span
//! of the attribute, so that rustc and clippy treat them as code of another crate. Names that come
//! from the user are resolved there, too: see [`quiet`].

mod app;
mod class;
mod description;
mod descriptors;
mod dispatch;
mod exported;
mod object;
mod schedules;
mod shared;
mod stub;
mod test;
mod tokens;

pub use app::app;
pub use object::{expand_struct, stub_type};
pub use schedules::{structure as schedule_structure, type_name as schedule_type};
pub use test::test;
pub use tokens::{in_block, named, private_at, quiet, stub_path, usual_path};

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::ObjectImpl;

/// Expands an impl block.
pub fn expand_impl(block: &ObjectImpl<'_>) -> TokenStream {
    let user_block = block.raw;
    let schedules_type = schedules::declaration(block);
    let parts = [
        named(block.raw.attribute_names()),
        descriptors::descriptors(block),
        dispatch::functions(block),
        description::description(block),
        stub::methods(block),
        schedules::methods(block),
    ];
    let allowed = block.allowed_lints();
    let support = in_block(block.krate, &block.conditions(), quote!(#(#parts)*));
    let class = class::class(block);
    quote! {
        #user_block
        #schedules_type
        #(#[allow(#allowed)])*
        #support
        #class
    }
}
