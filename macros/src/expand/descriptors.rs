//! A type that is sent to another object states its bounds once, in a constant that both the
//! handler and the stub use. A type that cannot be sent thus causes one error in one place.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::Type;

use super::tokens::{first_and_last_span, private_at, probe, respan};
use crate::model::{
    Argument, ArgumentKind, Event, Handler, ObjectImpl, Output, Route, Whole, arguments_of,
    is_named, is_plain_value, is_unit, named_type,
};
use crate::parse::resolve_self;

pub fn parameter(handler: &Handler<'_>, argument: &Argument<'_>) -> Ident {
    format_ident!("__PARAMETER_{}_{}", handler.index, argument.position)
}

pub fn returned(handler: &Handler<'_>) -> Ident {
    format_ident!("__RETURNED_{}", handler.index)
}

pub fn failed(handler: &Handler<'_>) -> Ident {
    format_ident!("__FAILED_{}", handler.index)
}

pub fn payload(handler: &Handler<'_>) -> Ident {
    format_ident!("__PAYLOAD_{}", handler.index)
}

fn is_result(handler: &Handler<'_>) -> Ident {
    format_ident!("__IS_RESULT_{}", handler.index)
}

fn value_alias(handler: &Handler<'_>) -> Ident {
    format_ident!("__Value{}", handler.index)
}

fn error_alias(handler: &Handler<'_>) -> Ident {
    format_ident!("__Error{}", handler.index)
}

/// The result of a handler that may fail, and where errors about it are reported.
///
/// Each const argument is a separate body for the compiler. Aliases name the two sides, so that
/// there is only one body for each.
pub struct Fallible {
    pub whole: Type,
    pub value_at: Type,
    pub error_at: Type,
    /// The constant for whether it is a `Result`.
    is_result: Ident,
    /// The aliases of its value and of its error. `None` if a hidden lifetime may be inferred,
    /// because an alias infers none.
    aliases: Option<(Ident, Ident)>,
}

impl Fallible {
    /// Returns `None` if the text shows that it cannot fail.
    pub fn of(handler: &Handler<'_>, block: &ObjectImpl<'_>) -> Option<Self> {
        let Output::Probed(ty) = handler.output else {
            return None;
        };
        let resolved = |ty| resolve_self(ty, block.path);
        Some(Self {
            whole: resolved(ty),
            value_at: resolved(Output::value_at(ty)),
            error_at: resolved(Output::error_at(ty)),
            is_result: is_result(handler),
            aliases: handler
                .is_rpc()
                .then(|| (value_alias(handler), error_alias(handler))),
        })
    }

    pub fn value(&self) -> TokenStream {
        match &self.aliases {
            Some((value, _)) => alias_at(value, &self.value_at),
            None => self.value_in_full(),
        }
    }

    pub fn error(&self) -> TokenStream {
        match &self.aliases {
            Some((_, error)) => alias_at(error, &self.error_at),
            None => self.error_in_full(),
        }
    }

    fn value_in_full(&self) -> TokenStream {
        self.side(&quote!(ValueOf), &self.value_at)
    }

    fn error_in_full(&self) -> TokenStream {
        self.side(&quote!(ErrorOf), &self.error_at)
    }

