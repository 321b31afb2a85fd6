//! `#[anchorhold::test]`: an ordinary test that runs its body in the simulator.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{LitInt, Path};

use crate::function::TestOptions;
use crate::names::unraw;
use crate::parse::RawFunction;

pub fn test(function: &RawFunction, options: &TestOptions, krate: &Path) -> TokenStream {
    let RawFunction {
        attributes,
        visibility,
        signature,
        body,
    } = function;
    let name = &signature.ident;
    let label = unraw(name);
    let output = &signature.output;
    let given = |number: &Option<LitInt>| match number {
        Some(number) => quote!(::core::option::Option::Some(#number)),
        None => quote!(::core::option::Option::None),
    };
    let (seed, seeds) = (given(&options.seed), given(&options.seeds));
    let faults = match &options.faults {
        Some(faults) => quote!(#faults),
        None => quote!(::core::default::Default::default()),
    };
    let exhaustive = options.exhaustive;
    // The inner function keeps the user's signature, so that a wrong type is reported where it stands.
    quote! {
        #(#attributes)*
        #[::core::prelude::v1::test]
        #visibility fn #name() #output {
            #signature #body

            #krate::__private::run_test(
                #krate::__private::Runs {
                    seed: #seed,
                    seeds: #seeds,
                    faults: #faults,
                    exhaustive: #exhaustive,
                },
                ::core::concat!(::core::module_path!(), "::", #label),
                #name,
            )
        }
    }
}
