//! Names that must be distinct: on the wire, in JavaScript, on the stub.

use std::collections::HashMap;

use crate::diag::Diagnostics;
use crate::model::{Handler, ObjectImpl};
use crate::names::{
    camel_case, is_class_name, is_method_of_every_stub, is_reserved_rpc_name, unraw,
};

/// Requires the same names on every target, so that an object that runs natively can be exported.
pub fn class_name_is_valid(diagnostics: &Diagnostics, block: &ObjectImpl<'_>) {
    if is_class_name(&block.class) {
        return;
    }
    match &block.class_option {
        Some(option) => diagnostics.error(
            option,
            "`class` must be an ASCII identifier that is free in Rust and in JavaScript, because it names an exported class\nhelp: write for example `class = \"Counter\"`",
        ),
        None => diagnostics.error(
            block.name,
            format!(
                "JavaScript cannot have an exported class `{}`, which must be an ASCII identifier that is free there\nhelp: name the class, for example `#[durable_object(class = \"Counter\")]`",
                block.class
            ),
        ),
    }
}

pub fn rpc_name_is_free(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    if !handler.is_rpc() {
        return;
    }
    let name = unraw(handler.name);
    let javascript_name = camel_case(&name);
    if name.starts_with('_') {
        diagnostics.error(
            handler.name,
            "methods whose names start with `_` cannot be called through Workers RPC\nhelp: rename the method",
        );
    } else if is_reserved_rpc_name(&javascript_name) {
        diagnostics.error(
            handler.name,
            format!("`{javascript_name}` is reserved by the platform and cannot be an RPC method\nhelp: rename the method, or remove `#[rpc]`"),
        );
    } else if is_method_of_every_stub(&name) {
        diagnostics.error(
            handler.name,
            format!("every stub has a method `{name}` of its own\nhelp: rename the method, or remove `#[rpc]`"),
        );
    }
}

/// Checks that argument names are unique. `by` and `_by` are the same name for callers.
pub fn argument_names_are_unique(diagnostics: &Diagnostics, handler: &Handler<'_>) {
    if !handler.is_called() {
        return;
    }
    let mut owners = HashMap::new();
    for argument in handler.values() {
        if argument.name.is_empty() {
            diagnostics.error(
                argument.identifier,
                "arguments are bound by name, and this one has none\nhelp: write for example `_name`",
            );
            continue;
        }
        let Some(first) = owners.insert(argument.name.as_str(), argument.identifier) else {
            continue;
        };
        // rustc reports two arguments with the same name, including `x` and `r#x`.
        if unraw(first) != unraw(argument.identifier) {
            diagnostics.error(
                argument.identifier,
                format!(
                    "`{}` and `{}` are both `{}` to callers\nhelp: rename one",
                    unraw(first),
                    unraw(argument.identifier),
                    argument.name
                ),
            );
        }
    }
}

pub fn rpc_names_are_unique(diagnostics: &Diagnostics, block: &ObjectImpl<'_>) {
    let mut owners = HashMap::new();
    for handler in block.methods() {
        let javascript_name = camel_case(&unraw(handler.name));
        if let Some(first) = owners.insert(javascript_name.clone(), handler.name) {
            diagnostics.error(
                handler.name,
                format!(
                    "`{}` and `{}` are both `{javascript_name}` to JavaScript\nhelp: rename one",
                    unraw(first),
                    unraw(handler.name)
                ),
            );
        }
    }
}

/// Checks that generated names are free. An object with alarms has a generated `schedules`, whose
/// methods are named after the alarms.
pub fn generated_names_are_free(diagnostics: &Diagnostics, block: &ObjectImpl<'_>) {
    let Some(alarm) = block.alarms().next() else {
        return;
    };
    let handlers = block.handlers.iter().map(|handler| handler.name);
    for method in handlers.chain(&block.raw.helpers) {
        if method == "schedules" {
            diagnostics.error(
                method,
                format!(
                    "an object with alarms has a generated method `schedules`, through which `{}` is scheduled\nhelp: rename this method",
                    unraw(alarm.name)
                ),
            );
        }
    }
    for handler in block.alarms() {
        let name = unraw(handler.name);
        for prefix in ["cancel_", "next_"] {
            let taken = name
                .strip_prefix(prefix)
                .is_some_and(|other| block.alarms().any(|handler| unraw(handler.name) == other));
            if taken {
                diagnostics.error(
                    handler.name,
                    format!(
                        "the schedules of the alarm `{}` already have a method `{name}`\nhelp: rename this alarm",
                        &name[prefix.len()..]
                    ),
                );
            }
        }
    }
}
