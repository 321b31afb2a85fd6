//! Rules across items. Each is one function, called from one of the two lists below.

mod events;
mod routes;

use std::collections::HashMap;

use syn::Attribute;

use crate::diag::Diagnostics;
use crate::model::{
    Argument, ArgumentKind, Behaviour, FieldKind, Handler, Object, Roles, is_named,
};
use crate::names::{camel_case, is_reserved_rpc_name, plain};

pub fn object(diagnostics: &Diagnostics, object: &Object<'_>) {
    keys_are_unique(diagnostics, object);
}

pub fn behaviour(diagnostics: &Diagnostics, behaviour: &Behaviour<'_>) {
    for handler in &behaviour.handlers {
        roles_fit_together(diagnostics, handler);
        context_is_asked_for_once(diagnostics, handler);
        events::init_is_plain(diagnostics, handler);
        rpc_name_is_free(diagnostics, handler);
        rpc_is_not_http(diagnostics, handler);
        routes::route_parameters_have_arguments(diagnostics, handler);
        routes::route_arguments_are_bound(diagnostics, handler);
        routes::body_is_taken_once(diagnostics, handler);
        events::socket_route_accepts(diagnostics, handler);
        events::socket_event_arguments(diagnostics, handler);
        events::alarm_payload(diagnostics, handler);
        events::event_returns_nothing(diagnostics, handler);
    }
    rpc_names_are_unique(diagnostics, behaviour);
    routes::routes_do_not_collide(diagnostics, behaviour);
    events::one_handler_per_event(diagnostics, behaviour);
}

fn keys_are_unique(diagnostics: &Diagnostics, object: &Object<'_>) {
    let mut owners = HashMap::new();
    for field in &object.fields {
        let FieldKind::Stored { key, .. } = &field.kind else {
            continue;
        };
        if let Some(first) = owners.insert(key.as_str(), field.name) {
            diagnostics.error_at(
                field.key_at,
                format!("the key `{key}` is taken by the field `{}`: give this one `#[stored(key = \"…\")]`", plain(first)),
            );
        }
    }
}

/// A method may be called in several ways; the other roles bring arguments of their own.
fn roles_fit_together(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let Roles {
        init,
        rpc,
        routes,
        alarm,
        websocket,
        message,
        close,
        error,
    } = &handler.roles;
    let mut groups: Vec<(&str, &Attribute)> = Vec::new();
    let called = rpc
        .iter()
        .copied()
        .chain(routes.iter().map(|route| route.attribute))
        .chain(alarm.iter().map(|alarm| alarm.attribute));
    groups.extend(called.take(1).map(|attribute| ("calls", attribute)));
    groups.extend(init.map(|attribute| ("`#[init]`", attribute)));
    groups.extend(
        websocket
            .iter()
            .map(|route| ("`#[websocket]`", route.attribute)),
    );
    groups.extend(
        message
            .iter()
            .map(|message| ("`#[message]`", message.attribute)),
    );
    groups.extend(
        close
            .iter()
            .chain(error)
            .take(1)
            .map(|attribute| ("`#[close]` and `#[error]`", *attribute)),
    );
    if let [_, (group, attribute), ..] = groups.as_slice() {
        diagnostics.error(
            attribute,
            format!("{group} takes a method of its own: write one for each attribute, and a helper for what they share"),
        );
    }
}

fn context_is_asked_for_once(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let contexts = handler
        .arguments
        .iter()
        .filter(|argument| matches!(argument.kind, ArgumentKind::Context));
    for again in contexts.skip(1) {
        diagnostics.error(
            again.identifier,
            "the context is passed once: remove this argument",
        );
    }
}

fn rpc_name_is_free(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    if handler.roles.rpc.is_none() {
        return;
    }
    let name = plain(handler.name);
    let javascript_name = camel_case(&name);
    if name.starts_with('_') {
        diagnostics.error(
            handler.name,
            "a name that begins with `_` is private on the platform: rename the method",
        );
    } else if is_reserved_rpc_name(&javascript_name) {
        diagnostics.error(
            handler.name,
            format!("`{javascript_name}` belongs to the platform and cannot be an RPC method: rename it, or drop `#[rpc]`"),
        );
    }
}

fn rpc_is_not_http(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    if handler.roles.rpc.is_none() {
        return;
    }
    for argument in &handler.arguments {
        if matches!(argument.kind, ArgumentKind::Request) {
            diagnostics.error(
                argument.ty,
                "a `Request` reaches routes only: drop `#[rpc]`, or take the values by name",
            );
        }
    }
    let Some(value) = handler.output.value() else {
        return;
    };
    for http in ["Response", "Accept"] {
        if is_named(value, http) {
            diagnostics.error(
                value,
                format!("a typed caller cannot read a `{http}`: return the value and let the route make the response, or drop `#[rpc]`"),
            );
        }
    }
}

pub fn values<'h, 'a>(handler: &'h Handler<'a>) -> impl Iterator<Item = &'h Argument<'a>> {
    handler
        .arguments
        .iter()
        .filter(|argument| argument.passing().is_some())
}

fn rpc_names_are_unique(diagnostics: &Diagnostics, behaviour: &Behaviour<'_>) {
    let mut owners = HashMap::new();
    for handler in &behaviour.handlers {
        if handler.roles.rpc.is_none() {
            continue;
        }
        let javascript_name = camel_case(&plain(handler.name));
        if let Some(first) = owners.insert(javascript_name.clone(), handler.name)
            && first != handler.name
        {
            diagnostics.error(
                handler.name,
                format!(
                    "`{}` and `{}` are both `{javascript_name}` to JavaScript: rename one",
                    plain(first),
                    plain(handler.name)
                ),
            );
        }
    }
}
