//! `#[anchorhold::app]`: the function stays, the Worker's entry calls it.

use proc_macro2::TokenStream;
use quote::quote;

use super::lints;
use crate::parse::RawFunction;

pub fn app(function: &RawFunction) -> TokenStream {
    let name = &function.signature.ident;
    let lints = lints();
    quote! {
        #function

        #[cfg(target_arch = "wasm32")]
        #lints
        const _: () = {
            use ::anchorhold::__private::wasm_bindgen;
            use ::anchorhold::__private::wasm_bindgen::JsValue;

            #[wasm_bindgen::prelude::wasm_bindgen(
                js_name = fetch,
                wasm_bindgen = ::anchorhold::__private::wasm_bindgen
            )]
            pub fn anchorhold_fetch(
                request: JsValue,
                env: JsValue,
                ctx: JsValue,
            ) -> ::core::result::Result<JsValue, JsValue> {
                ::anchorhold::__private::worker_fetch(#name, request, env, ctx)
            }
        };
    }
}
