//! Handlers: methods that the outside world reaches.

use quote::ToTokens;
use syn::{
    Attribute, FnArg, GenericArgument, Ident, Path, PathArguments, ReceiverKind, ReturnType,
    Safety, Type,
};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::parse::{RawImpl, RawMethod, RawRole, RoleName};

use super::{Alarm, Argument, Output, Route, is_named, last_segment};

/// One `#[durable_object] impl` block.
pub struct Behaviour<'a> {
    pub raw: &'a RawImpl,
    /// The type as the block names it: `Counter` or `super::Counter`.
    pub path: &'a Path,
    pub class: &'a Ident,
    pub handlers: Vec<Handler<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageFlavour {
    Json,
    Text,
    Binary,
}

pub struct Message<'a> {
    pub attribute: &'a Attribute,
    pub flavour: MessageFlavour,
}

/// What the attributes of one method declare.
#[derive(Default)]
pub struct Roles<'a> {
    pub init: Option<&'a Attribute>,
    pub rpc: Option<&'a Attribute>,
    pub routes: Vec<Route<'a>>,
    pub alarm: Option<Alarm<'a>>,
    pub websocket: Option<Route<'a>>,
    pub message: Option<Message<'a>>,
    pub close: Option<&'a Attribute>,
    pub error: Option<&'a Attribute>,
}

impl<'a> Roles<'a> {
    /// `None`: the attribute itself is wrong, and was reported.
    fn add(&mut self, diagnostics: &Diagnostics, role: &'a RawRole) -> Option<()> {
        let attribute = &role.attribute;
        let repeated = match role.name {
            RoleName::Init => self
                .init
                .replace(plain_attribute(diagnostics, role)?)
                .is_some(),
            RoleName::Rpc => self
                .rpc
                .replace(plain_attribute(diagnostics, role)?)
                .is_some(),
            RoleName::Close => self
                .close
                .replace(plain_attribute(diagnostics, role)?)
                .is_some(),
            RoleName::Error => self
                .error
                .replace(plain_attribute(diagnostics, role)?)
                .is_some(),
            RoleName::Alarm => self
                .alarm
                .replace(Alarm::from_raw(diagnostics, role)?)
                .is_some(),
            RoleName::Message => self
                .message
                .replace(Message::from_raw(diagnostics, role)?)
                .is_some(),
            RoleName::WebSocket => self
                .websocket
                .replace(Route::from_raw(diagnostics, role)?)
                .is_some(),
            RoleName::Get | RoleName::Post | RoleName::Put | RoleName::Patch | RoleName::Delete => {
                self.routes.push(Route::from_raw(diagnostics, role)?);
                false
            }
        };
        if repeated {
            diagnostics.error(
                attribute,
                format!(
                    "`#[{}]` stands here twice: remove one",
                    role.name.attribute()
                ),
            );
        }
        Some(())
    }

    /// Whether an HTTP request reaches the method.
    pub fn on_route(&self) -> bool {
        !self.routes.is_empty() || self.websocket.is_some()
    }

    /// Whether an event of an accepted socket reaches the method.
    pub fn on_socket(&self) -> bool {
        self.message.is_some() || self.close.is_some() || self.error.is_some()
    }
}

pub struct Handler<'a> {
    pub raw: &'a RawMethod,
    pub name: &'a Ident,
    /// `&mut self`.
    pub exclusive: bool,
    pub is_async: bool,
    pub roles: Roles<'a>,
    pub arguments: Vec<Argument<'a>>,
    pub output: Output<'a>,
}

impl<'a> Behaviour<'a> {
    pub fn from_raw(diagnostics: &Diagnostics, raw: &'a RawImpl) -> Option<Self> {
        if let Some((path, _)) = &raw.trait_path {
            diagnostics.error(
                path,
                "handlers are the object's own methods: put `#[durable_object]` on `impl Type { … }`, not on an implementation of a trait",
            );
            return None;
        }
        let Some(path) = named_type(&raw.self_type) else {
            diagnostics.error(
                &raw.self_type,
                "`#[durable_object]` belongs on the block of a named struct: `impl Counter { … }`",
            );
            return None;
        };
        let class = &path.segments.last()?.ident;
        let handlers = raw
            .handlers()
            .filter_map(|method| Handler::from_raw(diagnostics, method))
            .collect();
        Some(Self {
            raw,
            path,
            class,
            handlers,
        })
    }
}

/// The path of the type, whatever its generics.
pub fn named_type(ty: &Type) -> Option<&Path> {
    match ty {
        Type::Path(path) if path.qself.is_none() => Some(&path.path),
        Type::Group(group) => named_type(&group.elem),
        _ => None,
    }
}

impl<'a> Handler<'a> {
    fn from_raw(diagnostics: &Diagnostics, raw: &'a RawMethod) -> Option<Self> {
        check_modifiers(diagnostics, raw)?;
        let roles = read_roles(diagnostics, raw)?;
        let exclusive = receiver_is_exclusive(diagnostics, raw)?;
        let arguments = raw
            .signature
            .inputs
            .iter()
            .zip(&raw.body_marks)
            .filter_map(|(input, body)| match input {
                FnArg::Receiver(_) => None,
                FnArg::Typed(argument) => {
                    Argument::from_raw(diagnostics, argument, body.as_ref(), &roles)
                }
            })
            .collect();
        Some(Self {
            raw,
            name: &raw.signature.ident,
            exclusive,
            is_async: raw.signature.asyncness.is_some(),
            arguments,
            output: Output::from_raw(diagnostics, &raw.signature.output),
            roles,
        })
    }
}

