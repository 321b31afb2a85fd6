//! Rules of HTTP routes: what binds each argument, and which requests each route receives.

use quote::ToTokens;
use syn::Type;

use crate::diag::Diagnostics;
use crate::model::{
    Argument, Event, Handler, HttpMethod, Mark, ObjectImpl, PassBy, Route, Whole, is_plain_value,
    ungroup,
};
use crate::names::{did_you_mean, unraw};

pub fn route_parameters_have_arguments(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for route in handler.routes() {
        for parameter in route.parameters() {
            let names = || handler.values().map(|argument| argument.name.as_str());
            if names().any(|name| name == parameter) {
                continue;
            }
            let other = handler
                .arguments
                .iter()
                .find(|argument| argument.name == parameter);
            if let Some(other) = other {
                diagnostics.error(
                    &route.path,
                    format!(
                        "the path cannot bind `{parameter}`, because `{}` is not a value of the call\nhelp: give the parameter another name",
                        other.name
                    ),
                );
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

/// Checks that arguments fit their source. A path and a query string are text. GET, DELETE and an
/// upgrade have no body.
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

/// Returns why the route cannot provide the argument, if the text shows it.
fn misplaced<'a>(
    route: &Route<'_>,
    argument: &'a Argument<'_>,
) -> Option<(&'a dyn ToTokens, String)> {
    let in_path = route.has_parameter(&argument.name);
    if let Some(mark) = &argument.mark {
        return misplaced_mark(route, argument, mark, in_path)
            .map(|message| (mark.attribute as &dyn ToTokens, message));
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

/// Returns why the route cannot provide a whole part of the request.
fn misplaced_mark(
    route: &Route<'_>,
    argument: &Argument<'_>,
    mark: &Mark<'_>,
    in_path: bool,
) -> Option<String> {
    let (name, part) = (mark.whole.attribute(), mark.whole.part());
    if in_path {
        return Some(format!(
            "`{}` is already bound by the path\nhelp: remove `#[{name}]`, which decodes the whole {part}",
            argument.name
        ));
    }
    if mark.whole == Whole::Body && !route.method.has_body() {
        return Some(format!(
            "a {} request has no body\nhelp: use `#[post]`, `#[put]` or `#[patch]`, or remove `#[body]`",
            route.method.as_str()
        ));
    }
    if mark.whole == Whole::Query && !may_have_fields(argument.pass_by()?) {
        return Some(format!(
            "`#[query]` decodes the whole query string into a struct\nhelp: write `#[query] {}: Filter`, or remove `#[query]` to read one value by its name",
            argument.name
        ));
    }
    None
}

/// Returns `false` if the text of the type shows that it has no fields.
fn may_have_fields(pass_by: PassBy<'_>) -> bool {
    match pass_by {
        PassBy::Text | PassBy::Bytes => false,
        PassBy::Value(ty) => !is_plain_value(ty),
    }
}

/// Returns `false` if the text of the type shows a list or a tuple, which cannot be read from a
/// single text. See also `OneText` in the runtime.
fn is_one_text(ty: &Type) -> bool {
    !matches!(
        ungroup(ty),
        Type::Tuple(_) | Type::Array(_) | Type::Slice(_)
    )
}

pub fn marks_need_a_route(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    // `#[init]` takes no values, which was reported.
    if handler.routes().next().is_some() || handler.has(Event::Init) {
        return;
    }
    for mark in handler
        .values()
        .filter_map(|argument| argument.mark.as_ref())
    {
        let (name, part) = (mark.whole.attribute(), mark.whole.part());
        diagnostics.error(
            mark.attribute,
            format!("only a route has a {part}\nhelp: remove `#[{name}]`"),
        );
    }
}

pub fn parts_are_taken_once(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for whole in Whole::ALL {
        let mut taking = handler.values().filter(|argument| argument.takes(whole));
        let Some(first) = taking.next() else {
            continue;
        };
        for again in taking.filter_map(|argument| argument.mark.as_ref()) {
            diagnostics.error(
                again.attribute,
                format!(
                    "`{}` already takes the whole {}\nhelp: remove one `#[{}]`",
                    first.name,
                    whole.part(),
                    whole.attribute()
                ),
            );
        }
    }
}

/// Like the check for the request itself, which the compiler recognises: see `LeavesTheRest` in the
/// runtime.
pub fn nothing_is_left_beside_a_part(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for argument in handler.values().filter(|argument| argument.mark.is_none()) {
        let taken = handler.routes().find_map(|route| {
            let part = route.part_of_names();
            let owner = handler.values().find(|other| other.takes(part))?;
            (!route.has_parameter(&argument.name)).then_some((owner, part))
        });
        if let Some((owner, part)) = taken {
            let name = part.attribute();
            diagnostics.error(
                argument.identifier,
                format!(
                    "`{}` cannot be read from the {}, because `#[{name}] {}` takes all of it\nhelp: bind it by the path, or remove `#[{name}]`",
                    argument.name,
                    part.part(),
                    owner.name
                ),
            );
        }
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
