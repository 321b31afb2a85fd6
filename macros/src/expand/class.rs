//! The JavaScript class that the platform instantiates.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::lints;
use crate::model::{Behaviour, Handler};
use crate::names::{camel_case, plain, screaming_snake_case};

pub fn class(behaviour: &Behaviour<'_>) -> TokenStream {
    let path = behaviour.path;
    let class = format_ident!("{}", plain(behaviour.class));
    let exported = format_ident!("{class}Class");
    let start = format_ident!(
        "{}_start",
        screaming_snake_case(&class.to_string()).to_lowercase()
    );
    let methods = behaviour
        .handlers
        .iter()
        .filter(|handler| handler.roles.rpc.is_some())
        .enumerate()
        .map(|(index, handler)| method(index, handler));
    let lints = lints();
    quote! {
        #[cfg(target_arch = "wasm32")]
        #lints
        const _: () = {
            use ::anchorhold::__private::wasm_bindgen;
            use ::anchorhold::__private::wasm_bindgen::JsValue;

            #[wasm_bindgen::prelude::wasm_bindgen(
                js_name = #class,
                wasm_bindgen = ::anchorhold::__private::wasm_bindgen
            )]
            pub struct #exported(::anchorhold::__private::ObjectClass);

            #[wasm_bindgen::prelude::wasm_bindgen(
                js_class = #class,
                wasm_bindgen = ::anchorhold::__private::wasm_bindgen
            )]
            impl #exported {
                #[wasm_bindgen(constructor)]
                pub fn new(
                    state: JsValue,
                    env: JsValue,
                ) -> ::core::result::Result<#exported, JsValue> {
                    ::core::result::Result::Ok(#exported(
                        ::anchorhold::__private::ObjectClass::new(
                            <#path as ::anchorhold::DurableObject>::__description(),
                            state,
                            env,
                        )?,
                    ))
                }

                #[wasm_bindgen(js_name = fetch)]
                pub fn fetch(
                    &self,
                    request: JsValue,
                    line: &str,
                    chain: ::core::option::Option<::std::string::String>,
                    body: ::core::option::Option<::std::vec::Vec<u8>>,
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
                wasm_bindgen = ::anchorhold::__private::wasm_bindgen
            )]
            pub fn #start() -> ::core::result::Result<(), JsValue> {
                ::anchorhold::__private::extend_durable_object(
                    ::core::convert::Into::into(
                        #exported(::anchorhold::__private::ObjectClass::empty()),
                    ),
                    <#path as ::anchorhold::DurableObject>::__description(),
                )
            }
        };
    }
}

fn method(index: usize, handler: &Handler<'_>) -> TokenStream {
    let function = format_ident!("rpc_{index}");
    let javascript_name = format_ident!("{}", camel_case(&plain(handler.name)));
    let count = handler
        .arguments
        .iter()
        .filter(|argument| argument.passing().is_some())
        .count();
    let arguments: Vec<_> = (0..count)
        .map(|position| format_ident!("a{position}"))
        .collect();
    quote! {
        #[wasm_bindgen(js_name = #javascript_name)]
        pub fn #function(
            &self,
            #(#arguments: JsValue),*
        ) -> ::core::result::Result<JsValue, JsValue> {
            self.0.rpc(#index, ::std::vec![#(#arguments),*])
        }
    }
}
