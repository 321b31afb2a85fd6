//! The impl block under `#[durable_object]`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::ParseStream;
use syn::parse::discouraged::Speculative;
use syn::{
    AttrStyle, Attribute, FnArg, Generics, ImplItem, Path, Signature, Token, Type, Visibility,
};

use super::RoleName;
use super::attribute::{Place, attribute_name, is_conditional, strip};

pub struct RawRole {
    pub name: RoleName,
    pub attribute: Attribute,
}

/// A method with at least one attribute of this crate.
pub struct RawMethod {
    pub attributes: Vec<Attribute>,
    pub roles: Vec<RawRole>,
    pub visibility: Visibility,
    pub signature: Signature,
    /// `#[body]` and `#[query]`, by the position of the argument among all inputs.
    pub marks: Vec<Vec<Attribute>>,
    /// `;` if the user wrote no body, which rustc reports.
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
    /// Helpers, constants, types, and what does not parse. They are emitted unchanged.
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
    /// Further `#[durable_object]` attributes.
    pub again: Vec<Attribute>,
    pub attributes: Vec<Attribute>,
    pub unsafety: Option<Token![unsafe]>,
    pub impl_token: Token![impl],
    pub generics: Generics,
    /// `!` in `impl !Send for Counter`.
    pub negative: Option<Token![!]>,
    pub trait_path: Option<(Path, Token![for])>,
    pub self_type: Type,
    pub brace: syn::token::Brace,
    pub items: Vec<RawItem>,
    /// Attributes of methods that would add one of this crate's under a condition.
    pub conditional: Vec<Attribute>,
    /// Attributes of this crate in the wrong place.
    pub misplaced: Vec<Attribute>,
    /// The names of the methods that are not handlers.
    pub helpers: Vec<syn::Ident>,
}

impl RawImpl {
    /// Returns the names of this crate's attributes inside the block, as the user wrote them.
    pub fn attribute_names(&self) -> impl Iterator<Item = &syn::Ident> {
        self.handlers()
            .flat_map(|method| {
                let roles = method.roles.iter().map(|role| &role.attribute);
                roles.chain(method.marks.iter().flatten())
            })
            .chain(&self.misplaced)
            .filter_map(attribute_name)
    }

    pub fn handlers(&self) -> impl Iterator<Item = &RawMethod> {
        self.items.iter().filter_map(|item| match item {
            RawItem::Handler(method) => Some(&**method),
            RawItem::Other(_) => None,
        })
    }

    pub fn handlers_mut(&mut self) -> impl Iterator<Item = &mut RawMethod> {
        self.items.iter_mut().filter_map(|item| match item {
            RawItem::Handler(method) => Some(&mut **method),
            RawItem::Other(_) => None,
        })
    }

    /// Reads the block. `krate` is the path by which the user refers to this framework.
    pub fn parse(input: ParseStream<'_>, krate: &Path) -> syn::Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let unsafety = input.parse()?;
        let impl_token = input.parse()?;
        let mut generics: Generics = if begins_generics(input) {
            input.parse()?
        } else {
            Generics::default()
        };
        let negative = if input.peek(Token![!]) && !input.peek2(syn::token::Brace) {
            Some(input.parse()?)
        } else {
            None
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
            again: strip(&mut attributes, "durable_object", krate),
            attributes,
            unsafety,
            impl_token,
            generics,
            negative,
            trait_path,
            self_type,
            brace,
            items: Vec::new(),
            conditional: Vec::new(),
            misplaced: Vec::new(),
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
            return self.parse_other(input, krate).map(RawItem::Other);
        };
        input.advance_to(&ahead);
        let ParsedMethod {
            method,
            mut conditional,
            mut misplaced,
        } = method;
        self.conditional.append(&mut conditional);
        self.misplaced.append(&mut misplaced);
        if method.roles.is_empty() {
            self.helpers.push(method.signature.ident.clone());
            return Ok(RawItem::Other(method.into_token_stream()));
        }
        Ok(RawItem::Handler(Box::new(method)))
    }

    /// Reads any other item. If it does not parse, rustc reported it before it called the
    /// attribute. It is kept unchanged up to where the next item begins, so that no other method is
    /// lost.
    fn parse_other(&mut self, input: ParseStream<'_>, krate: &Path) -> syn::Result<TokenStream> {
        let attributes = input.call(Attribute::parse_outer)?;
        let (ours, others): (Vec<_>, Vec<_>) = attributes
            .into_iter()
            .partition(|attribute| Place::of(attribute, krate).is_some());
        let mut tokens = quote::quote!(#(#others)*);
        let ahead = input.fork();
        if let Ok(item) = ahead.parse::<ImplItem>() {
            input.advance_to(&ahead);
            // A type, which the block cannot have, is reported by rustc.
            if !matches!(item, ImplItem::Type(_)) {
                self.misplaced.extend(ours);
            }
            item.to_tokens(&mut tokens);
            return Ok(tokens);
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
        self.negative.to_tokens(tokens);
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

/// Whether this is `impl<T>` rather than `impl <T as Trait>::Type`.
fn begins_generics(input: ParseStream<'_>) -> bool {
    input.peek(Token![<]) && input.fork().parse::<Generics>().is_ok()
}

pub(super) struct ParsedMethod {
    pub method: RawMethod,
    pub conditional: Vec<Attribute>,
    pub misplaced: Vec<Attribute>,
}

pub(super) fn parse_method(input: ParseStream<'_>, krate: &Path) -> syn::Result<ParsedMethod> {
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
    let mut misplaced = Vec::new();
    for attribute in attributes {
        if let Some(name) = RoleName::of(&attribute, krate) {
            roles.push(RawRole { name, attribute });
        } else if Place::of(&attribute, krate).is_some() {
            misplaced.push(attribute);
        } else if is_conditional(&attribute, &names, krate) {
            conditional.push(attribute);
        } else {
            kept.push(attribute);
        }
    }
    let mut marks = Vec::new();
    for input in &mut signature.inputs {
        let (attributes, may_be_marked) = match input {
            FnArg::Typed(argument) => (&mut argument.attrs, !roles.is_empty()),
            FnArg::Receiver(receiver) => (&mut receiver.attrs, false),
        };
        let ours = attributes.extract_if(.., |attribute| Place::of(attribute, krate).is_some());
        let (marking, other): (Vec<_>, Vec<_>) = ours.partition(|attribute| {
            may_be_marked && Place::of(attribute, krate) == Some(Place::Argument)
        });
        marks.push(marking);
        misplaced.extend(other);
    }
    Ok(ParsedMethod {
        method: RawMethod {
            attributes: kept,
            roles,
            visibility,
            signature,
            marks,
            body: body.into_token_stream(),
        },
        conditional,
        misplaced,
    })
}

/// Whether this is a body from a `block` fragment of a `macro_rules` macro, in an invisible group.
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
