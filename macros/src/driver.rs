//! The stages in order. Each stage runs only if the one before it reported no errors.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{FnArg, Path, ReturnType, Signature, Type};

use crate::attr::Arguments;
use crate::diag::{Errors, Failure, stage};
use crate::model::{
    Object, ObjectImpl, is_of_std, is_refused_by_rustc, names_generic_struct, opaque_type,
};
use crate::parse::{
    Misplaced, Place, RawFunction, RawImpl, RawObject, RawStruct, signature_tokens,
};
use crate::{check, expand, fallback, function};

const OBJECT: &str = "#[durable_object(migrations = [\"CREATE TABLE …\"])]";

/// The arguments of an attribute, with the path of this framework taken from them.
struct Invocation {
    arguments: syn::Result<Arguments>,
    krate: Path,
}

impl Invocation {
    /// Reads the arguments. An error in them is reported together with the item's own. Until then
    /// the usual path is used.
    fn read(tokens: TokenStream, shape: &str) -> Self {
        let mut arguments = Arguments::of_macro(tokens, shape);
        let option = match &mut arguments {
            Ok(arguments) => arguments.take("crate"),
            Err(_) => None,
        };
        let krate = match option.map(|option| option.path("crate = my_crate::anchorhold")) {
            None => expand::usual_path(),
            Some(Ok(path)) => path,
            Some(Err(error)) => {
                arguments = Err(error);
                expand::usual_path()
            }
        };
        Self { arguments, krate }
    }
}

pub fn durable_object(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Failure> {
    let Invocation { arguments, krate } = Invocation::read(arguments, OBJECT);
    let krate = &krate;
    match RawObject::parse(item.clone(), krate) {
        Ok(RawObject::Struct(raw)) => match expand_struct(arguments, &raw, krate) {
            // rustc reports a `_`, `impl Trait`, `!` or an undeclared lifetime. Expanding them
            // would add many errors.
            Ok(_)
                if raw
                    .item
                    .fields
                    .iter()
                    .any(|field| is_refused_in_a_field(&field.ty)) =>
            {
                Ok(fallback::of_struct(&raw, krate))
            }
            Ok(tokens) => Ok(tokens),
            Err(errors) => Err(errors.with(fallback::of_struct(&raw, krate))),
        },
        Ok(RawObject::Impl(raw))
            if raw.trait_path.is_none()
                && names_generic_struct(&raw.self_type)
                && !is_of_std(&raw.self_type) =>
        {
            Ok(fallback::of_generic_impl(&raw, krate))
        }
        Ok(RawObject::Impl(raw)) => match expand_impl(arguments, &raw, krate) {
            // rustc reports what it refuses. Expanding it would add many errors.
            Ok(_)
                if raw
                    .handlers()
                    .any(|method| signature_is_refused(&method.signature)) =>
            {
                Ok(fallback::of_impl(*raw, krate))
            }
            Ok(tokens) => Ok(tokens),
            Err(errors) => Err(errors.with(fallback::of_impl(*raw, krate))),
        },
        Ok(RawObject::Unreadable(raw)) => Ok(fallback::of_unreadable(&raw, krate)),
        Ok(RawObject::Other(item)) => {
            let error = syn::Error::new_spanned(
                signature_tokens(&item),
                "`#[durable_object]` can only be applied to a struct with named fields and to its impl block\nhelp: put it on `struct Counter { … }` and on `impl Counter { … }`",
            );
            Err(Errors::from(error).with(fallback::of_other(&item, krate)))
        }
        Err(error) => Err(Errors::from(error).with(item)),
    }
}

fn is_refused_in_a_field(ty: &Type) -> bool {
    is_refused_by_rustc(ty) || opaque_type(ty).is_some()
}

fn signature_is_refused(signature: &Signature) -> bool {
    let is_refused = |input: &FnArg| match input {
        FnArg::Typed(argument) => is_refused_by_rustc(&argument.ty),
        FnArg::Receiver(_) => false,
    };
    signature.inputs.iter().any(is_refused)
        || matches!(&signature.output, ReturnType::Type(_, ty) if is_refused_by_rustc(ty))
}

fn expand_struct(
    arguments: syn::Result<Arguments>,
    raw: &RawStruct,
    krate: &Path,
) -> Result<TokenStream, Errors> {
    let model = stage(|diagnostics| {
        Object::from_raw(
            diagnostics,
            diagnostics.ok_or_report(arguments)?,
            raw,
            krate,
        )
    })?;
    stage(|diagnostics| {
        check::check_struct(diagnostics, &model);
        Some(())
    })?;
    Ok(expand::expand_struct(&model))
}

fn expand_impl(
    arguments: syn::Result<Arguments>,
    raw: &RawImpl,
    krate: &Path,
) -> Result<TokenStream, Errors> {
    let model = stage(|diagnostics| {
        ObjectImpl::from_raw(
            diagnostics,
            diagnostics.ok_or_report(arguments)?,
            raw,
            krate,
        )
    })?;
    stage(|diagnostics| {
        check::check_impl(diagnostics, &model);
        Some(())
    })?;
    Ok(expand::expand_impl(&model))
}

pub fn app(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Failure> {
    let Invocation { arguments, krate } = Invocation::read(arguments, "#[anchorhold::app]");
    let raw = read_function(item, "app", function::APP_SHAPE)?;
    stage(|diagnostics| {
        function::check_app(diagnostics, diagnostics.ok_or_report(arguments)?, &raw);
        Some(())
    })
    .map_err(|errors| errors.with(raw.to_token_stream()))?;
    Ok(expand::app(&raw, &krate))
}

pub fn test(arguments: TokenStream, item: TokenStream) -> Result<TokenStream, Failure> {
    let Invocation { arguments, krate } = Invocation::read(
        arguments,
        "#[anchorhold::test(seeds = 100, faults = Faults::all())]",
    );
    let raw = read_function(item, "test", function::TEST_SHAPE)?;
    let options = stage(|diagnostics| {
        function::check_test(diagnostics, diagnostics.ok_or_report(arguments)?, &raw)
    });
    match options {
        Ok(options) => Ok(expand::test(&raw, &options, &krate)),
        Err(errors) => Err(errors.with(fallback::of_test(raw))),
    }
}

/// Reads a function. Any other item is emitted unchanged beside the error.
fn read_function(item: TokenStream, attribute: &str, shape: &str) -> Result<RawFunction, Failure> {
    syn::parse2(item.clone()).map_err(|_| {
        let error = syn::Error::new_spanned(
            signature_tokens(&item),
            format!("`#[anchorhold::{attribute}]` belongs on a function\nhelp: write {shape}"),
        );
        Errors::from(error).with(item)
    })
}

/// Reports an attribute of an object's parts outside an object. Strips the other ones on the item,
/// so that this is reported once.
pub fn misplaced(attribute: &str, place: Place, item: TokenStream) -> Failure {
    let Misplaced { item, has_receiver } = Misplaced::read(item, &syn::parse_quote!(anchorhold));
    let mut message = place.message(attribute);
    if place == Place::Method && has_receiver {
        message.push_str(&format!(
            "\nhelp: put `#[durable_object]` on the impl block, of which an object has one; inside it, write `#[{attribute}]` or `#[anchorhold::{attribute}]`, since a renamed attribute or one from a macro is not recognised"
        ));
    }
    let error = syn::Error::new(proc_macro2::Span::call_site(), message);
    Errors::from(error).with(item)
}
