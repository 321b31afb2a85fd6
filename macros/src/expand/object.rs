//! The struct: loading, storing and restoring its fields, and its stub's type.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Ident, Visibility};

use super::{at_type, ends, lints, stub_name, through_trait};
use crate::model::{FieldKind, Object, StoredField};
use crate::names::plain;

pub fn object(object: &Object<'_>) -> TokenStream {
    let item = object.item;
    let stub = stub_type(object.visibility, object.name);
    let fields = fields(object);
    quote! {
        #item
        #stub
        #fields
    }
}

/// The struct attribute declares the stub's type: it exists even where the impl block is wrong. Where that is missing, the
/// bound on `Stub::Object` says so at the struct's name.
pub fn stub_type(visibility: &Visibility, name: &Ident) -> TokenStream {
    let stub = stub_name(name);
    let documentation = format!(" Calls a [`{}`] wherever it lives.", plain(name));
    let lints = lints();
    quote! {
        #[doc = #documentation]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #lints
        #visibility struct #stub(::anchorhold::__private::StubCore);

        impl ::anchorhold::Stub for #stub {
            type Object = #name;

            fn from_core(core: ::anchorhold::__private::StubCore) -> Self {
                Self(core)
            }

            fn core(&self) -> &::anchorhold::__private::StubCore {
                &self.0
            }
        }
    }
}

fn fields(object: &Object<'_>) -> TokenStream {
    let name = object.name;
    let migrations = &object.migrations;
    let mut keys = Vec::new();
    let mut descriptors = Vec::new();
    let mut loads = Vec::new();
    let mut stores = Vec::new();
    let mut restores = Vec::new();
    for StoredField {
        name: field,
        ty,
        kind,
        key_at: _,
    } in &object.fields
    {
        let FieldKind::Stored { key, default } = kind else {
            let checked = through_trait(ty, &quote!(__private::MemoryDefault), &quote!(fresh()));
            loads.push(quote!(#field: #checked));
            continue;
        };
        let index = keys.len();
        let descriptor = format_ident!("__FIELD_{index}");
        descriptors.push(match default {
            None => {
                let constructor = at_type(&quote!(Field), ty, &quote!(>::new()));
                quote!(const #descriptor: ::anchorhold::__private::Field<#ty> = #constructor;)
            }
            Some(default) => {
                // The span of the argument is where an unmet bound is reported.
                let (first, _) = ends(&ty.to_token_stream());
                let function = format_ident!("__default_{index}", span = first);
                let constructor = at_type(&quote!(Field), ty, &quote!(>::with_default));
                quote! {
                    fn #function() -> #ty {
                        #default
                    }
                    const #descriptor: ::anchorhold::__private::Field<#ty> = #constructor(#function);
                }
            }
        });
        keys.push(key);
        loads.push(quote!(#field: #descriptor.load(fields, #index)?));
        stores.push(quote!(#descriptor.store(fields, #index, &mut self.#field)?;));
        restores.push(quote!(#descriptor.restore(fields, #index, &mut self.#field)?;));
    }
    let lints = lints();
    quote! {
        #lints
        const _: () = {
            #(#descriptors)*

            impl ::anchorhold::__private::StoredFields for #name {
                const KEYS: &'static [&'static ::core::primitive::str] = &[#(#keys),*];
                const MIGRATIONS: &'static [&'static ::core::primitive::str] = &[#(#migrations),*];

                fn load(
                    fields: &mut ::anchorhold::__private::FieldStore,
                ) -> ::core::result::Result<Self, ::anchorhold::StorageError> {
                    ::core::result::Result::Ok(Self { #(#loads),* })
                }

                fn store(
                    &mut self,
                    fields: &mut ::anchorhold::__private::FieldStore,
                ) -> ::core::result::Result<(), ::anchorhold::StorageError> {
                    #(#stores)*
                    ::core::result::Result::Ok(())
                }

                fn restore(
                    &mut self,
                    fields: &mut ::anchorhold::__private::FieldStore,
                ) -> ::core::result::Result<(), ::anchorhold::StorageError> {
                    #(#restores)*
                    ::core::result::Result::Ok(())
                }
            }
        };
    }
}
