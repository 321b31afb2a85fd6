//! `#[anchorhold::test]`: an ordinary test that runs its body in the simulator.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{LitInt, Path, ReturnType};

use super::tokens::respan;
use crate::function::TestOptions;
use crate::model::{is_unit, opaque_type};
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
    let (output, run) = match &signature.output {
        ReturnType::Type(_, ty) if !is_unit(ty) && opaque_type(ty).is_none() => {
            // Reports a type that no test can return at its span, and only once, because the
            // harness does not see it.
            let open = respan(quote!(report_test::<_,), ty.span());
            let close = respan(quote!(>), ty.span());
            (
                quote!(-> #krate::__private::std::ExitCode),
                quote!(#krate::__private::#open #ty #close),
            )
        }
        output => (
            output.to_token_stream(),
            quote!(#krate::__private::run_test),
        ),
    };
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
    // The inner function keeps the user's signature, so that a wrong type is reported at its span.
    quote! {
        #(#attributes)*
        #[::core::prelude::v1::test]
        #visibility fn #name() #output {
            #signature #body

            #run(
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
