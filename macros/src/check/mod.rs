//! Rules across items. Each is one function, called from one of the two lists below.

mod arguments;
mod events;
mod names;
mod routes;

use std::collections::HashMap;

use crate::diag::Diagnostics;
use crate::model::{Durability, Field, Fit, Handler, Object, ObjectImpl};
use crate::names::unraw;

pub fn check_struct(diagnostics: &Diagnostics, object: &Object<'_>) {
    keys_are_unique(diagnostics, object);
}

pub fn check_impl(diagnostics: &Diagnostics, block: &ObjectImpl<'_>) {
    names::class_name_is_valid(diagnostics, block);
    for handler in &block.handlers {
        let earlier = diagnostics.count();
        roles_fit_together(diagnostics, handler);
        if diagnostics.count() > earlier {
            // It is unknown what its events provide.
            continue;
        }
        arguments::arguments_are_provided(diagnostics, handler);
        arguments::context_is_asked_for_once(diagnostics, handler);
        names::rpc_name_is_free(diagnostics, handler);
        names::argument_names_are_unique(diagnostics, handler);
        events::init_takes_the_object(diagnostics, handler);
        events::upgrade_answers(diagnostics, handler);
        events::message_is_taken(diagnostics, handler);
        routes::route_parameters_have_arguments(diagnostics, handler);
        routes::arguments_fit_their_place(diagnostics, handler);
        routes::marks_need_a_route(diagnostics, handler);
        routes::parts_are_taken_once(diagnostics, handler);
        routes::nothing_is_left_beside_a_part(diagnostics, handler);
    }
    names::rpc_names_are_unique(diagnostics, block);
    names::generated_names_are_free(diagnostics, block);
    routes::routes_do_not_collide(diagnostics, block);
    events::one_handler_per_event(diagnostics, block);
    if diagnostics.count() == 0 {
        // An invalid attribute may be the cause.
        events::sockets_are_accepted(diagnostics, block);
    }
}

fn durable_keys<'o>(object: &'o Object<'_>) -> impl Iterator<Item = (&'o str, &'o Field<'o>)> {
    object
        .fields
        .iter()
        .filter_map(|field| match &field.durability {
            Durability::Durable { key, .. } => Some((key.as_str(), field)),
            Durability::Memory => None,
        })
}

fn keys_are_unique(diagnostics: &Diagnostics, object: &Object<'_>) {
    let mut owners = HashMap::new();
    for (key, field) in durable_keys(object) {
        if let Some(first) = owners.insert(key, field.name) {
            diagnostics.error_at(
                field.key_span,
                format!(
                    "the key `{key}` is already used by the field `{}`\nhelp: give this field another with `#[stored(key = \"…\")]`",
                    unraw(first)
                ),
            );
        }
    }
}

fn roles_fit_together(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    for (index, role) in handler.roles.iter().enumerate() {
        for earlier in &handler.roles[..index] {
            match earlier.event().fits(role.event()) {
                Fit::Together => continue,
                Fit::Duplicate => diagnostics.error(
                    role.attribute(),
                    format!("duplicate `#[{}]` attribute", role.name()),
                ),
                Fit::Apart => diagnostics.error(
                    role.attribute(),
                    format!(
                        "`#[{}]` cannot share a method with `#[{}]`\nhelp: move common code into a helper method",
                        role.name(),
                        earlier.name()
                    ),
                ),
            }
            return;
        }
    }
}
