//! Syntax → raw: what the user wrote, with our attributes stripped and kept beside it.
//!
//! Signatures are parsed, bodies stay tokens, so that a half-typed body keeps its completion.

mod block;
mod function;
mod structure;

pub use block::{MisplacedMethod, RawImpl, RawMethod, RawRole};
pub use function::RawFunction;
pub use structure::{RawField, RawStruct};

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Ident, ItemStruct, Meta, Pat, Path, Token, Visibility};

/// The attributes of methods inside a `#[durable_object]` impl block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleName {
    Init,
    Rpc,
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Alarm,
    WebSocket,
    Message,
    Close,
    Error,
}

impl RoleName {
    const ALL: [Self; 12] = [
        Self::Init,
        Self::Rpc,
        Self::Get,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Alarm,
        Self::WebSocket,
        Self::Message,
        Self::Close,
        Self::Error,
    ];

    pub fn attribute(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Rpc => "rpc",
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Alarm => "alarm",
            Self::WebSocket => "websocket",
            Self::Message => "message",
            Self::Close => "close",
            Self::Error => "error",
        }
    }

    fn of(attribute: &Attribute, krate: &Path) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| is_ours(attribute.path(), role.attribute(), krate))
    }
}

/// Whether this is `#[name]`, `#[anchorhold::name]`, or the same through the prelude or the crate's other path.
fn is_ours(path: &Path, name: &str, krate: &Path) -> bool {
    let mut segments: Vec<&Ident> = path.segments.iter().map(|segment| &segment.ident).collect();
    if segments.pop().is_none_or(|last| last != name) {
        return false;
    }
    if segments.last().is_some_and(|module| *module == "prelude") {
        segments.pop();
    }
    let krate: Vec<&Ident> = krate
        .segments
        .iter()
        .map(|segment| &segment.ident)
        .collect();
    segments.is_empty()
        || segments == krate
        || matches!(segments.as_slice(), [only] if *only == "anchorhold")
}

/// Whether a `#[cfg_attr(…)]` would add an attribute of these names. rustc expands it after us.
fn is_conditional(attribute: &Attribute, names: &[&str], krate: &Path) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    attribute.path().is_ident("cfg_attr")
        && list
            .parse_args_with(|input: ParseStream<'_>| {
                input.parse::<Meta>()?;
                input.parse::<Token![,]>()?;
                let added = input.parse_terminated(Meta::parse, Token![,])?;
                Ok(added
                    .iter()
                    .any(|added| names.iter().any(|name| is_ours(added.path(), name, krate))))
            })
            .unwrap_or(false)
}

/// Removes and returns the attributes of this name.
fn strip(attributes: &mut Vec<Attribute>, name: &str, krate: &Path) -> Vec<Attribute> {
    attributes
        .extract_if(.., |attribute| is_ours(attribute.path(), name, krate))
        .collect()
}

/// The name of an argument, if its pattern is a plain one.
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
    /// An enum, a function, …: kept whole, since the user needs it to compile.
    Other(TokenStream),
}

impl RawObject {
    /// Reads the item; `krate` is the path under which the user knows this framework.
    pub fn parse(item: TokenStream, krate: &Path) -> syn::Result<Self> {
        let read = |input: ParseStream<'_>| {
            let ahead = input.fork();
            ahead.call(Attribute::parse_outer)?;
            ahead.parse::<Visibility>()?;
            if ahead.peek(Token![struct]) {
                let item: ItemStruct = input.parse()?;
                return Ok(Self::Struct(Box::new(RawStruct::new(item, krate))));
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

/// The signature of an item: an error about the whole of it should not underline its body.
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