/// A handler is called from a static table: nothing about it can vary.
fn check_modifiers(diagnostics: &Diagnostics, raw: &RawMethod) -> Option<()> {
    let signature = &raw.signature;
    let generics = &signature.generics;
    let mut plain = true;
    let mut wrong = |at: &dyn ToTokens, message: &str| {
        diagnostics.error(at.to_token_stream(), message);
        plain = false;
    };
    if !generics.params.is_empty() {
        wrong(
            &generics.params,
            "a handler is called from outside, where nothing chooses its type: it takes no generics (a helper may)",
        );
    } else if let Some(where_clause) = &generics.where_clause {
        wrong(where_clause, "a handler takes no `where` clause");
    }
    if let Some(constness) = &signature.constness {
        wrong(constness, "a handler is not `const`: write `fn`");
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        wrong(
            unsafety,
            "a handler is called from outside: it cannot be `unsafe`",
        );
    }
    if let Some(abi) = &signature.abi {
        wrong(abi, "a handler is an ordinary method: it takes no `extern`");
    }
    let conditional = raw
        .attributes
        .iter()
        .find(|attribute| attribute.path().is_ident("cfg"));
    if let Some(attribute) = conditional {
        wrong(
            attribute,
            "a handler is always there: put `#[cfg]` on a statement inside it, or on the whole impl block",
        );
    }
    plain.then_some(())
}

fn receiver_is_exclusive(diagnostics: &Diagnostics, raw: &RawMethod) -> Option<bool> {
    let Some(receiver) = raw.signature.receiver() else {
        let message = if makes_the_object(&raw.signature.output) {
            "nobody makes an object: its fields are loaded, or begin as `#[stored(default = …)]` or `Default`; what needs more is `#[init] fn prepare(&mut self, ctx: &Ctx)`"
        } else {
            "a handler runs on the object: it begins with `&self` or `&mut self`"
        };
        diagnostics.error(&raw.signature.ident, message);
        return None;
    };
    match &receiver.kind {
        ReceiverKind::Reference(_, None, mutability) => Some(mutability.is_some()),
        ReceiverKind::Reference(_, Some(lifetime), _) => {
            diagnostics.error(lifetime, "a turn lends the object to its handler: write `&self` or `&mut self`, without a lifetime");
            None
        }
        _ => {
            diagnostics.error(
                receiver,
                "a handler borrows the object: write `&self` or `&mut self`",
            );
            None
        }
    }
}

/// `-> Self` or `-> Result<Self, E>`, as a constructor has it.
fn makes_the_object(output: &ReturnType) -> bool {
    let ReturnType::Type(_, ty) = output else {
        return false;
    };
    is_named(ty, "Self")
        || last_segment(ty).is_some_and(|segment| match &segment.arguments {
            PathArguments::AngleBracketed(arguments) => matches!(
                arguments.args.first(),
                Some(GenericArgument::Type(first)) if is_named(first, "Self")
            ),
            _ => false,
        })
}

fn read_roles<'a>(diagnostics: &Diagnostics, raw: &'a RawMethod) -> Option<Roles<'a>> {
    let mut roles = Roles::default();
    // All of them are read before giving up, so that all of their mistakes are shown.
    let read: Vec<Option<()>> = raw
        .roles
        .iter()
        .map(|role| roles.add(diagnostics, role))
        .collect();
    read.into_iter().all(|role| role.is_some()).then_some(roles)
}

fn plain_attribute<'a>(diagnostics: &Diagnostics, role: &'a RawRole) -> Option<&'a Attribute> {
    let name = role.name.attribute();
    let arguments = diagnostics.keep(Arguments::of(&role.attribute, &format!("#[{name}]")))?;
    arguments.finish(diagnostics, name, &[]);
    Some(&role.attribute)
}

impl<'a> Message<'a> {
    fn from_raw(diagnostics: &Diagnostics, role: &'a RawRole) -> Option<Self> {
        let mut arguments = diagnostics.keep(Arguments::of(&role.attribute, "#[message(text)]"))?;
        let text = arguments.take_flag(diagnostics, "text");
        let binary = arguments.take_flag(diagnostics, "binary");
        arguments.finish(diagnostics, "message", &["text", "binary"]);
        let flavour = match (text, binary) {
            (None, None) => MessageFlavour::Json,
            (Some(_), None) => MessageFlavour::Text,
            (None, Some(_)) => MessageFlavour::Binary,
            (Some(_), Some(binary)) => {
                diagnostics.error(
                    binary,
                    "a message is `text` or `binary`: write one handler for each",
                );
                return None;
            }
        };
        Some(Self {
            attribute: &role.attribute,
            flavour,
        })
    }
}
