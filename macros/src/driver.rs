//! The stages in order. Each one runs only on what the one before it found whole.

use proc_macro2::TokenStream;
use quote::ToTokens;

use crate::attr::Arguments;
use crate::diag::{Diagnostics, Errors};
use crate::model::{Behaviour, Object};
use crate::parse::{RawFunction, RawImpl, RawItem, RawObject, RawStruct};
use crate::{check, expand, fallback, function};

pub fn durable_object(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Failure> {
    match syn::parse2(item)? {
        RawObject::Struct(raw) => {
            object(arguments, &raw).map_err(|errors| errors.with(fallback::object(&raw)))
        }
        RawObject::Impl(raw) if fallback::is_generic(&raw) && raw.trait_path.is_none() => {
            Ok(fallback::behaviour(&raw))
        }
        RawObject::Impl(raw) => {
            behaviour(arguments, &raw).map_err(|errors| errors.with(fallback::behaviour(&raw)))
        }
        RawObject::Other(item) => {
            let error = syn::Error::new_spanned(
                first_line(&item),
                "an object is a struct with named fields and one impl block: put `#[durable_object]` on `struct Counter { … }` and on `impl Counter { … }`",
            );
            Err(Errors::from(error).with(fallback::other(&item)))
        }
    }
}

fn object(arguments: TokenStream, raw: &RawStruct) -> Result<TokenStream, Errors> {
    let diagnostics = Diagnostics::new();
    let arguments = diagnostics.keep(Arguments::of_macro(
        arguments,
        "#[durable_object(migrations = [\"CREATE TABLE …\"])]",
    ));
    let model = arguments.and_then(|arguments| Object::from_raw(&diagnostics, arguments, raw));
    diagnostics.finish()?;
    let model = model.expect("a model without errors is whole");

    let diagnostics = Diagnostics::new();
    check::object(&diagnostics, &model);
    diagnostics.finish()?;

    Ok(expand::object(&model))
}

fn behaviour(arguments: TokenStream, raw: &RawImpl) -> Result<TokenStream, Errors> {
    let diagnostics = Diagnostics::new();
    function::no_options(
        &diagnostics,
        arguments,
        "durable_object",
        "on the impl block; `migrations` stand on the struct",
    );
    let model = Behaviour::from_raw(&diagnostics, raw);
    diagnostics.finish()?;
    let model = model.expect("a model without errors is whole");

    let diagnostics = Diagnostics::new();
    check::behaviour(&diagnostics, &model);
    diagnostics.finish()?;

    Ok(expand::behaviour(&model))
}

pub fn app(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Failure> {
    let raw: RawFunction = syn::parse2(item)?;
    let diagnostics = Diagnostics::new();
    function::check_app(&diagnostics, arguments, &raw);
    match diagnostics.finish() {
        Ok(()) => Ok(expand::app(&raw)),
        Err(errors) => Err(errors.with(raw.into_token_stream())),
    }
}

pub fn test(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Failure> {
    let raw: RawFunction = syn::parse2(item)?;
    let diagnostics = Diagnostics::new();
    let options = function::check_test(&diagnostics, arguments, &raw);
    match diagnostics.finish() {
        Ok(()) => Ok(expand::test(&raw, &options)),
        Err(errors) => Err(errors.with(fallback::test(&raw))),
    }
}

/// Our attribute outside a `#[durable_object]` impl block. The others on the same item are taken off: it is one mistake.
pub fn misplaced(attribute: &str, item: TokenStream) -> Failure {
    let item = match syn::parse2::<RawItem>(item.clone()) {
        Ok(RawItem::Handler(method)) => method.into_token_stream(),
        Ok(RawItem::Other(_)) | Err(_) => item,
    };
    let error = syn::Error::new(
        proc_macro2::Span::call_site(),
        format!("`#[{attribute}]` belongs on a method inside a `#[durable_object] impl` block"),
    );
    Errors::from(error).with(item)
}

/// The signature of an item: an error about the whole of it should not underline its body.
fn first_line(item: &TokenStream) -> TokenStream {
    item.clone()
        .into_iter()
        .skip_while(|token| {
            matches!(token, proc_macro2::TokenTree::Punct(punct) if punct.as_char() == '#')
                || matches!(token, proc_macro2::TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Bracket)
        })
        .take_while(|token| !matches!(token, proc_macro2::TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace))
        .collect()
}

/// The errors, and what stands in for the item meanwhile.
pub struct Failure {
    errors: Errors,
    fallback: TokenStream,
}

impl Errors {
    fn with(self, fallback: TokenStream) -> Failure {
        Failure {
            errors: self,
            fallback,
        }
    }
}

impl From<syn::Error> for Failure {
    fn from(error: syn::Error) -> Self {
        Errors::from(error).with(TokenStream::new())
    }
}

impl Failure {
    pub fn into_tokens(self) -> TokenStream {
        let mut tokens = self.fallback;
        tokens.extend(self.errors.into_compile_errors());
        tokens
    }
}
