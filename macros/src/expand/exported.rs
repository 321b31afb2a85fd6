//! The module with the items exported to JavaScript.
//!
//! `wasm-bindgen` generates code that names `str`, `Some` and variables such as `value`. The user's
//! items can have all of these names. A module does not see the user's names. It does not see the
//! object either if that is declared in a function. So it only declares a type, and a trait is
//! implemented for that type outside the module.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Path};

/// Returns a module whose inner one, `__exported::items`, imports the runtime as `__anchorhold`,
/// `wasm_bindgen` and `JsValue`.
pub fn module(krate: &Path, items: &TokenStream) -> TokenStream {
    around(
        krate,
        &quote! {
            pub mod items {
                use super::__anchorhold;
                use super::__anchorhold::__private::wasm_bindgen::{self, JsValue};
                // Missing under `no_implicit_prelude`, which modules inherit.
                use super::__anchorhold::__private::std::prelude::*;

                #items
            }
        },
    )
}

/// Returns the same module without items for the other targets, so that a path which it cannot see
/// is reported there too. A path from the root is visible everywhere.
pub fn path_check(krate: &Path, conditions: &[&Attribute]) -> Option<TokenStream> {
    if krate.leading_colon.is_some() {
        return None;
    }
    let module = around(krate, &TokenStream::new());
    Some(quote! {
        #(#conditions)*
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = { #module };
    })
}

fn around(krate: &Path, inside: &TokenStream) -> TokenStream {
    let starts_outside = krate.leading_colon.is_none()
        && krate
            .segments
            .first()
            .is_some_and(|first| first.ident == "super");
    let outside = starts_outside.then(|| quote!(super::));
    quote! {
        mod __exported {
            // The path of the runtime may begin at an item beside the object.
            use super::*;
            use #outside #krate::__private as __anchored;
            use __anchored::anchorhold as __anchorhold;

            #inside
        }
    }
}
