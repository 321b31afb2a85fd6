//! Arguments of handlers: who fills each of them.

use syn::{Attribute, GenericArgument, Ident, PatType, PathArguments, Type};

use crate::diag::Diagnostics;
use crate::names::argument_name;
use crate::parse::pattern_name;

use super::handler::Roles;
use super::{first_borrow, is_named, last_segment};

/// How the decoded value is handed to the method.
#[derive(Clone, Copy)]
pub enum Passing<'a> {
    Owned(&'a Type),
    /// `&str`: decoded as a `String`.
    Text,
    /// `&[u8]`: decoded as a `Vec<u8>`.
    Bytes,
}

pub enum ArgumentKind<'a> {
    Context,
    Request,
    /// Without a session rustc itself asks for the missing argument.
    Socket(Option<&'a Type>),
    CloseEvent,
    SocketError,
    AlarmRun,
    /// Bound by name or position, the message of a socket, the payload of an alarm.
    Value(Passing<'a>),
}

pub struct Argument<'a> {
    pub identifier: &'a Ident,
    pub name: String,
    pub ty: &'a Type,
    pub body: Option<&'a Attribute>,
    pub kind: ArgumentKind<'a>,
}

impl<'a> Argument<'a> {
    pub fn from_raw(
        diagnostics: &Diagnostics,
        argument: &'a PatType,
        body: Option<&'a Attribute>,
        roles: &Roles<'a>,
    ) -> Option<Self> {
        let Some(identifier) = pattern_name(&argument.pat) else {
            diagnostics.error(
                &argument.pat,
                "a handler's arguments bind by name: write `name: Type` and take it apart in the body",
            );
            return None;
        };
        let kind = diagnostics.keep(classify(identifier, &argument.ty, roles))?;
        if let Some(body) = body
            && !matches!(kind, ArgumentKind::Value(_))
        {
            diagnostics.error(body, "`#[body]` marks the argument that takes the whole body: `#[body] message: Message`");
            return None;
        }
        Some(Self {
            identifier,
            name: argument_name(identifier),
            ty: &argument.ty,
            body,
            kind,
        })
    }

    /// The value this argument carries, if it is one that a caller sends.
    pub fn passing(&self) -> Option<Passing<'a>> {
        match self.kind {
            ArgumentKind::Value(passing) => Some(passing),
            _ => None,
        }
    }
}

fn classify<'a>(
    identifier: &Ident,
    ty: &'a Type,
    roles: &Roles<'a>,
) -> syn::Result<ArgumentKind<'a>> {
    let wrong = |message: &str| Err(syn::Error::new_spanned(ty, message));
    match ty {
        Type::Reference(reference) => {
            let referred = &*reference.elem;
            if is_named(referred, "Ctx") {
                return match reference.mutability {
                    None => Ok(ArgumentKind::Context),
                    Some(_) => wrong("the context is shared: write `ctx: &Ctx`"),
                };
            }
            if roles.on_socket() && is_named(referred, "Socket") {
                if reference.mutability.is_some() {
                    return wrong("a socket is shared: write `socket: &Socket<Session>`");
                }
                return Ok(ArgumentKind::Socket(session(referred)));
            }
            if reference.mutability.is_none() && reference.lifetime.is_none() {
                if is_named(referred, "str") {
                    return Ok(ArgumentKind::Value(Passing::Text));
                }
                if matches!(referred, Type::Slice(slice) if is_named(&slice.elem, "u8")) {
                    return Ok(ArgumentKind::Value(Passing::Bytes));
                }
            }
            wrong(
                "an argument comes from elsewhere and is owned: of references only `&str`, `&[u8]` and `ctx: &Ctx` are accepted",
            )
        }
        Type::ImplTrait(_) => {
            wrong("an argument is decoded into one type: name it instead of `impl Trait`")
        }
        _ if is_named(ty, "Ctx")
            && matches!(argument_name(identifier).as_str(), "ctx" | "context") =>
        {
            wrong("the context is borrowed: write `ctx: &Ctx`")
        }
        _ if roles.on_socket() && is_named(ty, "Socket") => {
            wrong("a socket is borrowed: write `socket: &Socket<Session>`")
        }
        _ if (roles.on_route() || roles.rpc.is_some()) && is_named(ty, "Request") => {
            Ok(ArgumentKind::Request)
        }
        _ if roles.close.is_some() && is_named(ty, "CloseEvent") => Ok(ArgumentKind::CloseEvent),
        _ if roles.error.is_some() && is_named(ty, "SocketError") => Ok(ArgumentKind::SocketError),
        _ if roles.alarm.is_some() && is_named(ty, "AlarmRun") => Ok(ArgumentKind::AlarmRun),
        // Without its lifetime the borrow does not show, and the compiler would point elsewhere.
        _ if is_named(ty, "Cow") && !holds_lifetime(ty) => wrong(
            "an argument comes from elsewhere and is owned: write `String` or `&str` for `Cow<str>`",
        ),
        _ => match first_borrow(ty) {
            Some(borrow) => Err(syn::Error::new_spanned(
                borrow,
                "an argument comes from elsewhere and is owned: write `String` for `&str`, as in `Option<String>`",
            )),
            None => Ok(ArgumentKind::Value(Passing::Owned(ty))),
        },
    }
}

fn holds_lifetime(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .any(|argument| matches!(argument, GenericArgument::Lifetime(_))),
        _ => false,
    })
}

/// `S` of `Socket<S>`.
fn session(ty: &Type) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &last_segment(ty)?.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(session) if arguments.args.len() == 1 => Some(session),
        _ => None,
    }
}
