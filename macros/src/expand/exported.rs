//! The module of what is exported to JavaScript.
//!
//! `wasm-bindgen` generates code that names `str`, `Some` and variables such as `value`, all of which can be names of the
//! user's. A module sees none of them. Nor does it see the object, if that is declared in a function, so that it only
//! declares a type, for which a trait is implemented outside of it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

/// A module whose inner one, `__exported::items`, has the runtime as `__anchorhold`, `wasm_bindgen` and `JsValue`.
pub fn module(krate: &Path, items: &TokenStream) -> TokenStream {
    let starts_outside = krate.leading_colon.is_none()
        && krate
            .segments
            .first()
            .is_some_and(|first| first.ident == "super");
    let outside = starts_outside.then(|| quote!(super::));
    quote! {
        mod __exported {
            // The path of the runtime may begin at an item that is beside the object.
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
