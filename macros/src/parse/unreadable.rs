//! A struct whose fields do not parse. rustc reads the item before it calls the attribute, and has
//! reported that.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Generics, Ident, Path, Token, Visibility};

use super::attribute::Place;

pub struct UnreadableStruct {
    pub visibility: Visibility,
    pub name: Ident,
    pub generics: Generics,
    /// The whole struct without this crate's attributes, which would be resolved.
    pub item: TokenStream,
}

impl UnreadableStruct {
    /// Reads the struct up to its fields, which remain tokens.
    pub fn parse(input: ParseStream<'_>, krate: &Path) -> syn::Result<Self> {
        let head = input.fork();
        head.call(Attribute::parse_outer)?;
        let visibility = head.parse()?;
        head.parse::<Token![struct]>()?;
        let name = head.parse()?;
        let mut generics: Generics = head.parse()?;
        generics.where_clause = head.parse()?;
        let item: TokenStream = input.parse()?;
        let item = without_attributes_of_parts(item, krate);
        Ok(Self {
            visibility,
            name,
            generics,
            item,
        })
    }
}

/// The item without our attributes on what is in its braces.
pub fn without_attributes_of_parts(item: TokenStream, krate: &Path) -> TokenStream {
    item.into_iter()
        .map(|token| match token {
            TokenTree::Group(parts) => TokenTree::Group(without_ours(&parts, krate)),
            other => other,
        })
        .collect()
}

fn without_ours(fields: &Group, krate: &Path) -> Group {
    let read = |input: ParseStream<'_>| {
        let mut tokens = TokenStream::new();
        while !input.is_empty() {
            let ahead = input.fork();
            match ahead.call(Attribute::parse_outer) {
                Ok(attributes) if !attributes.is_empty() => {
                    input.advance_to(&ahead);
                    let others = attributes
                        .iter()
                        .filter(|attribute| Place::of(attribute, krate).is_none());
                    others.for_each(|attribute| attribute.to_tokens(&mut tokens));
                }
                _ => tokens.extend([input.parse::<TokenTree>()?]),
            }
        }
        Ok(tokens)
    };
    let tokens = read
        .parse2(fields.stream())
        .unwrap_or_else(|_| fields.stream());
    let mut group = Group::new(fields.delimiter(), tokens);
    group.set_span(fields.span());
    group
}
