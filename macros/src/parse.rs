//! Syntax → raw: what the user wrote, with our attributes taken off and kept beside it.
//!
//! Signatures are parsed, bodies stay tokens, so that a half-typed body keeps its completion.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Field, FnArg, Generics, Ident, ImplItem, ItemStruct, Pat, Path, Signature, Token,
    Type, Visibility,
};

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

    fn of(attribute: &Attribute) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| is_ours(attribute, role.attribute()))
    }
}

/// Whether this is `#[name]` or `#[anchorhold::name]`.
fn is_ours(attribute: &Attribute, name: &str) -> bool {
    let path = attribute.path();
    match path.segments.iter().collect::<Vec<_>>().as_slice() {
        [only] => only.ident == name,
        [krate, last] => krate.ident == "anchorhold" && last.ident == name,
        _ => false,
    }
}

pub struct RawRole {
    pub name: RoleName,
    pub attribute: Attribute,
}

/// A method with at least one of our attributes.
pub struct RawMethod {
    pub attributes: Vec<Attribute>,
    pub roles: Vec<RawRole>,
    pub visibility: Visibility,
    pub signature: Signature,
    /// `#[body]`, by the position of its argument among all inputs.
    pub body_marks: Vec<Option<Attribute>>,
    pub body: TokenStream,
}

impl ToTokens for RawMethod {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attribute in &self.attributes {
            attribute.to_tokens(tokens);
        }
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

pub enum RawItem {
    Handler(Box<RawMethod>),
    /// Helpers, constants, types: left as they are.
    Other(TokenStream),
}

/// An impl block under `#[durable_object]`.
pub struct RawImpl {
    pub attributes: Vec<Attribute>,
    pub unsafety: Option<Token![unsafe]>,
    pub impl_token: Token![impl],
    pub generics: Generics,
    pub trait_path: Option<(Path, Token![for])>,
    pub self_type: Type,
    pub items: Vec<RawItem>,
}

impl RawImpl {
    pub fn handlers(&self) -> impl Iterator<Item = &RawMethod> {
        self.items.iter().filter_map(|item| match item {
            RawItem::Handler(method) => Some(&**method),
            RawItem::Other(_) => None,
        })
    }
}

impl ToTokens for RawImpl {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attribute in &self.attributes {
            attribute.to_tokens(tokens);
        }
        self.unsafety.to_tokens(tokens);
        self.impl_token.to_tokens(tokens);
        let (generics, _, where_clause) = self.generics.split_for_impl();
        generics.to_tokens(tokens);
        if let Some((path, for_token)) = &self.trait_path {
            path.to_tokens(tokens);
            for_token.to_tokens(tokens);
        }
        self.self_type.to_tokens(tokens);
        where_clause.to_tokens(tokens);
        syn::token::Brace::default().surround(tokens, |inside| {
            for item in &self.items {
                match item {
                    RawItem::Handler(method) => method.to_tokens(inside),
                    RawItem::Other(other) => other.to_tokens(inside),
                }
            }
        });
    }
}

impl Parse for RawImpl {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let unsafety = input.parse()?;
        let impl_token = input.parse()?;
        let mut generics: Generics = if begins_generics(input) {
            input.parse()?
        } else {
            Generics::default()
        };
        let first: Type = input.parse()?;
        let (trait_path, self_type) = match (input.parse::<Option<Token![for]>>()?, first) {
            (Some(for_token), Type::Path(path)) => (Some((path.path, for_token)), input.parse()?),
            (Some(_), other) => return Err(syn::Error::new_spanned(other, "expected a trait")),
            (None, first) => (None, first),
        };
        generics.where_clause = input.parse()?;
        let content;
        syn::braced!(content in input);
        attributes.extend(content.call(Attribute::parse_inner)?);
        let mut items = Vec::new();
        while !content.is_empty() {
            items.push(content.parse()?);
        }
        Ok(Self {
            attributes,
            unsafety,
            impl_token,
            generics,
            trait_path,
            self_type,
            items,
        })
    }
}

/// `impl<T>` and not `impl <T as Trait>::Type`.
fn begins_generics(input: ParseStream<'_>) -> bool {
    input.peek(Token![<]) && input.fork().parse::<Generics>().is_ok()
}

