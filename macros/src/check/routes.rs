//! Rules of HTTP routes: what binds which argument, and which requests go where.

use super::values;
use crate::diag::Diagnostics;
use crate::model::{Argument, ArgumentKind, Behaviour, Handler, HttpMethod, Passing, Route};
use crate::names::{did_you_mean, plain};

fn routes_of<'h, 'a>(handler: &'h Handler<'a>) -> impl Iterator<Item = &'h Route<'a>> {
    handler.roles.routes.iter().chain(&handler.roles.websocket)
}

pub fn route_parameters_have_arguments(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for route in routes_of(handler) {
        for parameter in route.parameters() {
            let names = || values(handler).map(|argument| argument.name.as_str());
            if names().any(|name| name == parameter) {
                continue;
            }
            let fix = match did_you_mean(parameter, names()) {
                Some(argument) => format!("did you mean `{{{argument}}}`?"),
                None => format!(
                    "add it, `fn {}(…, {parameter}: String)`",
                    plain(handler.name)
                ),
            };
            diagnostics.error(
                &route.path,
                format!("`{{{parameter}}}` has no argument of that name: {fix}"),
            );
        }
    }
}

/// GET and DELETE have no body, and an argument of an upgrade comes from its URL.
pub fn route_arguments_are_bound(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for route in routes_of(handler) {
        for argument in values(handler) {
            let bound_by_path = route.binds(&argument.name);
            if let Some(body) = argument.body {
                if bound_by_path {
                    diagnostics.error(
                        body,
                        format!(
                            "`{}` is already bound by the path: `#[body]` takes the request's body",
                            argument.name
                        ),
                    );
                } else if !route.method.has_body() {
                    diagnostics.error(
                        body,
                        format!("a {} request has no body: use `#[post]`, `#[put]` or `#[patch]`, or drop `#[body]`", route.method.as_str()),
                    );
                }
            } else if !bound_by_path
                && !route.method.has_body()
                && matches!(argument.passing(), Some(Passing::Bytes))
            {
                diagnostics.error(
                    argument.ty,
                    "a query string carries text: take a `&str`, or use `#[post]`",
                );
            }
        }
    }
    if handler.roles.routes.is_empty() && handler.roles.rpc.is_none() {
        for argument in values(handler) {
            if let Some(body) = argument.body
                && handler.roles.websocket.is_none()
            {
                diagnostics.error(body, "only a route has a body: drop `#[body]`");
            }
        }
    }
}

pub fn body_is_taken_once(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let mut raw_request = None;
    let mut whole_body = None;
    for argument in &handler.arguments {
        if matches!(argument.kind, ArgumentKind::Request) {
            if raw_request.is_some() {
                diagnostics.error(
                    argument.ty,
                    "the request is passed once: remove this argument",
                );
            }
            raw_request = Some(argument);
        } else if argument.body.is_some() {
            if let Some(first) = whole_body {
                let first: &Argument<'_> = first;
                diagnostics.error(
                    argument.body,
                    format!(
                        "`{}` takes the whole body already: drop one `#[body]`",
                        first.name
                    ),
                );
            }
            whole_body = Some(argument);
        }
    }
    for route in &handler.roles.routes {
        if !route.method.has_body() {
            continue;
        }
        for argument in values(handler) {
            if route.binds(&argument.name) {
                continue;
            }
            if raw_request.is_some() {
                diagnostics.error(
                    argument.identifier,
                    format!("the `Request` takes the whole body, so nothing is left for `{}`: bind it by the path, or drop the `Request`", argument.name),
                );
            } else if let Some(body) = whole_body
                && argument.body.is_none()
            {
                diagnostics.error(
                    argument.identifier,
                    format!("`#[body] {}` takes the whole body, so nothing is left for `{}`: bind it by the path, or drop `#[body]`", body.name, argument.name),
                );
            }
        }
    }
}

pub fn routes_do_not_collide(diagnostics: &Diagnostics, behaviour: &Behaviour<'_>) {
    let mut earlier: Vec<(&Route<'_>, &Handler<'_>)> = Vec::new();
    for handler in &behaviour.handlers {
        for route in routes_of(handler) {
            let first = earlier.iter().find(|(other, _)| other.collides_with(route));
            if let Some((first, owner)) = first {
                diagnostics.error(
                    &route.path,
                    format!(
                        "this route collides with `{} {}` of `{}`: every request that fits one fits the other{}",
                        first.method.as_str(),
                        first.path.value(),
                        plain(owner.name),
                        if route.method == HttpMethod::Get && route.role != first.role { " (an upgrade is a GET)" } else { "" },
                    ),
                );
            } else {
                earlier.push((route, handler));
            }
        }
    }
}
