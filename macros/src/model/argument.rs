//! Handler arguments, and where each value comes from.

use syn::{Attribute, Ident, PatType, Type};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::names::argument_name;
use crate::options;
use crate::parse::{attribute_name, pattern_name};

use super::shape::{UNSIZED, is_undeclared, is_unsized};
use super::types::{Borrow, first_borrow};
use super::{arguments_of, is_named, is_owned_by_name, named_type, opaque_type, ungroup};

/// How a decoded value is passed to the method.
#[derive(Clone, Copy)]
pub enum PassBy<'a> {
    Value(&'a Type),
    /// `&str`: decoded as a `String`.
    Text,
    /// `&[u8]`: decoded as a `Vec<u8>`.
    Bytes,
}

/// The kind as far as its text shows it. The traits of the runtime decide the rest.
pub enum ArgumentKind<'a> {
    /// A reference to a named type: the context, or the socket of an event.
    Reference(&'a Type),
    /// A type called `AlarmRun`, in an alarm.
    AlarmRun,
    /// A value of the call, the message of a socket, the payload of an alarm, or the request.
    Value(PassBy<'a>),
}

/// A part of the request that one argument takes completely.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whole {
    Body,
    Query,
}

impl Whole {
    pub const ALL: [Self; 2] = [Self::Body, Self::Query];

    pub fn attribute(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
        }
    }

    /// The part's name in error messages.
    pub fn part(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query string",
        }
    }
}

/// `#[body]` or `#[query]`.
pub struct Mark<'a> {
    pub whole: Whole,
    pub attribute: &'a Attribute,
}

pub struct Argument<'a> {
    pub identifier: &'a Ident,
    /// The name under which callers pass it.
    pub name: String,
    pub ty: &'a Type,
    pub mark: Option<Mark<'a>>,
    pub kind: ArgumentKind<'a>,
    /// Its position among all arguments.
    pub position: usize,
    /// Its position among the values that a caller sends.
    pub wire_index: usize,
}

impl<'a> Argument<'a> {
    pub fn from_raw(
        diagnostics: &Diagnostics,
        argument: &'a PatType,
        marks: &'a [Attribute],
    ) -> Option<Self> {
        for attribute in &argument.attrs {
            if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
                diagnostics.error(
                    attribute,
                    "conditional arguments are not supported, because callers are built with other conditions\nhelp: use an `Option`, or two methods",
                );
                return None;
            }
        }
        let Some(identifier) = pattern_name(&argument.pat) else {
            diagnostics.error(
                &argument.pat,
                if matches!(*argument.pat, syn::Pat::Wild(_)) {
                    "arguments are bound by name\nhelp: write `_name: Type` for one that is not used"
                } else {
                    "arguments are bound by name\nhelp: write `name: Type` and destructure it in the body"
                },
            );
            return None;
        };
        let kind = diagnostics.ok_or_report(classify(&argument.ty))?;
        let mark = mark(diagnostics, marks)?;
        if let Some(Mark { whole, attribute }) = &mark
            && !matches!(kind, ArgumentKind::Value(_))
        {
            let (name, part) = (whole.attribute(), whole.part());
            diagnostics.error(
                attribute,
                format!("`#[{name}]` marks the argument that the whole {part} is decoded into\nhelp: write `#[{name}] filter: Filter`"),
            );
            return None;
        }
        Some(Self {
            identifier,
            name: argument_name(identifier),
            ty: &argument.ty,
            mark,
            kind,
            position: 0,
            wire_index: 0,
        })
    }

    /// Treats `AlarmRun` as a value. Only an alarm has a run, so elsewhere it may be a type of the
    /// user's.
    pub fn take_run_as_value(&mut self) {
        if let ArgumentKind::AlarmRun = self.kind {
            self.kind = ArgumentKind::Value(PassBy::Value(self.ty));
        }
    }

    /// Returns how the value is passed, if the argument is a value that a caller sends.
    pub fn pass_by(&self) -> Option<PassBy<'a>> {
        match self.kind {
            ArgumentKind::Value(pass_by) => Some(pass_by),
            _ => None,
        }
    }

    /// Whether it takes all of this part of the request.
    pub fn takes(&self, whole: Whole) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.whole == whole)
    }

    /// Returns the type of a value that is passed as decoded.
    pub fn owned(&self) -> Option<&'a Type> {
        match self.kind {
            ArgumentKind::Value(PassBy::Value(ty)) => Some(ty),
            _ => None,
        }
    }
}

