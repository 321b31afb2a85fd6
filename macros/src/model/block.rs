//! The impl block, and the class to which it adds methods.

use proc_macro2::TokenStream;
use syn::{Attribute, Ident, LitStr, Meta, Path, Type};

use crate::attr::Arguments;
use crate::diag::Diagnostics;
use crate::names::unraw;
use crate::options;
use crate::parse::RawImpl;

use super::misplaced::report_misplaced;
use super::{Handler, is_of_std, is_plain_value, named_type};

/// One `#[durable_object] impl` block.
pub struct ObjectImpl<'a> {
    pub raw: &'a RawImpl,
    /// The type as the block names it: `Counter` or `super::Counter`.
    pub path: &'a Path,
    pub name: &'a Ident,
    /// `class = "…"`, or the name of the struct.
    pub class: String,
    pub class_option: Option<LitStr>,
    pub handlers: Vec<Handler<'a>>,
    /// The path by which the user refers to this framework.
    pub krate: &'a Path,
}

impl<'a> ObjectImpl<'a> {
    pub fn from_raw(
        diagnostics: &Diagnostics,
        mut arguments: Arguments,
        raw: &'a RawImpl,
        krate: &'a Path,
    ) -> Option<Self> {
        let class_option = arguments
            .take("class")
            .and_then(|option| diagnostics.ok_or_report(option.string("class = \"Counter\"")));
        if let Some(option) = arguments.take("migrations") {
            diagnostics.error(
                option.key,
                "`migrations` belong on the struct\nhelp: move them to the struct's `#[durable_object]`",
            );
        }
        arguments.reject_rest(diagnostics, "durable_object", options::OF_IMPL);
        if let Some((path, _)) = &raw.trait_path {
            diagnostics.error(
                path,
                "`#[durable_object]` cannot be used on a trait impl\nhelp: put it on `impl Counter { … }`",
            );
            return None;
        }
        if let Some(second) = raw.again.first() {
            diagnostics.error(
                second,
                "duplicate `#[durable_object]` attribute\nhelp: write all options in one",
            );
        }
        for attribute in &raw.conditional {
            diagnostics.error(
                attribute,
                "`#[cfg_attr]` is expanded too late to make a handler\nhelp: use `#[cfg]` inside the body, or on both the struct and its impl block",
            );
        }
        for attribute in &raw.misplaced {
            report_misplaced(diagnostics, attribute);
        }
        let named = named_type(&raw.self_type)
            .filter(|_| !is_plain_value(&raw.self_type) && !is_of_std(&raw.self_type));
        let Some(path) = named else {
            diagnostics.error(
                &raw.self_type,
                "`#[durable_object]` belongs on the impl block of a struct that you declare\nhelp: write `impl Counter { … }`",
            );
            return None;
        };
        if !raw.generics.params.is_empty() {
            diagnostics.error(
                &raw.generics.params,
                "the impl block of a Durable Object cannot be generic: each object is one concrete class on the platform",
            );
        } else if let Some(where_clause) = &raw.generics.where_clause {
            diagnostics.error(
                where_clause,
                "the impl block of a Durable Object cannot have a `where` clause",
            );
        }
        let name = &path.segments.last()?.ident;
        let mut handlers: Vec<Handler<'a>> = Vec::new();
        for method in raw.handlers() {
            // rustc reports the second of two methods with the same name. Expanding it would add
            // many errors.
            let name = unraw(&method.signature.ident);
            let is_known = handlers.iter().any(|handler| unraw(handler.name) == name)
                || raw.helpers.iter().any(|helper| unraw(helper) == name);
            if is_known {
                continue;
            }
            handlers.extend(Handler::from_raw(diagnostics, handlers.len(), method));
        }
        Some(Self {
            raw,
            path,
            name,
            class: class_option
                .as_ref()
                .map_or_else(|| unraw(name), LitStr::value),
            class_option,
            handlers,
            krate,
        })
    }

    /// Returns the methods of the stub, in the order of the object's table.
    pub fn methods(&self) -> impl Iterator<Item = &Handler<'a>> {
        self.handlers.iter().filter(|handler| handler.is_rpc())
    }

    /// Returns the alarms, each with its method.
    pub fn alarms(&self) -> impl Iterator<Item = &Handler<'a>> {
        self.handlers
            .iter()
            .filter(|handler| handler.alarm().is_some())
    }

    /// Returns the method that handles an event, if there is one.
    pub fn handler_of(&self, event: super::Event) -> Option<&Handler<'a>> {
        self.handlers.iter().find(|handler| handler.has(event))
    }

    /// Returns the `#[cfg]` attributes of the block. All code generated beside it has the same.
    pub fn conditions(&self) -> Vec<&'a Attribute> {
        conditions(&self.raw.attributes)
    }

    /// Returns the lints that the block or one of its methods allows. They also concern generated
    /// code, which names the same types.
    pub fn allowed_lints(&self) -> impl Iterator<Item = &'a TokenStream> {
        let raw = self.raw;
        let of_methods = raw.handlers().flat_map(|method| &method.attributes);
        raw.attributes
            .iter()
            .chain(of_methods)
            .filter_map(allowed_lints)
    }
}

/// Returns the lints of an `#[allow(…)]` or `#[expect(…)]`.
pub fn allowed_lints(attribute: &Attribute) -> Option<&TokenStream> {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("allow") || list.path.is_ident("expect") => {
            Some(&list.tokens)
        }
        _ => None,
    }
}

/// Returns the `#[cfg]` attributes of an item.
pub fn conditions(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .collect()
}

/// Whether the type has generics of its own. The struct's attribute has then reported this.
pub fn names_generic_struct(ty: &Type) -> bool {
    super::last_segment(ty).is_some_and(|segment| !segment.arguments.is_empty())
}
