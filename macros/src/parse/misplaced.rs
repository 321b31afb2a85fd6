//! An item with one of this crate's attributes outside an object.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Path};

use super::attribute::Place;
use super::block::parse_method;

/// The item without this crate's other attributes, so that the mistake is reported only once.
pub struct Misplaced {
    pub item: TokenStream,
    /// Whether it is a method.
    pub has_receiver: bool,
}

impl Misplaced {
    /// Reads an item of any kind. `krate` is the path by which the user refers to this framework.
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
