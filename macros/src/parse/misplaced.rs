//! An item under one of our attributes outside an object.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Path};

use super::attribute::Place;
use super::block::parse_method;

/// The item without the other attributes of ours, so that the mistake is reported once.
pub struct Misplaced {
    pub item: TokenStream,
    /// Whether it is a method.
    pub has_receiver: bool,
}

impl Misplaced {
    /// Reads an item, whatever it is; `krate` is the path under which the user knows this framework.
    pub fn read(item: TokenStream, krate: &Path) -> Self {
        let read = |input: ParseStream<'_>| parse_method(input, krate);
        if let Ok(parsed) = read.parse2(item.clone()) {
            return Self {
                has_receiver: parsed.method.signature.receiver().is_some(),
                item: parsed.method.into_token_stream(),
            };
        }
        let read = |input: ParseStream<'_>| {
            let mut attributes = input.call(Attribute::parse_outer)?;
            attributes.retain(|attribute| Place::of(attribute, krate).is_none());
            let rest: TokenStream = input.parse()?;
            Ok(quote!(#(#attributes)* #rest))
        };
        Self {
            item: read.parse2(item.clone()).unwrap_or(item),
            has_receiver: false,
        }
    }
}
