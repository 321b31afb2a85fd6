//! The attributes of this crate, and where each belongs.

use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, Meta, Path, Token};

/// Where an attribute belongs. All of them only have a meaning inside an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Method,
    Field,
    Argument,
}

const OF_FIELDS: [&str; 2] = ["memory", "stored"];
const OF_ARGUMENTS: [&str; 2] = ["body", "query"];

impl Place {
    /// Returns where the attribute `name` belongs, or `None` if it is not for a part of an object.
    pub fn named(name: &str) -> Option<Self> {
        if OF_FIELDS.contains(&name) {
            Some(Self::Field)
        } else if OF_ARGUMENTS.contains(&name) {
            Some(Self::Argument)
        } else if RoleName::ALL
            .into_iter()
            .any(|role| role.attribute() == name)
        {
            Some(Self::Method)
        } else {
            None
        }
    }

    /// Returns where an attribute of this crate belongs, or `None` if it is another crate's.
    pub fn of(attribute: &Attribute, krate: &Path) -> Option<Self> {
        let name = attribute_name(attribute)?.to_string();
        Self::named(&name).filter(|_| is_ours(attribute.path(), &name, krate))
    }

    /// Returns the error for the attribute `name` in another place.
    pub fn message(self, name: &str) -> String {
        match self {
            Self::Method => {
                format!("`#[{name}]` belongs on a method inside a `#[durable_object] impl` block")
            }
            Self::Field => format!(
                "`#[{name}]` belongs on a field of a `#[durable_object]` struct\nhelp: write `#[durable_object] struct Counter {{ #[{name}] value: i64 }}`"
            ),
            Self::Argument => format!(
                "`#[{name}]` belongs on an argument of a route inside a `#[durable_object] impl` block\nhelp: write `fn find(&self, #[{name}] filter: Filter)`"
            ),
        }
    }
}

/// The attributes of methods inside a `#[durable_object]` impl block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoleName {
    Init,
    Rpc,
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Alarm,
    WebSocket,
    Message,
    Close,
    Error,
}

impl RoleName {
    pub const ALL: [Self; 12] = [
        Self::Init,
        Self::Rpc,
        Self::Get,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Alarm,
        Self::WebSocket,
        Self::Message,
        Self::Close,
        Self::Error,
    ];

    pub fn attribute(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Rpc => "rpc",
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Alarm => "alarm",
            Self::WebSocket => "websocket",
            Self::Message => "message",
            Self::Close => "close",
            Self::Error => "error",
        }
    }

    pub(super) fn of(attribute: &Attribute, krate: &Path) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| is_ours(attribute.path(), role.attribute(), krate))
    }
}

/// Whether this is `#[name]`, `#[anchorhold::name]`, or the same through the prelude or another
/// path of the crate.
pub(super) fn is_ours(path: &Path, name: &str, krate: &Path) -> bool {
    let mut segments: Vec<&Ident> = path.segments.iter().map(|segment| &segment.ident).collect();
    if segments.pop().is_none_or(|last| last != name) {
        return false;
    }
    if segments.last().is_some_and(|module| *module == "prelude") {
        segments.pop();
    }
    let krate: Vec<&Ident> = krate
        .segments
        .iter()
        .map(|segment| &segment.ident)
        .collect();
    segments.is_empty()
        || segments == krate
        || matches!(segments.as_slice(), [only] if *only == "anchorhold")
}

/// Whether a `#[cfg_attr(…)]` would add an attribute with one of these names. rustc expands it
/// after this macro.
pub(super) fn is_conditional(attribute: &Attribute, names: &[&str], krate: &Path) -> bool {
    adds(&attribute.meta, &|path| {
        names.iter().any(|name| is_ours(path, name, krate))
    })
}

/// Whether the item under this attribute is missing from some builds: `#[cfg(…)]`, or a
/// `#[cfg_attr(…)]` that would add one.
pub fn is_condition(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") || adds(&attribute.meta, &|path| path.is_ident("cfg"))
}

/// Whether this is a `cfg_attr` that would add an attribute with such a path, directly or through
/// another `cfg_attr`.
fn adds(meta: &Meta, is_wanted: &dyn Fn(&Path) -> bool) -> bool {
    let Meta::List(list) = meta else {
        return false;
    };
    let read = |input: ParseStream<'_>| {
        input.parse::<Meta>()?;
        input.parse::<Token![,]>()?;
        input.parse_terminated(Meta::parse, Token![,])
    };
    list.path.is_ident("cfg_attr")
        && list.parse_args_with(read).is_ok_and(|added| {
            added
                .iter()
                .any(|added| is_wanted(added.path()) || adds(added, is_wanted))
        })
}

/// Removes and returns the attributes with this name.
pub(super) fn strip(attributes: &mut Vec<Attribute>, name: &str, krate: &Path) -> Vec<Attribute> {
    attributes
        .extract_if(.., |attribute| is_ours(attribute.path(), name, krate))
        .collect()
}

/// Returns `get` for `#[anchorhold::get("/")]`, with its span.
pub fn attribute_name(attribute: &Attribute) -> Option<&Ident> {
    attribute.path().segments.last().map(|last| &last.ident)
}
