//! Syntax → raw: the user's syntax, with this crate's attributes stripped and stored separately.
//!
//! Signatures are parsed. Bodies remain tokens, so that a half-typed body keeps its completion.

mod attribute;
mod block;
mod function;
mod misplaced;
mod self_type;
mod structure;
mod unreadable;

pub use attribute::{Place, RoleName, attribute_name, is_condition};
pub use block::{RawImpl, RawMethod, RawRole};
pub use function::RawFunction;
pub use misplaced::Misplaced;
pub use self_type::resolve_self;
pub use structure::{RawField, RawStruct};
pub use unreadable::{UnreadableStruct, without_attributes_of_parts};

use proc_macro2::TokenStream;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, Pat, Path, Token, Visibility};

/// Returns the name of an argument, if its pattern is a plain name.
pub fn pattern_name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(pattern) if pattern.subpat.is_none() && pattern.by_ref.is_none() => {
            Some(&pattern.ident)
        }
        _ => None,
    }
}

/// The item under `#[durable_object]`.
pub enum RawObject {
    Struct(Box<RawStruct>),
    Impl(Box<RawImpl>),
    /// A struct whose fields do not parse. rustc reported that before it called the attribute.
    Unreadable(Box<UnreadableStruct>),
    /// An enum, a function, …: kept unchanged, because the user's other code needs it to compile.
    Other(TokenStream),
}

impl RawObject {
    /// Reads the item. `krate` is the path by which the user refers to this framework.
    pub fn parse(item: TokenStream, krate: &Path) -> syn::Result<Self> {
        let read = |input: ParseStream<'_>| {
            let ahead = input.fork();
            ahead.call(Attribute::parse_outer)?;
            ahead.parse::<Visibility>()?;
            if ahead.peek(Token![struct]) {
                let whole = input.fork();
                return match whole.parse() {
                    Ok(item) => {
                        input.advance_to(&whole);
                        Ok(Self::Struct(Box::new(RawStruct::new(item, krate))))
                    }
                    Err(error) => UnreadableStruct::parse(input, krate)
                        .map(|unreadable| Self::Unreadable(Box::new(unreadable)))
                        .map_err(|_| error),
                };
            }
            if ahead.peek(Token![impl]) || (ahead.peek(Token![unsafe]) && ahead.peek2(Token![impl]))
            {
                return RawImpl::parse(input, krate).map(|raw| Self::Impl(Box::new(raw)));
            }
            input.parse().map(Self::Other)
        };
        read.parse2(item)
    }
}

/// Returns the signature of an item. An error about the whole item should not underline its body.
pub fn signature_tokens(item: &TokenStream) -> TokenStream {
    let read = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<TokenStream>()
    };
    read.parse2(item.clone())
        .unwrap_or_default()
        .into_iter()
        .take_while(|token| {
            !matches!(token, proc_macro2::TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace)
        })
        .collect()
}