impl Parse for RawItem {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        let attributes = ahead.call(Attribute::parse_outer)?;
        let visibility: Visibility = ahead.parse()?;
        let Ok(mut signature) = ahead.parse::<Signature>() else {
            return Ok(Self::Other(input.parse::<ImplItem>()?.into_token_stream()));
        };
        let body = ahead
            .step(|cursor| match cursor.group(proc_macro2::Delimiter::Brace) {
                Some(_) => cursor
                    .token_tree()
                    .ok_or_else(|| cursor.error("expected a body")),
                None => Err(cursor.error("expected a body in braces")),
            })?
            .into_token_stream();
        input.advance_to(&ahead);

        let mut kept = Vec::new();
        let mut roles = Vec::new();
        for attribute in attributes {
            match RoleName::of(&attribute) {
                Some(name) => roles.push(RawRole { name, attribute }),
                None => kept.push(attribute),
            }
        }
        if roles.is_empty() {
            let mut tokens = TokenStream::new();
            for attribute in &kept {
                attribute.to_tokens(&mut tokens);
            }
            visibility.to_tokens(&mut tokens);
            signature.to_tokens(&mut tokens);
            body.to_tokens(&mut tokens);
            return Ok(Self::Other(tokens));
        }
        let body_marks = signature.inputs.iter_mut().map(take_body_mark).collect();
        Ok(Self::Handler(Box::new(RawMethod {
            attributes: kept,
            roles,
            visibility,
            signature,
            body_marks,
            body,
        })))
    }
}

fn take_body_mark(input: &mut FnArg) -> Option<Attribute> {
    let FnArg::Typed(argument) = input else {
        return None;
    };
    take(&mut argument.attrs, "body")
}

fn take(attributes: &mut Vec<Attribute>, name: &str) -> Option<Attribute> {
    let position = attributes
        .iter()
        .position(|attribute| is_ours(attribute, name))?;
    Some(attributes.remove(position))
}

/// The name an argument's pattern gives it, if it is a plain one.
pub fn pattern_name(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(pattern) if pattern.subpat.is_none() && pattern.by_ref.is_none() => {
            Some(&pattern.ident)
        }
        _ => None,
    }
}

/// A field with our attributes taken off.
pub struct RawField {
    pub memory: Option<Attribute>,
    pub stored: Option<Attribute>,
    /// One that no derive on the struct can own.
    pub serde: Option<Attribute>,
    pub field: Field,
}

/// A struct under `#[durable_object]`, with our attributes taken off its fields.
pub struct RawStruct {
    pub item: ItemStruct,
    pub fields: Vec<RawField>,
}

impl From<ItemStruct> for RawStruct {
    fn from(mut item: ItemStruct) -> Self {
        let derives = item
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("derive"));
        let fields = item
            .fields
            .iter_mut()
            .map(|field| RawField {
                memory: take(&mut field.attrs, "memory"),
                stored: take(&mut field.attrs, "stored"),
                serde: if derives {
                    None
                } else {
                    take(&mut field.attrs, "serde")
                },
                field: field.clone(),
            })
            .collect();
        Self { item, fields }
    }
}

/// What `#[durable_object]` was put on.
pub enum RawObject {
    Struct(RawStruct),
    Impl(RawImpl),
    /// An enum, a function, …: kept whole, since the user needs it to compile.
    Other(TokenStream),
}

impl Parse for RawObject {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        ahead.call(Attribute::parse_outer)?;
        ahead.parse::<Visibility>()?;
        if ahead.peek(Token![struct]) {
            return input
                .parse::<ItemStruct>()
                .map(|item| Self::Struct(item.into()));
        }
        if ahead.peek(Token![impl]) || (ahead.peek(Token![unsafe]) && ahead.peek2(Token![impl])) {
            return input.parse().map(Self::Impl);
        }
        input.parse().map(Self::Other)
    }
}

/// A function with its body left as tokens: `#[app]` and `#[test]`.
pub struct RawFunction {
    pub attributes: Vec<Attribute>,
    pub visibility: Visibility,
    pub signature: Signature,
    pub body: TokenStream,
}

impl Parse for RawFunction {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl ToTokens for RawFunction {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attribute in &self.attributes {
            attribute.to_tokens(tokens);
        }
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
