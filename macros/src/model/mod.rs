//! Raw → model: one object as it was declared, checked item by item.
//!
//! The model keeps the user's own nodes, so that every later error has a place to point at.

mod alarm;
mod argument;
mod block;
mod field;
mod handler;
mod message;
mod object;
mod output;
mod role;
mod route;
mod types;

pub use alarm::Recurrence;
pub use argument::{Argument, ArgumentKind, Mark, PassBy, Whole};
pub use block::{ObjectImpl, names_generic_struct};
pub use field::{Durability, Field};
pub use handler::{Handler, Receiver};
pub use message::MessageFormat;
pub use object::Object;
pub use output::Output;
pub use role::{Event, Fit, Role};
pub use route::{HttpMethod, Route};
pub use types::{
    arguments_of, find_in_type, is_named, is_plain_value, is_unit, last_segment, named_type,
    named_types, opaque_type, ungroup,
};

use syn::Attribute;

use crate::diag::Diagnostics;
use crate::parse::{Place, attribute_name};

/// Reports one of our attributes on something that it does not belong on.
fn report_misplaced(diagnostics: &Diagnostics, attribute: &Attribute) {
    let name = attribute_name(attribute).map_or_else(String::new, ToString::to_string);
    match Place::named(&name) {
        // Inside the block, the usual message would not be true.
        Some(Place::Method) => diagnostics.error(
            attribute,
            format!("`#[{name}]` can only be applied to a method of the object"),
        ),
        Some(place) => diagnostics.error(attribute, place.message(&name)),
        None => {}
    }
}