/// Returns `None` if the attributes are invalid, which was reported.
fn mark<'a>(diagnostics: &Diagnostics, marks: &'a [Attribute]) -> Option<Option<Mark<'a>>> {
    let mut found: Option<Mark<'a>> = None;
    for attribute in marks {
        let name = attribute_name(attribute)?;
        let whole = Whole::ALL
            .into_iter()
            .find(|whole| name == whole.attribute())?;
        let shape = format!("#[{}]", whole.attribute());
        let arguments = diagnostics.ok_or_report(Arguments::of(attribute, &shape))?;
        arguments.reject_rest(diagnostics, whole.attribute(), options::NONE);
        if let Some(first) = &found {
            diagnostics.error(
                attribute,
                if first.whole == whole {
                    format!("duplicate `{shape}` attribute")
                } else {
                    String::from("an argument is decoded from the body or from the query string\nhelp: remove one of the two attributes")
                },
            );
            return None;
        }
        found = Some(Mark { whole, attribute });
    }
    Some(found)
}

const OWNED: &str = "arguments are decoded from the call and must be owned\nhelp: the only references allowed are `&str`, `&[u8]` and `ctx: &Ctx`";

fn classify(ty: &Type) -> syn::Result<ArgumentKind<'_>> {
    let wrong = |message: &str| Err(syn::Error::new_spanned(ty, message));
    if let Some(opaque) = opaque_type(ty) {
        return Err(syn::Error::new_spanned(
            opaque,
            "`impl Trait` cannot be an argument, because it is decoded from the call\nhelp: name the concrete type",
        ));
    }
    if is_unsized(ty) {
        return wrong(UNSIZED);
    }
    match ungroup(ty) {
        Type::Reference(reference) => {
            let referred = ungroup(&reference.elem);
            // An undeclared one is reported by rustc.
            if let Some(lifetime) = &reference.lifetime
                && !is_undeclared(lifetime)
            {
                return Err(syn::Error::new_spanned(
                    lifetime,
                    "arguments cannot have a lifetime\nhelp: remove the lifetime, as in `&str` and `&Ctx`",
                ));
            }
            if reference.mutability.is_some() {
                return wrong(if is_named(referred, "Ctx") {
                    "the context is passed by shared reference\nhelp: write `ctx: &Ctx`"
                } else if is_named(referred, "Socket") {
                    "a socket is passed by shared reference\nhelp: write `socket: &Socket<Session>`"
                } else {
                    OWNED
                });
            }
            match referred {
                Type::Slice(slice) if is_named(&slice.elem, "u8") => {
                    Ok(ArgumentKind::Value(PassBy::Bytes))
                }
                _ if is_named(referred, "str") => Ok(ArgumentKind::Value(PassBy::Text)),
                // The compiler decides whether this names the context or a socket.
                _ if named_type(referred).is_some()
                    && !super::is_plain_value(referred)
                    && !is_owned_by_name(referred) =>
                {
                    Ok(ArgumentKind::Reference(referred))
                }
                _ => wrong(OWNED),
            }
        }
        other => match first_borrow(other) {
            Some(borrow) => Err(syn::Error::new_spanned(
                borrow,
                match borrow {
                    _ if borrow.is_of("Ctx") => {
                        "a handler always has its context\nhelp: write `ctx: &Ctx`"
                    }
                    Borrow::Cow(_) => {
                        "arguments are decoded from the call and must be owned\nhelp: write `String` or `&str` instead of `Cow<str>`"
                    }
                    Borrow::Reference(_) | Borrow::Lifetime(_) => {
                        "arguments are decoded from the call and must be owned\nhelp: use `String` instead of `&str`, for example `Option<String>`"
                    }
                },
            )),
            None if is_named(other, "AlarmRun") && arguments_of(other).is_empty() => {
                Ok(ArgumentKind::AlarmRun)
            }
            None => Ok(ArgumentKind::Value(PassBy::Value(ty))),
        },
    }
}
