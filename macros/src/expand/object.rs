//! The struct: loading, storing and restoring its fields, and its stub's type.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Path, Type, Visibility};

use super::tokens::{
    Outside, in_block, named, outside, private_at, project_at, quiet, respan, stub_name,
};
use crate::model::{Durability, Field, Object, is_plain_value, named_types, ungroup};
use crate::names::unraw;

pub fn expand_struct(object: &Object<'_>) -> TokenStream {
    let item = object.item;
    let conditions = object.conditions();
    let of_fields = item.fields.iter().flat_map(|field| &field.attrs);
    let is_deprecated = item
        .attrs
        .iter()
        .chain(of_fields)
        .any(|attribute| attribute.path().is_ident("deprecated"));
    // The platform loads a deprecated object or field, so the user must not be warned.
    let allow = is_deprecated.then(|| quote!(#[allow(deprecated)]));
    let stub = stub_type(
        object.krate,
        &conditions,
        allow.as_ref(),
        object.visibility,
        object.name,
    );
    let fields = in_block(object.krate, &conditions, fields(object, allow.as_ref()));
    let allowed = object.allowed_lints();
    quote! {
        #item
        #stub
        #(#[allow(#allowed)])*
        #fields
    }
}

/// The struct attribute declares the stub's type, so it exists even if the impl block has errors.
/// If the impl block is missing, the bound on `Stub::Object` reports it at the struct's name.
pub fn stub_type(
    krate: &Path,
    conditions: &[&Attribute],
    allow: Option<&TokenStream>,
    visibility: &Visibility,
    name: &Ident,
) -> TokenStream {
    let stub = quiet(&stub_name(name));
    let documentation = format!(" A typed stub for calling a [`{}`].", unraw(name));
    let support = in_block(
        krate,
        conditions,
        quote! {
            #allow
            #[automatically_derived]
            impl __anchorhold::Stub for #stub {
                type Object = #name;

                fn from_core(__core: __anchored::StubCore) -> Self {
                    Self(__core)
                }

                fn core(&self) -> &__anchored::StubCore {
                    &self.0
                }
            }
        },
    );
    let Outside { import, anchored } = outside(krate, conditions, &format_ident!("__{stub}"));
    quote! {
        #import
        #(#conditions)*
        #[doc = #documentation]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #visibility struct #stub(#anchored::StubCore);
        #support
    }
}

/// The generated code for one field.
struct FieldCode {
    key: Option<String>,
    /// Its constant, its default and the checks of its type.
    items: TokenStream,
    load: TokenStream,
    store: TokenStream,
    restore: TokenStream,
}

fn fields(object: &Object<'_>, allow: Option<&TokenStream>) -> TokenStream {
    let name = object.name;
    let migrations = &object.migrations;
    let mut index = 0;
    let fields: Vec<FieldCode> = object
        .fields
        .iter()
        .map(|field| match &field.durability {
            Durability::Memory => memory_field(field),
            Durability::Durable { key, default } => {
                let code = durable_field(name, field, key, default.as_deref(), index);
                index += 1;
                code
            }
        })
        .collect();
    let named = named(object.raw.attribute_names());
    let key_checks = key_checks(object);
    let keys = fields.iter().filter_map(|field| field.key.as_ref());
    let items = fields.iter().map(|field| &field.items);
    let loads = fields.iter().map(|field| &field.load);
    let stores = fields.iter().map(|field| &field.store);
    let restores = fields.iter().map(|field| &field.restore);
    quote! {
        #named
        #(#items)*
        #key_checks

        #allow
        #[automatically_derived]
        impl __anchored::StoredFields for #name {
            const KEYS: &'static [&'static ::core::primitive::str] = &[#(#keys),*];
            const MIGRATIONS: &'static [&'static ::core::primitive::str] = &[#(#migrations),*];

            fn load(
                __fields: &mut __anchored::FieldStore,
            ) -> ::core::result::Result<Self, __anchorhold::StorageError> {
                ::core::result::Result::Ok(Self { #(#loads),* })
            }

            fn store(
                &mut self,
                __fields: &mut __anchored::FieldStore,
            ) -> ::core::result::Result<(), __anchorhold::StorageError> {
                #(#stores)*
                ::core::result::Result::Ok(())
            }

            fn restore(
                &mut self,
                __fields: &mut __anchored::FieldStore,
            ) -> ::core::result::Result<(), __anchorhold::StorageError> {
                #(#restores)*
                ::core::result::Result::Ok(())
            }
        }
    }
}

/// Checks that no key begins with the key of a collection, whose entries it would belong to. A type
/// of any name may be a collection.
fn key_checks(object: &Object<'_>) -> TokenStream {
    let durable = || {
        object
            .fields
            .iter()
            .filter_map(|field| match &field.durability {
                Durability::Durable { key, .. } => Some((field, key)),
                Durability::Memory => None,
            })
    };
    let mut checks = TokenStream::new();
    for (owner, collection) in durable() {
        for (field, key) in durable() {
            let is_below = key
                .strip_prefix(collection.as_str())
                .is_some_and(|rest| rest.starts_with('/'));
            if is_below && !is_plain_value(owner.ty) {
                let ty = owner.ty;
                let key = Ident::new("key", field.key_span);
                let is_collection = probe(ty, "__IS_COLLECTION");
                let generics = respan(quote!(#ty, { #is_collection }), field.key_span);
                let check = private_at(&key, &quote!(assert_key_is_free), &generics, &quote!(()));
                checks.extend(quote!(const _: () = #check;));
            }
        }
    }
    checks
}

fn memory_field(field: &Field<'_>) -> FieldCode {
    let name = field.name;
    let ty = field.ty;
    let fresh = project_at(ty, &quote!(MemoryDefault), &quote!(fresh()));
    let mistakes = nested_collections(ty).chain(std::iter::once(Mistake::new(
        ty,
        quote!(assert_forgettable),
        probe(ty, "__IS_COLLECTION"),
    )));
    let (check, _) = first_mistake(if named_types(ty).is_empty() {
        Vec::new()
    } else {
        mistakes.collect()
    });
    FieldCode {
        key: None,
        items: check,
        load: quote!(#name: #fresh),
        store: TokenStream::new(),
        restore: TokenStream::new(),
    }
}

fn durable_field(
    object: &Ident,
    field: &Field<'_>,
    key: &str,
    default: Option<&syn::Expr>,
    index: usize,
) -> FieldCode {
    let Field { name, ty, .. } = field;
    let descriptor = format_ident!("__FIELD_{index}");
    let escapes = format_ident!("__ESCAPES_{index}");
    let checks = rollback_checks(ty, &escapes);
    let constant = match default {
        None => {
            let field_of = project_at(ty, &quote!(DefaultField<_, { #escapes }>), &quote!(FIELD));
            quote!(const #descriptor: __anchored::Field<#ty> = #field_of;)
        }
        Some(default) => {
            // A trait is needed because `Self` in it is the object.
            let defaults = format_ident!("__Default{index}");
            let field_of = project_at(ty, &quote!(StatedField<_, { #escapes }>), &quote!(FIELD));
            quote! {
                trait #defaults {
                    fn __default() -> #ty;
                }
                impl #defaults for #object {
                    fn __default() -> #ty {
                        #default
                    }
                }
                const #descriptor: __anchored::Field<#ty> =
                    __anchored::Field::starting_with(
                        #field_of,
                        <#object as #defaults>::__default,
                    );
            }
        }
    };
    FieldCode {
        key: Some(key.to_owned()),
        items: quote!(#checks #constant),
        load: quote!(#name: __anchored::Field::load(&#descriptor, __fields, #index)?),
        store: quote!(__anchored::Field::store(&#descriptor, __fields, #index, &mut self.#name)?;),
        restore: quote!(__anchored::Field::restore(&#descriptor, __fields, #index, &mut self.#name)?;),
    }
}

/// A property that a field's type must not have.
struct Mistake<'a> {
    shown: &'a Type,
    assertion: TokenStream,
    condition: TokenStream,
}

impl<'a> Mistake<'a> {
    fn new(shown: &'a Type, assertion: TokenStream, condition: TokenStream) -> Self {
        Self {
            shown,
            assertion,
            condition,
        }
    }
}

/// Returns checks that report the first of the mistakes, and an expression for whether there is
/// one.
fn first_mistake(mistakes: Vec<Mistake<'_>>) -> (TokenStream, TokenStream) {
    let mut checks = TokenStream::new();
    let mut earlier: Option<TokenStream> = None;
    for Mistake {
        shown,
        assertion,
        condition,
    } in mistakes
    {
        let is_first = earlier.as_ref().map(|earlier| quote!(&& !(#earlier)));
        let generics = quote!(#shown, { #condition #is_first });
        let check = private_at(shown, &assertion, &generics, &quote!(()));
        checks.extend(quote!(const _: () = #check;));
        earlier = Some(match earlier {
            Some(earlier) => quote!(#earlier || #condition),
            None => condition,
        });
    }
    (checks, earlier.unwrap_or_else(|| quote!(false)))
}

fn probe(ty: &Type, constant: &str) -> TokenStream {
    let constant = format_ident!("{constant}");
    quote!(__anchored::Probe::<#ty>::#constant)
}

/// Returns the collections inside the type.
fn nested_collections(ty: &Type) -> impl Iterator<Item = Mistake<'_>> {
    named_types(ty)
        .into_iter()
        .filter(move |inner| !std::ptr::eq(*inner, ungroup(ty)))
        .map(|inner| {
            Mistake::new(
                inner,
                quote!(assert_nestable),
                probe(inner, "__IS_COLLECTION"),
            )
        })
}

/// Checks that a failed turn can roll the field back. Changes behind a shared reference would
/// escape this. Each type in the field's type is checked separately, so that the error is reported
/// at its span. Then the whole type is checked, because an auto trait also sees the contents of
/// other types.
fn rollback_checks(ty: &Type, escapes: &Ident) -> TokenStream {
    let mut mistakes: Vec<Mistake<'_>> = nested_collections(ty).collect();
    mistakes.extend(named_types(ty).into_iter().map(|inner| {
        Mistake::new(
            inner,
            quote!(assert_rolls_back),
            probe(inner, "__ESCAPES_ROLLBACK"),
        )
    }));
    let (is_shared, is_owned) = (
        probe(ty, "__ESCAPES_ROLLBACK"),
        probe(ty, "__CHANGES_ONLY_THROUGH_MUT"),
    );
    mistakes.push(Mistake::new(
        ty,
        quote!(assert_rolls_back),
        quote!((#is_shared || !#is_owned)),
    ));
    let (checks, condition) = first_mistake(mistakes);
    let (keeps, _) = first_mistake(if named_types(ty).is_empty() {
        Vec::new()
    } else {
        vec![Mistake::new(
            ty,
            quote!(assert_keeps),
            probe(ty, "__KEEPS_NOTHING"),
        )]
    });
    quote! {
        #checks
        #keeps
        const #escapes: ::core::primitive::bool = #condition;
    }
}
