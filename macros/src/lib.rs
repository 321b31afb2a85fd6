//! The attributes of anchorhold. Use them through the `anchorhold` crate, which documents and re-exports them.
//!
//! The pages of the attributes are sections of `docs/attributes.md`, which `anchorhold` tests: here they are none of
//! the examples.
//!
//! `lib` → `driver` → `parse` → `model` → `check` → `expand`, or `fallback` if an error was reported.

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

/// These only have a meaning inside an object, whose attribute strips them before they expand. They are macros so that
/// editors and rustdoc know them, and so that misplaced ones can be reported.
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
        /// A method that runs before any other event, after the stored fields and the migrations.
        init "init"
        /// A typed remote method.
        rpc "rpc"
        /// A route for `GET`.
        get "routes"
        /// A route for `POST`.
        post "routes"
        /// A route for `PUT`.
        put "routes"
        /// A route for `PATCH`.
        patch "routes"
        /// A route for `DELETE`.
        delete "routes"
        /// A named schedule.
        alarm "alarm"
        /// An upgrade route, which accepts a socket or refuses it.
        websocket "websocket"
        /// A method that receives the messages of a socket.
        message "socket_events"
        /// A method that runs when a socket was closed.
        close "socket_events"
        /// A method that runs when a socket failed.
        error "socket_events"
    }
    Field {
        /// A field that may be forgotten when the object leaves memory.
        memory "memory"
        /// The key and the default of a durable field.
        stored "stored"
    }
    Argument {
        /// An argument that the whole body of a request is decoded into.
        body "arguments"
        /// An argument that the whole query string is decoded into.
        query "arguments"
    }
}

/// Every attribute returns through here. With `ANCHORHOLD_DUMP` set, what it expands to is printed.
fn emit(result: Result<proc_macro2::TokenStream, Failure>) -> TokenStream {
    let tokens = result.unwrap_or_else(Failure::into_tokens);
    if std::env::var_os("ANCHORHOLD_DUMP").is_some() {
        eprintln!("{tokens}\n");
    }
    tokens.into()
}