    fn side(&self, side: &TokenStream, shown: &Type) -> TokenStream {
        let whole = &self.whole;
        let is_result = self.is_result(shown);
        private_at(
            shown,
            side,
            &quote!(#whole, #is_result),
            &TokenStream::new(),
        )
    }

    /// Generates whether it is a `Result`, as a const argument. An error may be reported at it.
    pub fn is_result(&self, shown: &impl ToTokens) -> TokenStream {
        let is_result = respanned(&self.is_result.to_token_stream(), shown);
        respanned(&quote!({ #is_result }), shown)
    }

    /// Generates the constant and the aliases.
    fn declarations(&self) -> TokenStream {
        let (whole, is_result) = (&self.whole, &self.is_result);
        let probe = probe(whole, whole, "__IS_RESULT");
        let aliases = self.aliases.as_ref().map(|(value, error)| {
            let (value_of, error_of) = (self.value_in_full(), self.error_in_full());
            quote! {
                type #value = #value_of;
                type #error = #error_of;
            }
        });
        quote! {
            const #is_result: ::core::primitive::bool = #probe;
            #aliases
        }
    }
}

/// Generates the alias with a span from the first to the last token of `shown`.
fn alias_at(alias: &Ident, shown: &Type) -> TokenStream {
    let (first, last) = first_and_last_span(&shown.to_token_stream());
    let open = respan(quote!(#alias <), first);
    let close = respan(quote!(>), last);
    quote!(#open #close)
}

/// Returns the type that a caller receives when the handler succeeds.
pub fn value_type(handler: &Handler<'_>, block: &ObjectImpl<'_>) -> TokenStream {
    match (&handler.output, Fallible::of(handler, block)) {
        (_, Some(fallible)) => fallible.value(),
        (Output::Text(_), None) => quote!(__anchored::std::String),
        (Output::Plain(ty), None) => resolve_self(ty, block.path).into_token_stream(),
        (Output::Nothing | Output::Probed(_), None) => quote!(()),
    }
}

/// Returns where errors about the value are reported.
pub fn value_at(handler: &Handler<'_>) -> TokenStream {
    match handler.output {
        Output::Nothing => TokenStream::new(),
        Output::Text(ty) | Output::Plain(ty) => ty.to_token_stream(),
        Output::Probed(ty) => Output::value_at(ty).to_token_stream(),
    }
}

/// Generates the kind of a value's type, as a const argument.
pub fn kind_of(shown: &impl ToTokens, ty: &Type) -> TokenStream {
    if is_plain_value(ty) || is_unit(ty) {
        plain_kind(shown)
    } else {
        probe(shown, ty, "__KIND")
    }
}

/// Generates the kind as a literal, which costs the compiler nothing.
fn plain_kind(shown: &impl ToTokens) -> TokenStream {
    respanned(&VALUE.to_token_stream(), shown)
}

/// `recognition::kind::VALUE` of the runtime. Another number would not compile.
const VALUE: u8 = 0;

/// Generates the kind of the handler's successful result, as a const argument.
pub fn value_kind(handler: &Handler<'_>, block: &ObjectImpl<'_>) -> TokenStream {
    match Fallible::of(handler, block) {
        Some(fallible) => probe(&fallible.value_at, &fallible.value(), "__KIND"),
        None => plain_kind(&value_at(handler)),
    }
}

/// Generates the constants of the block, and the checks of its types.
pub fn descriptors(block: &ObjectImpl<'_>) -> TokenStream {
    let mut constants = TokenStream::new();
    for handler in &block.handlers {
        if let Some(fallible) = Fallible::of(handler, block) {
            constants.extend(fallible.declarations());
        }
        if handler.is_rpc() {
            constants.extend(of_method(handler, block));
        }
        if let Some(payload_type) = payload_type(handler) {
            constants.extend(constant(
                &payload(handler),
                &quote!(Payload),
                payload_type,
                &resolve_self(payload_type, block.path).into_token_stream(),
                &kind_of(payload_type, &resolve_self(payload_type, block.path)),
                &TokenStream::new(),
            ));
        }
        for route in handler.routes() {
            constants.extend(status_check(handler, route, block));
            constants.extend(request_checks(handler, route, block));
            constants.extend(text_checks(handler, route, block));
        }
    }
    constants.extend(session_checks(block));
    constants
}

/// Generates the constants of an `#[rpc]` method.
fn of_method(handler: &Handler<'_>, block: &ObjectImpl<'_>) -> TokenStream {
    let mut constants = TokenStream::new();
    for argument in &handler.arguments {
        if let Some(ty) = argument.owned() {
            let resolved = resolve_self(ty, block.path);
            let (index, wire_name) = (argument.wire_index, &argument.name);
            constants.extend(constant(
                &parameter(handler, argument),
                &quote!(Parameter),
                ty,
                &resolved.to_token_stream(),
                &kind_of(ty, &resolved),
                &quote!(#index, #wire_name),
            ));
        }
    }
    constants.extend(constant(
        &returned(handler),
        &quote!(Returned),
        &value_at(handler),
        &value_type(handler, block),
        &value_kind(handler, block),
        &TokenStream::new(),
    ));
    if let Some(fallible) = Fallible::of(handler, block) {
        let name = failed(handler);
        let error = fallible.error();
        let known = fallible.is_result(&fallible.error_at);
        let constructor = private_at(
            &fallible.error_at,
            &quote!(Failed),
            &quote!(#error, #known),
            &quote!(::new()),
        );
        let is_result = &fallible.is_result;
        constants.extend(quote! {
            const #name: __anchored::Failed<#error, { #is_result }> = #constructor;
        });
    }
    constants
}

fn constant(
    name: &Ident,
    descriptor: &TokenStream,
    shown: &impl ToTokens,
    ty: &TokenStream,
    known: &TokenStream,
    arguments: &TokenStream,
) -> TokenStream {
    let constructor = private_at(shown, descriptor, ty, &quote!(::new::<#known>(#arguments)));
    quote!(const #name: __anchored::#descriptor<#ty> = #constructor;)
}

/// Returns the payload of an alarm, if it takes one.
pub fn payload_type<'a>(handler: &Handler<'a>) -> Option<&'a Type> {
    handler.alarm()?;
    handler.arguments.iter().find_map(Argument::owned)
}

/// Checks that a stated status fits the handler's result.
fn status_check(
    handler: &Handler<'_>,
    route: &Route<'_>,
    block: &ObjectImpl<'_>,
) -> Option<TokenStream> {
    let status = route.status.as_ref()?;
    let value = value_type(handler, block);
    let check = if status.allows_body() {
        let kind = probe(
            &status.key,
            &Fallible::of(handler, block)?.value(),
            "__KIND",
        );
        private_at(
            &status.key,
            &quote!(assert_takes_status),
            &respanned(
                &quote!(#value, { (#kind) == __anchored::kind::RESPONSE }),
                &status.key,
            ),
            &quote!(()),
        )
    } else {
        private_at(
            &status.literal,
            &quote!(assert_bodiless),
            &respanned(&value, &status.literal),
            &quote!(()),
        )
    };
    Some(quote!(const _: () = #check;))
}

/// Gives the tokens the span of others, so that an error is reported there.
fn respanned(tokens: &TokenStream, shown: &impl ToTokens) -> TokenStream {
    let (first, _) = first_and_last_span(&shown.to_token_stream());
    respan(tokens.clone(), first)
}

/// Whether an argument may be the request, as far as its text shows.
pub fn may_be_request(argument: &Argument<'_>, route: &Route<'_>) -> bool {
    argument.mark.is_none()
        && !route.has_parameter(&argument.name)
        && argument.owned().is_some_and(|ty| {
            !is_plain_value(ty) && named_type(ty).is_some() && arguments_of(ty).is_empty()
        })
}

/// Checks that every value beside the request comes from the path, because the request takes the
/// body and the query string.
fn request_checks(handler: &Handler<'_>, route: &Route<'_>, block: &ObjectImpl<'_>) -> TokenStream {
    let mut checks = TokenStream::new();
    let others = || {
        handler
            .values()
            .filter(|argument| !route.has_parameter(&argument.name))
    };
    if handler.is_rpc() {
        // For RPC, the request itself is refused.
        return checks;
    }
    for request in others().filter(|argument| may_be_request(argument, route)) {
        let Some(request_type) = request.owned() else {
            continue;
        };
        let request_type = resolve_self(request_type, block.path);
        let takes_all = is_request(&request_type);
        for other in others().filter(|other| other.position != request.position) {
            // Of two requests, only the second is refused.
            let first_of_two = (other.position < request.position && may_be_request(other, route))
                .then(|| {
                    let other = resolve_self(other.ty, block.path);
                    let is_request = is_request(&other);
                    quote!(&& !#is_request)
                });
            let check = private_at(
                other.identifier,
                &quote!(assert_leaves_the_rest),
                &respanned(
                    &quote!(#request_type, { #takes_all #first_of_two }),
                    other.identifier,
                ),
                &quote!(()),
            );
            checks.extend(quote!(const _: () = #check;));
        }
    }
    checks
}

/// Checks that arguments from a path or a query string have types that text can be read into.
fn text_checks(handler: &Handler<'_>, route: &Route<'_>, block: &ObjectImpl<'_>) -> TokenStream {
    let mut checks = TokenStream::new();
    for argument in handler.values() {
        let Some(ty) = argument.owned().filter(|ty| !is_plain_value(ty)) else {
            continue;
        };
        let resolved = resolve_self(ty, block.path);
        let (shown, assertion, constant) = match &argument.mark {
            Some(mark) if mark.whole == Whole::Query => (
                mark.attribute.to_token_stream(),
                quote!(assert_has_fields),
                "__HAS_NO_FIELDS",
            ),
            None if route.reads_as_text(&argument.name) => (
                resolved.to_token_stream(),
                quote!(assert_one_text),
                "__IS_LIST",
            ),
            Some(_) | None => continue,
        };
        let misfit = probe(&shown, &resolved, constant);
        let read = if argument.mark.is_some() {
            respanned(&resolved.to_token_stream(), &shown)
        } else {
            resolved.to_token_stream()
        };
        let check = private_at(&shown, &assertion, &quote!(#read, #misfit), &quote!(()));
        checks.extend(quote!(const _: () = #check;));
    }
    checks
}

/// Generates an expression for whether the type is the request.
pub fn is_request(ty: &Type) -> TokenStream {
    quote!((__anchored::Probe::<#ty>::__KIND == __anchored::kind::REQUEST))
}

/// Checks that all upgrades accept one session type, and that the sockets of the events have it.
fn session_checks(block: &ObjectImpl<'_>) -> TokenStream {
    let mut upgrades = block.handlers.iter().filter_map(|handler| {
        handler
            .has(Event::Upgrade)
            .then(|| Fallible::of(handler, block))?
    });
    let Some(first) = upgrades.next() else {
        return TokenStream::new();
    };
    let accepted = first.value();
    let mut checks = TokenStream::new();
    for other in upgrades {
        let shown = &other.value_at;
        let (value, accepted) = (other.value(), respanned(&accepted, shown));
        let check = private_at(
            shown,
            &quote!(assert_same_session),
            &quote!(#value, #accepted),
            &quote!(()),
        );
        checks.extend(quote!(const _: () = #check;));
    }
    let events = block
        .handlers
        .iter()
        .filter(|handler| handler.is_of_socket());
    for argument in events.flat_map(|handler| &handler.arguments) {
        let ArgumentKind::Reference(referred) = argument.kind else {
            continue;
        };
        if is_named(referred, "Ctx") {
            continue;
        }
        let socket = resolve_self(referred, block.path);
        let check = private_at(
            referred,
            &quote!(assert_session_of),
            &quote!(#socket, #accepted, {
                __anchored::Probe::<#socket>::__KIND == __anchored::kind::SOCKET
            }),
            &quote!(()),
        );
        checks.extend(quote!(const _: () = #check;));
    }
    checks
}
