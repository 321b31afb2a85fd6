//! The expansion of an item with errors: the item itself, and enough of the generated API that no
//! other code fails because of it.
//!
//! It works from the raw syntax alone, because there is no model for an invalid item.

mod sized;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{DeriveInput, FnArg, Generics, Pat, Path, ReturnType, Type, Visibility};

use crate::expand::{
    in_block, named, private_at, quiet, schedule_structure, schedule_type, stub_path, stub_type,
};
use crate::model::{
    Borrow, arguments_of, first_borrow, is_named, is_of_std, is_owned_by_name, is_plain_value,
    is_refused_by_rustc, is_unit, named_type, opaque_type, ungroup,
};
use crate::names::unraw;
use crate::parse::{
    RawFunction, RawImpl, RawMethod, RawStruct, RoleName, UnreadableStruct, pattern_name,
    resolve_self, without_attributes_of_parts,
};

pub fn of_struct(raw: &RawStruct, krate: &Path) -> TokenStream {
    let mut item = raw.item.clone();
    sized::borrow_unsized_fields(&mut item);
    let support = struct_support(&item.vis, &item.ident, &item.generics, krate, &never());
    let named = in_block(krate, &[], named(raw.attribute_names()));
    quote!(#item #support #named)
}

/// Generates the body of code that an error keeps from running.
fn never() -> TokenStream {
    quote!(::core::unreachable!())
}

/// Emits the item unchanged: rustc then reports its fields again, but shows the error only once. If
/// rustc can read them after all, the build fails.
pub fn of_unreadable(raw: &UnreadableStruct, krate: &Path) -> TokenStream {
    let load = quote! {
        const {
            ::core::panic!("`#[durable_object]` cannot read the fields of this struct: their syntax is newer than it")
        }
    };
    let support = struct_support(&raw.visibility, &raw.name, &raw.generics, krate, &load);
    let item = &raw.item;
    quote!(#item #support)
}

/// Emits an enum or a union with the same support code, because its impl block expects that.
pub fn of_other(item: &TokenStream, krate: &Path) -> TokenStream {
    let support = syn::parse2::<DeriveInput>(item.clone())
        .map(|input| struct_support(&input.vis, &input.ident, &input.generics, krate, &never()))
        .unwrap_or_default();
    let item = without_attributes_of_parts(item.clone(), krate);
    quote!(#item #support)
}

fn struct_support(
    visibility: &Visibility,
    name: &Ident,
    generics: &Generics,
    krate: &Path,
    load: &TokenStream,
) -> TokenStream {
    if !generics.params.is_empty() {
        let (parameters, arguments, where_clause) = generics.split_for_impl();
        return in_block(
            krate,
            &[],
            quote! {
                impl #parameters __anchored::RefusedAsGeneric for #name #arguments #where_clause {}
            },
        );
    }
    let stub = stub_type(krate, &[], None, visibility, name);
    let support = in_block(
        krate,
        &[],
        quote! {
            impl __anchored::StoredFields for #name {
                const KEYS: &'static [&'static ::core::primitive::str] = &[];
                const MIGRATIONS: &'static [&'static ::core::primitive::str] = &[];

                fn load(
                    _: &mut __anchored::FieldStore,
                ) -> ::core::result::Result<Self, __anchorhold::StorageError> {
                    #load
                }

                fn store(
                    &mut self,
                    _: &mut __anchored::FieldStore,
                ) -> ::core::result::Result<(), __anchorhold::StorageError> {
                    ::core::unreachable!()
                }

                fn restore(
                    &mut self,
                    _: &mut __anchored::FieldStore,
                ) -> ::core::result::Result<(), __anchorhold::StorageError> {
                    ::core::unreachable!()
                }
            }
        },
    );
    quote!(#stub #support)
}

pub fn of_impl(mut raw: RawImpl, krate: &Path) -> TokenStream {
    if raw.negative.is_some() {
        // It has no items, and rustc also refuses it.
        return TokenStream::new();
    }
    sized::borrow_unsized(&mut raw);
    for method in raw.handlers_mut() {
        // rustc also refuses `...`.
        method.signature.variadic = None;
    }
    let support = impl_support(&raw, krate).unwrap_or_default();
    let ty = &raw.self_type;
    let may_be_declared_here =
        named_type(ty).is_some() && !is_plain_value(ty) && !is_owned_by_name(ty) && !is_of_std(ty);
    if raw.trait_path.is_none() && !may_be_declared_here {
        // rustc also refuses a block of `&Counter`, `[Counter]`, `u8` or `Vec<u8>`.
        return support;
    }
    quote!(#raw #support)
}

/// Emits the block of a generic struct. The struct's attribute reports the generics. A struct
/// without the attribute is reported here.
pub fn of_generic_impl(raw: &RawImpl, krate: &Path) -> TokenStream {
    let (parameters, _, where_clause) = raw.generics.split_for_impl();
    let check = private_at(
        &raw.self_type,
        &quote!(assert_refused_as_generic),
        &raw.self_type.to_token_stream(),
        &quote!(();),
    );
    let named = named(raw.attribute_names());
    let support = in_block(
        krate,
        &[],
        quote! {
            #named
            fn __check #parameters () #where_clause {
                #check
            }
        },
    );
    quote!(#raw #support)
}

/// Returns `Counter` for `&Counter`, `[Counter]` and `Box<Counter>`.
fn inner_type(ty: &Type) -> &Type {
    match ungroup(ty) {
        Type::Reference(reference) => inner_type(&reference.elem),
        Type::Slice(slice) => inner_type(&slice.elem),
        other if is_of_std(other) => match arguments_of(other).first() {
            Some(first) => inner_type(first),
            None => other,
        },
        other => other,
    }
}

/// Returns `None` if the block is not the object's own.
fn impl_support(raw: &RawImpl, krate: &Path) -> Option<TokenStream> {
    if raw.trait_path.is_some() {
        return None;
    }
    let inner = inner_type(&raw.self_type);
    if is_plain_value(inner) || is_owned_by_name(inner) || is_of_std(inner) {
        return None;
    }
    let path = named_type(inner)?;
    let name = &path.segments.last()?.ident;
    let stub = stub_path(path);
    let mut handlers: Vec<&RawMethod> = Vec::new();
    for method in raw.handlers() {
        if !handlers
            .iter()
            .any(|known| unraw(&known.signature.ident) == unraw(&method.signature.ident))
        {
            handlers.push(method);
        }
    }
    let with_role = |wanted| {
        handlers
            .iter()
            .copied()
            .filter(move |method| method.roles.iter().any(|role| role.name == wanted))
    };
    let stub_methods = with_role(RoleName::Rpc).map(|method| stub_method(method, path));
    let alarms: Vec<&RawMethod> = with_role(RoleName::Alarm).collect();
    let is_taken = raw
        .helpers
        .iter()
        .chain(handlers.iter().map(|method| &method.signature.ident))
        .any(|method| method == "schedules");
    let schedules = if is_taken {
        TokenStream::new()
    } else {
        schedules(name, path, &alarms, krate)
    };
    let class = unraw(name);
    let named = named(raw.attribute_names());
    let support = in_block(
        krate,
        &[],
        quote! {
            #named

            impl #stub {
                #(#stub_methods)*
            }

            impl __anchorhold::DurableObject for #path {
                const CLASS: &'static ::core::primitive::str = #class;
                type Stub = #stub;

                fn __description() -> &'static __anchored::Description {
                    ::core::unreachable!()
                }
            }
        },
    );
    Some(quote!(#schedules #support))
}

fn stub_method(method: &RawMethod, path: &Path) -> TokenStream {
    let name = quiet(&method.signature.ident);
    let (generics, _, where_clause) = method.signature.generics.split_for_impl();
    let parameters = parameters(method, path);
    let output = match &method.signature.output {
        ReturnType::Type(_, ty) if opaque_type(ty).is_none() && !is_refused_by_rustc(ty) => {
            output(&resolve_self(ty, path), &method.signature.generics)
        }
        _ => quote!(::core::result::Result<(), __anchorhold::CallError>),
    };
    quote! {
        pub fn #name #generics (
            &self,
            #(#parameters),*
        ) -> impl ::core::future::Future<Output = #output> #where_clause {
            ::core::future::pending()
        }
    }
}

