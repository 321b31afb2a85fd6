//! What a mistaken item expands to: the item itself, and enough around it that nothing else fails because of it.
//!
//! It works from the raw syntax alone: the model does not exist where something is wrong.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::visit::Visit;
use syn::{
    DeriveInput, FnArg, GenericArgument, Generics, Pat, Path, PathArguments, ReturnType, Type,
    Visibility,
};

use crate::expand::{lints, outside, stub_path, stub_type};
use crate::model::{is_named, last_segment, named_type};
use crate::names::plain;
use crate::parse::{RawFunction, RawImpl, RawMethod, RawStruct, RoleName, pattern_name};

pub fn object(raw: &RawStruct) -> TokenStream {
    let item = &raw.item;
    let support = object_support(&item.vis, &item.ident, &item.generics);
    quote!(#item #support)
}

/// An enum or a union gets the same, since its impl block expects it.
pub fn other(item: &TokenStream) -> TokenStream {
    let support = syn::parse2::<DeriveInput>(item.clone())
        .map(|input| object_support(&input.vis, &input.ident, &input.generics))
        .unwrap_or_default();
    quote!(#item #support)
}

fn object_support(visibility: &Visibility, name: &Ident, generics: &Generics) -> TokenStream {
    if !generics.params.is_empty() {
        return TokenStream::new();
    }
    let stub = stub_type(visibility, name);
    let lints = lints();
    quote! {
        #stub

        #lints
        const _: () = {
            impl ::anchorhold::__private::StoredFields for #name {
                const KEYS: &'static [&'static ::core::primitive::str] = &[];
                const MIGRATIONS: &'static [&'static ::core::primitive::str] = &[];

                fn load(
                    _: &mut ::anchorhold::__private::FieldStore,
                ) -> ::core::result::Result<Self, ::anchorhold::StorageError> {
                    ::core::unreachable!()
                }

                fn store(
                    &mut self,
                    _: &mut ::anchorhold::__private::FieldStore,
                ) -> ::core::result::Result<(), ::anchorhold::StorageError> {
                    ::core::unreachable!()
                }

                fn restore(
                    &mut self,
                    _: &mut ::anchorhold::__private::FieldStore,
                ) -> ::core::result::Result<(), ::anchorhold::StorageError> {
                    ::core::unreachable!()
                }
            }
        };
    }
}

pub fn behaviour(raw: &RawImpl) -> TokenStream {
    let support = behaviour_support(raw).unwrap_or_default();
    quote!(#raw #support)
}

/// `None`: the block is not the object's own, or the struct itself is refused.
fn behaviour_support(raw: &RawImpl) -> Option<TokenStream> {
    if raw.trait_path.is_some() || is_generic(raw) {
        return None;
    }
    let path = named_type(&raw.self_type)?;
    let class = &path.segments.last()?.ident;
    let stub = stub_path(path);
    let has_role =
        |method: &&RawMethod, wanted| method.roles.iter().any(|role| role.name == wanted);
    let stub_methods = raw
        .handlers()
        .filter(|method| has_role(method, RoleName::Rpc))
        .map(|method| stub_method(method, path));
    let alarms: Vec<&RawMethod> = raw
        .handlers()
        .filter(|method| has_role(method, RoleName::Alarm))
        .collect();
    let schedules = (!alarms.is_empty()).then(|| schedules(class, path, &alarms));
    let class_name = plain(class);
    let lints = lints();
    Some(quote! {
        #schedules

        #lints
        const _: () = {
            impl #stub {
                #(#stub_methods)*
            }

            impl ::anchorhold::DurableObject for #path {
                const CLASS: &'static ::core::primitive::str = #class_name;
                type Stub = #stub;

                fn __description() -> &'static ::anchorhold::__private::Description {
                    ::core::unreachable!()
                }
            }
        };
    })
}

/// Whether the struct has generics: then its own attribute refuses it, and once is enough.
pub fn is_generic(raw: &RawImpl) -> bool {
    !raw.generics.params.is_empty()
        || last_segment(&raw.self_type).is_some_and(|segment| !segment.arguments.is_none())
}

