//! Handlers: methods that can be called from outside the object.

use quote::ToTokens;
use syn::{FnArg, Ident, ReceiverKind, ReturnType, Safety, Type};

use crate::diag::Diagnostics;
use crate::parse::{RawMethod, is_condition};

use super::alarm::Alarm;
use super::{Argument, Event, Output, Role, Route, arguments_of, is_named, ungroup};

/// How the method borrows the object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    Shared,
    Mut,
}

pub struct Handler<'a> {
    pub raw: &'a RawMethod,
    /// Its number among the handlers of the block.
    pub index: usize,
    pub name: &'a Ident,
    pub receiver: Receiver,
    pub is_async: bool,
    pub roles: Vec<Role<'a>>,
    pub arguments: Vec<Argument<'a>>,
    pub output: Output<'a>,
}

impl<'a> Handler<'a> {
    pub fn from_raw(diagnostics: &Diagnostics, index: usize, raw: &'a RawMethod) -> Option<Self> {
        let earlier = diagnostics.count();
        check_modifiers(diagnostics, raw);
        let roles: Vec<Role<'a>> = raw
            .roles
            .iter()
            .filter_map(|role| Role::from_raw(diagnostics, role))
            .collect();
        if diagnostics.count() > earlier {
            return None;
        }
        let receiver = receiver(diagnostics, raw)?;
        let mut arguments: Vec<Argument<'a>> = raw
            .signature
            .inputs
            .iter()
            .zip(&raw.marks)
            .filter_map(|(input, marks)| match input {
                FnArg::Receiver(_) => None,
                FnArg::Typed(argument) => Argument::from_raw(diagnostics, argument, marks),
            })
            .collect();
        let runs = roles.iter().any(|role| matches!(role, Role::Alarm(_)));
        let only_answers_routes = roles.iter().any(|role| role.event() == Event::Route)
            && roles.iter().all(|role| role.event() != Event::Rpc);
        let mut values = 0;
        for (position, argument) in arguments.iter_mut().enumerate() {
            if !runs {
                argument.take_run_as_value();
            }
            argument.position = position;
            argument.wire_index = values;
            values += usize::from(argument.pass_by().is_some());
        }
        Some(Self {
            raw,
            index,
            name: &raw.signature.ident,
            receiver,
            is_async: raw.signature.asyncness.is_some(),
            arguments,
            output: Output::from_raw(diagnostics, &raw.signature.output, only_answers_routes),
            roles,
        })
    }

    pub fn has(&self, event: Event) -> bool {
        self.roles.iter().any(|role| role.event() == event)
    }

    pub fn is_rpc(&self) -> bool {
        self.has(Event::Rpc)
    }

    /// Whether the method's result is returned to a caller.
    pub fn is_called(&self) -> bool {
        self.is_rpc() || self.routes().next().is_some()
    }

    /// Whether the method handles events of accepted sockets.
    pub fn is_of_socket(&self) -> bool {
        self.roles.iter().any(|role| role.event().is_of_socket())
    }

    pub fn alarm(&self) -> Option<&Alarm<'a>> {
        self.roles.iter().find_map(|role| match role {
            Role::Alarm(alarm) => Some(alarm),
            _ => None,
        })
    }

    /// Returns its HTTP routes, including upgrades.
    pub fn routes(&self) -> impl Iterator<Item = &Route<'a>> {
        self.roles.iter().filter_map(|role| match role {
            Role::Route(route) | Role::Upgrade(route) => Some(route),
            _ => None,
        })
    }

    /// Returns the arguments whose values a caller sends.
    pub fn values(&self) -> impl Iterator<Item = &Argument<'a>> {
        self.arguments
            .iter()
            .filter(|argument| argument.pass_by().is_some())
    }
}

/// Handlers are called through a static table, so they cannot be generic or conditional.
fn check_modifiers(diagnostics: &Diagnostics, raw: &RawMethod) {
    let signature = &raw.signature;
    let generics = &signature.generics;
    let wrong = |at: &dyn ToTokens, message: &str| {
        diagnostics.error(at.to_token_stream(), message);
    };
    let only_lifetimes = generics
        .params
        .iter()
        .all(|parameter| matches!(parameter, syn::GenericParam::Lifetime(_)));
    if !generics.params.is_empty() {
        wrong(
            &generics.params,
            if only_lifetimes {
                "handlers cannot have lifetime parameters\nhelp: remove the lifetime, as in `&self`, `&str` and `&Ctx`"
            } else {
                "handlers cannot be generic, because remote callers cannot choose a type; helper methods can"
            },
        );
    } else if let Some(where_clause) = &generics.where_clause {
        wrong(where_clause, "handlers cannot have a `where` clause");
    }
    if let Some(constness) = &signature.constness {
        wrong(constness, "handlers cannot be `const`\nhelp: write `fn`");
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        wrong(
            unsafety,
            "handlers cannot be `unsafe`, because they are called from outside",
        );
    }
    if let Some(abi) = &signature.abi {
        wrong(abi, "handlers cannot be `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        wrong(variadic, "handlers cannot be variadic\nhelp: take a `Vec`");
    }
    let condition = raw
        .attributes
        .iter()
        .find(|attribute| is_condition(attribute));
    if let Some(attribute) = condition {
        wrong(
            attribute,
            "`#[cfg]` is not supported on handlers\nhelp: put it inside the body, or on both the struct and its impl block",
        );
    }
}

fn receiver(diagnostics: &Diagnostics, raw: &RawMethod) -> Option<Receiver> {
    let Some(receiver) = raw.signature.receiver() else {
        let message = if makes_the_object(&raw.signature.output) {
            "objects are not constructed by your code: fields are loaded from storage or start from their default\nhelp: set a field's default with `#[stored(default = …)]`, and use `#[init]` for any other set-up"
        } else {
            "handlers must take `&self` or `&mut self`"
        };
        diagnostics.error(&raw.signature.ident, message);
        return None;
    };
    if let Some(attribute) = receiver.attrs.first() {
        diagnostics.error(attribute, "attributes are not supported on the receiver");
        return None;
    }
    match &receiver.kind {
        ReceiverKind::Reference(_, None, None) => Some(Receiver::Shared),
        ReceiverKind::Reference(_, None, Some(_)) => Some(Receiver::Mut),
        ReceiverKind::Reference(_, Some(lifetime), _) => {
            diagnostics.error(
                lifetime,
                "a handler borrows the object for one turn\nhelp: remove the lifetime: write `&self` or `&mut self`",
            );
            None
        }
        ReceiverKind::Typed(_, ty) => match ungroup(ty) {
            // The same receiver, written out.
            Type::Reference(reference)
                if reference.lifetime.is_none() && is_named(&reference.elem, "Self") =>
            {
                Some(if reference.mutability.is_some() {
                    Receiver::Mut
                } else {
                    Receiver::Shared
                })
            }
            _ => {
                diagnostics.error(receiver, "handlers must take `&self` or `&mut self`");
                None
            }
        },
        _ => {
            diagnostics.error(receiver, "handlers must take `&self` or `&mut self`");
            None
        }
    }
}

/// Whether the result is `Self` or `Result<Self, E>`, as for a constructor.
fn makes_the_object(output: &ReturnType) -> bool {
    let ReturnType::Type(_, ty) = output else {
        return false;
    };
    is_named(ty, "Self")
        || arguments_of(ty)
            .first()
            .is_some_and(|first| is_named(first, "Self"))
}
