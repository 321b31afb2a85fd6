//! The module with the items exported to JavaScript.
//!
//! `wasm-bindgen` generates code that names `str`, `Some` and variables such as `value`. The user's
//! items can have all of these names. A module does not see the user's names. It does not see the
//! object either if that is declared in a function. So it only declares a type, and a trait is
//! implemented for that type outside the module.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

/// Returns a module whose inner one, `__exported::items`, imports the runtime as `__anchorhold`,
/// `wasm_bindgen` and `JsValue`.
pub fn module(krate: &Path, items: &TokenStream) -> TokenStream {
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
            use #outside #krate as __anchorhold;

            pub mod items {
                use super::__anchorhold;
                use super::__anchorhold::__private::wasm_bindgen::{self, JsValue};
                // Missing under `no_implicit_prelude`, which modules inherit.
                use super::__anchorhold::__private::std::prelude::*;

                #items
            }
        }
    }
}
