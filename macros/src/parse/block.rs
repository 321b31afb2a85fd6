//! The impl block under `#[durable_object]`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::{
    AttrStyle, Attribute, FnArg, Generics, ImplItem, Path, Signature, Token, Type, Visibility,
};

use super::{RoleName, is_conditional, strip};

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
    pub body_marks: Vec<Vec<Attribute>>,
    /// `;` where the user wrote no body: rustc says so.
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
    /// Helpers, constants, types, and what does not parse: left as they are.
    Other(TokenStream),
}

impl ToTokens for RawItem {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Handler(method) => method.to_tokens(tokens),
            Self::Other(other) => other.to_tokens(tokens),
        }
    }
}

/// An impl block under `#[durable_object]`.
pub struct RawImpl {
    pub attributes: Vec<Attribute>,
    pub unsafety: Option<Token![unsafe]>,
    pub impl_token: Token![impl],
    pub generics: Generics,
    pub trait_path: Option<(Path, Token![for])>,
    pub self_type: Type,
    pub brace: syn::token::Brace,
    pub items: Vec<RawItem>,
    /// Attributes of methods that would add one of ours under a condition.
    pub conditional: Vec<Attribute>,
    /// The names of the methods that are not handlers.
    pub helpers: Vec<syn::Ident>,
}

impl RawImpl {
    pub fn handlers(&self) -> impl Iterator<Item = &RawMethod> {
        self.items.iter().filter_map(|item| match item {
            RawItem::Handler(method) => Some(&**method),
            RawItem::Other(_) => None,
        })
    }

    /// Reads the block; `krate` is the path under which the user knows this framework.
    pub fn parse(input: ParseStream<'_>, krate: &Path) -> syn::Result<Self> {
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
        let brace = syn::braced!(content in input);
        attributes.extend(content.call(Attribute::parse_inner)?);
        let mut block = Self {
            attributes,
            unsafety,
            impl_token,
            generics,
            trait_path,
            self_type,
            brace,
            items: Vec::new(),
            conditional: Vec::new(),
            helpers: Vec::new(),
        };
        while !content.is_empty() {
            let item = block.parse_item(&content, krate)?;
            block.items.push(item);
        }
        Ok(block)
    }

    fn parse_item(&mut self, input: ParseStream<'_>, krate: &Path) -> syn::Result<RawItem> {
        let ahead = input.fork();
        let Ok(method) = parse_method(&ahead, krate) else {
            return parse_other(input, krate).map(RawItem::Other);
        };
        input.advance_to(&ahead);
        let ParsedMethod {
            method,
            mut conditional,
        } = method;
        self.conditional.append(&mut conditional);
        if method.roles.is_empty() {
            self.helpers.push(method.signature.ident.clone());
            return Ok(RawItem::Other(method.into_token_stream()));
        }
        Ok(RawItem::Handler(Box::new(method)))
    }
}

impl ToTokens for RawImpl {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let is_outer = |attribute: &&Attribute| matches!(attribute.style, AttrStyle::Outer);
        for attribute in self.attributes.iter().filter(is_outer) {
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
        self.brace.surround(tokens, |inside| {
            for attribute in self
                .attributes
                .iter()
                .filter(|attribute| !is_outer(attribute))
            {
                attribute.to_tokens(inside);
            }
            for item in &self.items {
                item.to_tokens(inside);
            }
        });
    }
}

/// `impl<T>` and not `impl <T as Trait>::Type`.
fn begins_generics(input: ParseStream<'_>) -> bool {
    input.peek(Token![<]) && input.fork().parse::<Generics>().is_ok()
}

struct ParsedMethod {
    method: RawMethod,
    conditional: Vec<Attribute>,
}

fn parse_method(input: ParseStream<'_>, krate: &Path) -> syn::Result<ParsedMethod> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility: Visibility = input.parse()?;
    let mut signature: Signature = input.parse()?;
    let body = input.step(|cursor| match cursor.token_tree() {
        Some((token, rest)) if ends_item(&token) || is_fragment(&token) => Ok((token, rest)),
        _ => Err(cursor.error("expected a body")),
    })?;

    let names = RoleName::ALL.map(RoleName::attribute);
    let mut kept = Vec::new();
    let mut roles = Vec::new();
    let mut conditional = Vec::new();
    for attribute in attributes {
        match RoleName::of(&attribute, krate) {
            Some(name) => roles.push(RawRole { name, attribute }),
            None if is_conditional(&attribute, &names, krate) => conditional.push(attribute),
            None => kept.push(attribute),
        }
    }
    let body_marks = if roles.is_empty() {
        Vec::new()
    } else {
        let strip_body = |input: &mut FnArg| match input {
            FnArg::Typed(argument) => strip(&mut argument.attrs, "body", krate),
            FnArg::Receiver(_) => Vec::new(),
        };
        signature.inputs.iter_mut().map(strip_body).collect()
    };
    Ok(ParsedMethod {
        method: RawMethod {
            attributes: kept,
            roles,
            visibility,
            signature,
            body_marks,
            body: body.into_token_stream(),
        },
        conditional,
    })
}

/// Any other item. One that does not parse was reported by rustc before the attribute was called: it is kept as it is,
/// up to where the next item begins, so that it costs no other method.
fn parse_other(input: ParseStream<'_>, krate: &Path) -> syn::Result<TokenStream> {
    let ahead = input.fork();
    if let Ok(item) = ahead.parse::<ImplItem>() {
        input.advance_to(&ahead);
        return Ok(item.into_token_stream());
    }
    let mut tokens = TokenStream::new();
    // Ours would be expanded by themselves, and complain of their place.
    for attribute in input.call(Attribute::parse_outer).unwrap_or_default() {
        if RoleName::of(&attribute, krate).is_none() {
            attribute.to_tokens(&mut tokens);
        }
    }
    while !input.is_empty() {
        let token: TokenTree = input.parse()?;
        let ends = ends_item(&token);
        tokens.extend([token]);
        if ends {
            break;
        }
    }
    Ok(tokens)
}

/// A body that came as a `block` fragment of a `macro_rules` macro, in an invisible group.
fn is_fragment(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::None)
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    }
}

/// A method under one of our attributes outside a `#[durable_object]` impl block, with the other ones stripped.
pub struct MisplacedMethod {
    pub tokens: TokenStream,
    pub has_receiver: bool,
}

impl MisplacedMethod {
    pub fn parse(item: TokenStream, krate: &Path) -> syn::Result<Self> {
        let read = |input: ParseStream<'_>| parse_method(input, krate);
        let ParsedMethod { method, .. } = read.parse2(item)?;
        Ok(Self {
            has_receiver: method.signature.receiver().is_some(),
            tokens: method.into_token_stream(),
        })
    }
}
