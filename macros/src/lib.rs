//! The attributes of anchorhold. Use them through the `anchorhold` crate, which documents and
//! re-exports them.
//!
//! The pages of the attributes are sections of `docs/attributes.md`, which `anchorhold` tests.
//! Their examples are not tested again here.
//!
//! `lib` → `driver` → `parse` → `model` → `check` → `expand`, or `fallback` if an error was
//! reported.

mod attr;
mod check;
mod diag;
mod driver;
mod expand;
mod fallback;
mod function;
#[cfg(test)]
mod hover;
mod model;
mod names;
mod options;
#[cfg(test)]
mod pages;
mod parse;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tables;

use proc_macro::TokenStream;

use diag::Failure;
use parse::Place;

/// Declares an object: on its struct, and on the impl block with its handlers.
#[cfg_attr(not(doctest), doc = include_str!("../pages/durable_object.md"))]
#[proc_macro_attribute]
pub fn durable_object(arguments: TokenStream, item: TokenStream) -> TokenStream {
    emit(driver::durable_object(arguments.into(), item.into()))
}

/// Marks the function that lists the objects and mounts them.
#[cfg_attr(not(doctest), doc = include_str!("../pages/app.md"))]
#[proc_macro_attribute]
pub fn app(arguments: TokenStream, item: TokenStream) -> TokenStream {
    emit(driver::app(arguments.into(), item.into()))
}

/// Runs an asynchronous test in the simulator.
#[cfg_attr(not(doctest), doc = include_str!("../pages/test.md"))]
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    emit(driver::test(arguments.into(), item.into()))
}

/// Declares the attributes that only have a meaning inside an object. The object's attribute strips
/// them before they expand. They are macros so that editors and rustdoc know them, and so that
/// misplaced ones can be reported.
macro_rules! attributes_of_parts {
    ($($place:ident { $($(#[$summary:meta])* $name:ident $page:literal)* })*) => {$($(
        $(#[$summary])*
        #[cfg_attr(not(doctest), doc = include_str!(concat!("../pages/", $page, ".md")))]
        #[proc_macro_attribute]
        pub fn $name(_: TokenStream, item: TokenStream) -> TokenStream {
            let failure = driver::misplaced(stringify!($name), Place::$place, item.into());
            emit(Err(failure))
        }
    )*)*};
}

attributes_of_parts! {
    Method {
        /// Declares a method that runs before any other event, after the stored fields and the
        /// migrations.
        init "init"
        /// Declares a typed remote method.
        rpc "rpc"
        /// Declares a route for `GET`.
        get "routes"
        /// Declares a route for `POST`.
        post "routes"
        /// Declares a route for `PUT`.
        put "routes"
        /// Declares a route for `PATCH`.
        patch "routes"
        /// Declares a route for `DELETE`.
        delete "routes"
        /// Declares a named schedule.
        alarm "alarm"
        /// Declares an upgrade route, which accepts a socket or refuses it.
        websocket "websocket"
        /// Declares a method that receives the messages of a socket.
        message "socket_events"
        /// Declares a method that runs after a socket was closed.
        close "socket_events"
        /// Declares a method that runs after a socket failed.
        error "socket_events"
    }
    Field {
        /// Declares a field that may be lost when the object leaves memory.
        memory "memory"
        /// Sets the key and the default of a durable field.
        stored "stored"
    }
    Argument {
        /// Decodes the whole body of a request into this argument.
        body "arguments"
        /// Decodes the whole query string into this argument.
        query "arguments"
    }
}

/// Every attribute returns through here. Prints the expansion if `ANCHORHOLD_DUMP` is set.
fn emit(result: Result<proc_macro2::TokenStream, Failure>) -> TokenStream {
    let tokens = result.unwrap_or_else(Failure::into_tokens);
    if std::env::var_os("ANCHORHOLD_DUMP").is_some() {
        eprintln!("{tokens}\n");
    }
    tokens.into()
}
