//! The attributes of anchorhold. Use them through the `anchorhold` crate, which documents and re-exports them.
//!
//! `lib` → `driver` → `parse` → `model` → `check` → `expand`, or `fallback` if an error was reported.

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

use diag::Failure;

/// Declares an object: on its struct, and on the impl block with its handlers.
#[proc_macro_attribute]
pub fn durable_object(arguments: TokenStream, item: TokenStream) -> TokenStream {
    emit(driver::durable_object(arguments.into(), item.into()))
}

/// Marks the function that lists the objects and mounts them.
#[proc_macro_attribute]
pub fn app(arguments: TokenStream, item: TokenStream) -> TokenStream {
    emit(driver::app(arguments.into(), item.into()))
}

/// Runs an asynchronous test in the simulator.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    emit(driver::test(arguments.into(), item.into()))
}

/// Handler attributes only have a meaning inside a `#[durable_object] impl` block, which strips them before they expand.
/// They are macros only so that misplaced ones can be reported.
macro_rules! handler_attributes {
    ($($(#[$documentation:meta])* $name:ident)*) => {$(
        $(#[$documentation])*
        #[proc_macro_attribute]
        pub fn $name(_: TokenStream, item: TokenStream) -> TokenStream {
            emit(Err(driver::misplaced(stringify!($name), &item.into())))
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
    /// Called when a socket was closed.
    close
}

/// Every attribute returns through here. With `ANCHORHOLD_DUMP` set, what it expands to is printed.
fn emit(result: Result<proc_macro2::TokenStream, Failure>) -> TokenStream {
    let tokens = result.unwrap_or_else(Failure::into_tokens);
    if std::env::var_os("ANCHORHOLD_DUMP").is_some() {
        eprintln!("{tokens}\n");
    }
    tokens.into()
}
