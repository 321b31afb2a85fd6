//! Rules of HTTP routes: what binds which argument, and which requests go where.

use quote::ToTokens;
use syn::Type;

use crate::diag::Diagnostics;
use crate::model::{
    Argument, Handler, HttpMethod, ObjectImpl, PassBy, Route, arguments_of, last_segment, ungroup,
};
use crate::names::{did_you_mean, unraw};

pub fn route_parameters_have_arguments(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for route in handler.routes() {
        for parameter in route.parameters() {
            let names = || handler.values().map(|argument| argument.name.as_str());
            if names().any(|name| name == parameter) {
                continue;
            }
            let fix = match did_you_mean(parameter, names()) {
                Some(argument) => format!("did you mean `{{{argument}}}`?"),
                None => format!(
                    "add one: `fn {}(…, {parameter}: String)`",
                    unraw(handler.name)
                ),
            };
            diagnostics.error(
                &route.path,
                format!("no argument is named `{parameter}`\nhelp: {fix}"),
            );
        }
    }
}

/// A path and a query string are text; GET, DELETE and an upgrade have no body.
pub fn arguments_fit_their_place(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for argument in handler.values() {
        let mistake = handler
            .routes()
            .find_map(|route| misplaced(route, argument));
        if let Some((at, message)) = mistake {
            diagnostics.error(at, message);
        }
    }
}

/// Why the route cannot provide the argument, if the text shows it.
fn misplaced<'a>(
    route: &Route<'_>,
    argument: &'a Argument<'_>,
) -> Option<(&'a dyn ToTokens, String)> {
    let in_path = route.has_parameter(&argument.name);
    if let Some(body) = argument.body {
        if in_path {
            let message = format!(
                "`{}` is already bound by the path\nhelp: remove `#[body]`, which decodes the whole body",
                argument.name
            );
            return Some((body, message));
        }
        if !route.method.has_body() {
            let message = format!(
                "a {} request has no body\nhelp: use `#[post]`, `#[put]` or `#[patch]`, or remove `#[body]`",
                route.method.as_str()
            );
            return Some((body, message));
        }
        return None;
    }
    if route.method.has_body() && !in_path {
        return None;
    }
    let place = if in_path {
        "the path"
    } else {
        "a query string"
    };
    match argument.pass_by()? {
        PassBy::Bytes => Some((
            argument.ty,
            format!("bytes cannot be read from {place}\nhelp: take a `&str`, or use `#[post]`"),
        )),
        PassBy::Value(ty) if !is_one_text(ty) => Some((
            argument.ty,
            format!(
                "{place} carries one text for each name\nhelp: take the values one by one, or use `#[post]`"
            ),
        )),
        PassBy::Text | PassBy::Value(_) => None,
    }
}

/// `false`: the text of the type shows a list, a tuple or a map, which no single text can be read as.
fn is_one_text(ty: &Type) -> bool {
    match ungroup(ty) {
        Type::Tuple(_) | Type::Array(_) | Type::Slice(_) => false,
        other => match last_segment(other) {
            Some(segment) if segment.ident == "Option" => arguments_of(other)
                .first()
                .is_none_or(|inner| is_one_text(inner)),
            Some(segment) => ![
                "Vec", "VecDeque", "HashMap", "HashSet", "BTreeMap", "BTreeSet",
            ]
            .iter()
            .any(|name| segment.ident == name),
            None => true,
        },
    }
}

pub fn body_needs_a_route(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    if handler.is_called() {
        return;
    }
    for argument in handler.values() {
        if let Some(body) = argument.body {
            diagnostics.error(body, "only a route has a body\nhelp: remove `#[body]`");
        }
    }
}

pub fn body_is_marked_once(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let mut marked = handler.values().filter(|argument| argument.body.is_some());
    let Some(first) = marked.next() else {
        return;
    };
    for again in marked {
        diagnostics.error(
            again.body,
            format!(
                "`{}` already takes the whole body\nhelp: remove one `#[body]`",
                first.name
            ),
        );
    }
}

/// As for the request itself, which the compiler knows: see `LeavesTheRest` in the runtime.
pub fn nothing_is_left_beside_the_body(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    let Some(body) = handler.values().find(|argument| argument.body.is_some()) else {
        return;
    };
    let beside = handler.values().find(|argument| {
        argument.body.is_none()
            && handler
                .routes()
                .any(|route| route.method.has_body() && !route.has_parameter(&argument.name))
    });
    if let Some(argument) = beside {
        diagnostics.error(
            argument.identifier,
            format!(
                "`{}` cannot be read from the body, because `#[body] {}` takes all of it\nhelp: bind it by the path, or remove `#[body]`",
                argument.name, body.name
            ),
        );
    }
}

pub fn routes_do_not_collide(diagnostics: &Diagnostics, block: &ObjectImpl<'_>) {
    let mut earlier: Vec<(&Route<'_>, &Handler<'_>)> = Vec::new();
    for handler in &block.handlers {
        for route in handler.routes() {
            let first = earlier.iter().find(|(other, _)| other.collides_with(route));
            let Some((first, owner)) = first else {
                earlier.push((route, handler));
                continue;
            };
            let is_both =
                route.method == HttpMethod::Get && route.is_upgrade() != first.is_upgrade();
            diagnostics.error(
                &route.path,
                format!(
                    "this route matches the same requests as `{} {}` of `{}`{}",
                    first.method.as_str(),
                    first.path.value(),
                    unraw(owner.name),
                    if is_both {
                        ", because an upgrade is a GET"
                    } else {
                        ""
                    },
                ),
            );
        }
    }
}
