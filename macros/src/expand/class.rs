//! The JavaScript class that the platform instantiates.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::exported::{module, path_check};
use super::tokens::imports;
use crate::model::{Handler, ObjectImpl};
use crate::names::{camel_case, unraw};

pub fn class(block: &ObjectImpl<'_>) -> TokenStream {
    let path = block.path;
    let krate = block.krate;
    let conditions = block.conditions();
    let class = format_ident!("{}", block.class);
    let exported = format_ident!("{class}Class");
    // This symbol cannot equal that of a method: the glue joins a class and a method in camel case
    // with one `_`.
    let start = format_ident!("anchorhold_start_{}", block.class.to_lowercase());
    let methods = block.methods().enumerate().map(method);
    let items = quote! {
        #[wasm_bindgen::prelude::wasm_bindgen(
            js_name = #class,
            wasm_bindgen = __anchorhold::__private::wasm_bindgen
        )]
        pub struct #exported(__anchorhold::__private::ObjectClass);

        #[wasm_bindgen::prelude::wasm_bindgen(
            js_class = #class,
            wasm_bindgen = __anchorhold::__private::wasm_bindgen
        )]
        impl #exported {
            #[wasm_bindgen(constructor)]
            pub fn anchorhold_new(
                state: JsValue,
                env: JsValue,
            ) -> ::core::result::Result<#exported, JsValue> {
                ::core::result::Result::Ok(#exported(
                    __anchorhold::__private::ObjectClass::new(
                        <#exported as __anchorhold::__private::Exported>::description(),
                        state,
                        env,
                    )?,
                ))
            }

            #[wasm_bindgen(js_name = fetch)]
            pub fn fetch(
                &self,
                request: JsValue,
                line: &::core::primitive::str,
                chain: ::core::option::Option<__anchorhold::__private::std::String>,
                body: ::core::option::Option<__anchorhold::__private::std::Vec<::core::primitive::u8>>,
            ) -> ::core::result::Result<JsValue, JsValue> {
                self.0.fetch(request, line, chain, body)
            }

            #[wasm_bindgen(js_name = alarm)]
            pub fn alarm(&self, info: JsValue) -> ::core::result::Result<JsValue, JsValue> {
                self.0.alarm(info)
            }

            #[wasm_bindgen(js_name = webSocketMessage)]
            pub fn web_socket_message(
                &self,
                socket: JsValue,
                message: JsValue,
            ) -> ::core::result::Result<JsValue, JsValue> {
                self.0.web_socket_message(socket, message)
            }

            #[wasm_bindgen(js_name = webSocketClose)]
            pub fn web_socket_close(
                &self,
                socket: JsValue,
                code: JsValue,
                reason: JsValue,
                clean: JsValue,
            ) -> ::core::result::Result<JsValue, JsValue> {
                self.0.web_socket_close(socket, code, reason, clean)
            }

            #[wasm_bindgen(js_name = webSocketError)]
            pub fn web_socket_error(
                &self,
                socket: JsValue,
                error: JsValue,
            ) -> ::core::result::Result<JsValue, JsValue> {
                self.0.web_socket_error(socket, error)
            }

            #[wasm_bindgen(js_name = anchorholdCall)]
            pub fn anchorhold_call(
                &self,
                method: JsValue,
                arguments: JsValue,
                chain: JsValue,
            ) -> ::core::result::Result<JsValue, JsValue> {
                self.0.call(method, arguments, chain)
            }

            #(#methods)*
        }

        #[wasm_bindgen::prelude::wasm_bindgen(
            start,
            private,
            wasm_bindgen = __anchorhold::__private::wasm_bindgen
        )]
        pub fn #start() -> ::core::result::Result<(), JsValue> {
            __anchorhold::__private::extend_durable_object(
                ::core::convert::Into::into(
                    #exported(__anchorhold::__private::ObjectClass::empty()),
                ),
                <#exported as __anchorhold::__private::Exported>::description(),
            )
        }
    };
    let module = module(krate, &items);
    let imports = imports(krate);
    let path_check = path_check(krate, &conditions);
    quote! {
        #path_check

        #(#conditions)*
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #imports

            #module

            impl __anchorhold::__private::Exported for __exported::items::#exported {
                fn description() -> &'static __anchorhold::__private::Description {
                    <#path as __anchorhold::DurableObject>::__description()
                }
            }
        };
    }
}

/// Generates method number `index` of the table, which lists the same methods in the same order.
fn method((index, handler): (usize, &Handler<'_>)) -> TokenStream {
    let function = format_ident!("rpc_{index}");
    let javascript_name = format_ident!("{}", camel_case(&unraw(handler.name)));
    let arguments: Vec<_> = handler
        .values()
        .map(|argument| format_ident!("a{}", argument.wire_index))
        .collect();
    quote! {
        #[wasm_bindgen(js_name = #javascript_name)]
        pub fn #function(
            &self,
            #(#arguments: JsValue),*
        ) -> ::core::result::Result<JsValue, JsValue> {
            self.0.rpc(
                #index,
                <__anchorhold::__private::std::Vec<JsValue> as ::core::convert::From<_>>::from(
                    [#(#arguments),*],
                ),
            )
        }
    }
}