fn output(ty: &Type, generics: &Generics) -> TokenStream {
    match first_borrow(ty) {
        // An error about the hidden lifetime would be a second one.
        Some(Borrow::Cow(_)) => {
            return quote!(::core::result::Result<(), __anchorhold::CallError>);
        }
        Some(Borrow::Reference(_)) => {
            return quote!(::core::result::Result<#ty, __anchorhold::CallError>);
        }
        Some(Borrow::Lifetime(_)) | None => {}
    }
    if is_unit(ty) || is_plain_value(ty) || !generics.params.is_empty() {
        return quote!(::core::result::Result<#ty, __anchorhold::CallError>);
    }
    let is_result = quote!({ __anchored::Probe::<#ty>::__IS_RESULT });
    quote! {
        ::core::result::Result<
            __anchored::ValueOf<#ty, #is_result>,
            __anchorhold::CallError<__anchored::ErrorOf<#ty, #is_result>>,
        >
    }
}

/// Returns what a caller passes: everything except the context and what only an event provides.
fn parameters(method: &RawMethod, path: &Path) -> Vec<TokenStream> {
    let runs = method.roles.iter().any(|role| role.name == RoleName::Alarm);
    method
        .signature
        .inputs
        .iter()
        .enumerate()
        .filter_map(|(position, input)| {
            let FnArg::Typed(argument) = input else {
                return None;
            };
            if is_provided(&argument.ty, runs) {
                return None;
            }
            let name = parameter_name(&argument.pat, position);
            if is_refused_by_rustc(&argument.ty) {
                return Some(quote!(#name: impl ::core::marker::Sized));
            }
            let ty = resolve_self(&argument.ty, path);
            Some(quote!(#name: #ty))
        })
        .collect()
}

fn is_provided(ty: &Type, runs: bool) -> bool {
    match ungroup(ty) {
        Type::Reference(reference) => {
            let referred = &reference.elem;
            named_type(referred).is_some()
                && !is_plain_value(referred)
                && !is_owned_by_name(referred)
                && !is_named(referred, "str")
        }
        other => is_named(other, "Ctx") || (runs && is_named(other, "AlarmRun")),
    }
}

fn parameter_name(pattern: &Pat, position: usize) -> Ident {
    pattern_name(pattern).map_or_else(|| format_ident!("argument_{position}"), quiet)
}

fn schedules(name: &Ident, path: &Path, alarms: &[&RawMethod], krate: &Path) -> TokenStream {
    if alarms.is_empty() {
        return TokenStream::new();
    }
    let schedules = schedule_type(name);
    let methods = alarms
        .iter()
        .filter(|method| {
            // Two alarms may need the same name, which was reported.
            let name = unraw(&method.signature.ident);
            !alarms.iter().any(|other| {
                let other = unraw(&other.signature.ident);
                name == format!("cancel_{other}") || name == format!("next_{other}")
            })
        })
        .map(|method| schedule_methods(method, path));
    let support = in_block(
        krate,
        &[],
        quote! {
            impl #path {
                pub fn schedules(ctx: &__anchorhold::Ctx) -> #schedules<'_> {
                    #schedules(ctx)
                }
            }

            impl<'a> #schedules<'a> {
                #(#methods)*
            }
        },
    );
    let structure = schedule_structure(krate, &[], &TokenStream::new(), &schedules);
    quote!(#structure #support)
}

fn schedule_methods(method: &RawMethod, path: &Path) -> TokenStream {
    let name = quiet(&method.signature.ident);
    let cancel = quiet(&format_ident!(
        "cancel_{}",
        unraw(&name),
        span = name.span()
    ));
    let next = quiet(&format_ident!("next_{}", unraw(&name), span = name.span()));
    let (generics, _, where_clause) = method.signature.generics.split_for_impl();
    let parameters = parameters(method, path);
    quote! {
        pub fn #name #generics (
            &self,
            #(#parameters),*
        ) -> __anchorhold::Scheduling<'a> #where_clause {
            ::core::unreachable!()
        }

        pub fn #cancel(
            &self,
            _: &::core::primitive::str,
        ) -> ::core::result::Result<::core::primitive::bool, __anchorhold::StorageError> {
            ::core::unreachable!()
        }

        pub fn #next(
            &self,
            _: &::core::primitive::str,
        ) -> ::core::result::Result<
            ::core::option::Option<__anchorhold::Timestamp>,
            __anchorhold::StorageError,
        > {
            ::core::unreachable!()
        }
    }
}

/// Emits the function without a dead-code warning, and without a receiver, which rustc would also
/// refuse.
pub fn of_test(mut raw: RawFunction) -> TokenStream {
    let inputs = std::mem::take(&mut raw.signature.inputs);
    raw.signature.inputs = inputs
        .into_iter()
        .filter(|input| matches!(input, FnArg::Typed(_)))
        .collect();
    quote!(#[allow(dead_code)] #raw)
}
