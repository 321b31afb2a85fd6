//! `#[anchorhold::test]`: an ordinary test that runs its body in the simulator.

use proc_macro2::TokenStream;
use quote::quote;
use syn::LitInt;

use crate::names::plain;
use crate::parse::RawFunction;

pub fn test(function: &RawFunction, seed: Option<&LitInt>) -> TokenStream {
    let RawFunction {
        attributes,
        visibility,
        signature,
        body,
    } = function;
    let name = &signature.ident;
    let label = plain(name);
    let output = &signature.output;
    let seed = seed.map_or(
        quote!(::core::option::Option::None),
        |seed| quote!(::core::option::Option::Some(#seed)),
    );
    // The inner function keeps the user's signature, so that a wrong type is reported where it stands.
    quote! {
        #(#attributes)*
        #[::core::prelude::v1::test]
        #visibility fn #name() #output {
            #signature #body

            ::anchorhold::__private::run_test(
                #seed,
                ::core::concat!(::core::module_path!(), "::", #label),
                #name,
            )
        }
    }
}