fn stub_method(method: &RawMethod, path: &Path) -> TokenStream {
    let name = &method.signature.ident;
    let (generics, _, where_clause) = method.signature.generics.split_for_impl();
    let parameters = parameters(method, path);
    let output = match &method.signature.output {
        ReturnType::Type(_, ty) if !has_opaque_type(ty) => output(&outside(ty, path)),
        _ => quote!(::core::result::Result<(), ::anchorhold::CallError>),
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

fn output(ty: &Type) -> TokenStream {
    if let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "Result")
        && let PathArguments::AngleBracketed(arguments) = &segment.arguments
    {
        let mut types = arguments.args.iter().filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        });
        if let (Some(value), Some(error)) = (types.next(), types.next()) {
            return quote!(::core::result::Result<#value, ::anchorhold::CallError<#error>>);
        }
        return quote! {
            ::core::result::Result<
                <#ty as ::anchorhold::__private::IsResult>::Value,
                ::anchorhold::CallError<<#ty as ::anchorhold::__private::IsResult>::Error>,
            >
        };
    }
    quote!(::core::result::Result<#ty, ::anchorhold::CallError>)
}

/// `impl Trait` would have to be inferred from a body that is not there.
fn has_opaque_type(ty: &Type) -> bool {
    struct Search(bool);
    impl Visit<'_> for Search {
        fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut search = Search(false);
    search.visit_type(ty);
    search.0
}

/// What a caller passes: everything but the context and the raw request.
fn parameters(method: &RawMethod, path: &Path) -> Vec<TokenStream> {
    method
        .signature
        .inputs
        .iter()
        .enumerate()
        .filter_map(|(position, input)| {
            let FnArg::Typed(argument) = input else {
                return None;
            };
            let referred = match &*argument.ty {
                Type::Reference(reference) => &*reference.elem,
                other => other,
            };
            if ["Ctx", "Request", "AlarmRun"]
                .iter()
                .any(|name| is_named(referred, name))
            {
                return None;
            }
            let name = parameter_name(&argument.pat, position);
            let ty = outside(&argument.ty, path);
            Some(quote!(#name: #ty))
        })
        .collect()
}

fn parameter_name(pattern: &Pat, position: usize) -> Ident {
    pattern_name(pattern)
        .cloned()
        .unwrap_or_else(|| format_ident!("argument_{position}"))
}

fn schedules(class: &Ident, path: &Path, alarms: &[&RawMethod]) -> TokenStream {
    let name = crate::expand::schedules::type_name(class);
    let methods = alarms.iter().map(|method| {
        let name = &method.signature.ident;
        let cancel = format_ident!("cancel_{}", plain(name));
        let next = format_ident!("next_{}", plain(name));
        let (generics, _, where_clause) = method.signature.generics.split_for_impl();
        let parameters = parameters(method, path);
        quote! {
            pub fn #name #generics (
                &self,
                #(#parameters),*
            ) -> ::anchorhold::Scheduling<'a> #where_clause {
                ::core::unreachable!()
            }

            pub fn #cancel(
                &self,
                _: &::core::primitive::str,
            ) -> ::core::result::Result<::core::primitive::bool, ::anchorhold::StorageError> {
                ::core::unreachable!()
            }

            pub fn #next(
                &self,
                _: &::core::primitive::str,
            ) -> ::core::result::Result<
                ::core::option::Option<::anchorhold::Timestamp>,
                ::anchorhold::StorageError,
            > {
                ::core::unreachable!()
            }
        }
    });
    let lints = lints();
    quote! {
        #lints
        pub struct #name<'a>(&'a ::anchorhold::Ctx);

        #lints
        const _: () = {
            impl #path {
                pub fn schedules(ctx: &::anchorhold::Ctx) -> #name<'_> {
                    #name(ctx)
                }
            }

            impl<'a> #name<'a> {
                #(#methods)*
            }
        };
    }
}

/// The function as it stands, without the warning that nobody calls it.
pub fn test(raw: &RawFunction) -> TokenStream {
    let lints = lints();
    quote!(#lints #raw)
}
