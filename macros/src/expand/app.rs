//! `#[anchorhold::app]`: the function is kept, and the Worker's entry calls it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Path, ReturnType};

use super::exported::{module, path_check};
use super::tokens::{imports, in_block, private_at};
use crate::parse::RawFunction;

pub fn app(function: &RawFunction, krate: &Path) -> TokenStream {
    let name = &function.signature.ident;
    let conditions: Vec<_> = function
        .attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .collect();
    let check = match &function.signature.output {
        ReturnType::Type(_, ty) => {
            let check = private_at(ty, &quote!(assert_app), &quote!(#ty), &quote!(()));
            in_block(krate, &conditions, quote!(const _: () = #check;))
        }
        ReturnType::Default => TokenStream::new(),
    };
    let items = quote! {
        pub struct App;

        #[wasm_bindgen::prelude::wasm_bindgen(
            js_name = fetch,
            wasm_bindgen = __anchorhold::__private::wasm_bindgen
        )]
        pub fn anchorhold_fetch(
            request: JsValue,
            env: JsValue,
            ctx: JsValue,
        ) -> ::core::result::Result<JsValue, JsValue> {
            __anchorhold::__private::worker_fetch(
                <App as __anchorhold::__private::ExportedApp>::app,
                request,
                env,
                ctx,
            )
        }
    };
    let module = module(krate, &items);
    let imports = imports(krate);
    let path_check = path_check(krate, &conditions);
    quote! {
        #function
        #check
        #path_check

        #(#conditions)*
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #imports

            #module

            impl __anchorhold::__private::ExportedApp for __exported::items::App {
                fn app() -> __anchorhold::App {
                    #name()
                }
            }
        };
    }
}
