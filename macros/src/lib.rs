//! The attributes of anchorhold. Use them through the `anchorhold` crate, which documents and re-exports them.
//!
//! `lib` → `driver` → `parse` → `model` → `check` → `expand`, or `fallback` where something was wrong.

mod attr;
mod check;
mod diag;
mod driver;
mod expand;
mod fallback;
mod function;
mod model;
mod names;
mod parse;
#[cfg(test)]
mod snapshots;

use proc_macro::TokenStream;

use driver::Failure;

/// Declares an object: on its struct, and on the impl block with its handlers.
#[proc_macro_attribute]
pub fn durable_object(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(driver::durable_object(arguments.into(), item.into()))
}

/// Marks the function that lists the objects and mounts them.
#[proc_macro_attribute]
pub fn app(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(driver::app(arguments.into(), item.into()))
}

/// Runs an asynchronous test in the simulator.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(driver::test(arguments.into(), item.into()))
}

/// The attributes of handlers mean something inside a `#[durable_object] impl` block only, which takes them off before
/// they expand. They exist so that anywhere else they say where they belong.
macro_rules! handler_attributes {
    ($($(#[$documentation:meta])* $name:ident)*) => {$(
        $(#[$documentation])*
        #[proc_macro_attribute]
        pub fn $name(_: TokenStream, item: TokenStream) -> TokenStream {
            finish(Err(driver::misplaced(stringify!($name), item.into())))
        }
    )*};
}

handler_attributes! {
    /// Runs before any other event, after the stored fields and the migrations.
    init
    /// A typed remote method.
    rpc
    /// A route for `GET`.
    get
    /// A route for `POST`.
    post
    /// A route for `PUT`.
    put
    /// A route for `PATCH`.
    patch
    /// A route for `DELETE`.
    delete
    /// A named schedule.
    alarm
    /// An upgrade route, which accepts a socket or refuses it.
    websocket
    /// Receives the messages of a socket.
    message
    /// Learns that a socket was closed.
    close
}

/// The way every attribute returns.
fn finish(result: Result<proc_macro2::TokenStream, Failure>) -> TokenStream {
    result.unwrap_or_else(Failure::into_tokens).into()
}
