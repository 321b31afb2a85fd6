//! Attributes of this crate in the wrong place.

use syn::Attribute;

use crate::diag::Diagnostics;
use crate::parse::{Place, attribute_name};

/// Reports an attribute of this crate in the wrong place.
pub fn report_misplaced(diagnostics: &Diagnostics, attribute: &Attribute) {
    let name = attribute_name(attribute).map_or_else(String::new, ToString::to_string);
    match Place::named(&name) {
        // The usual message would be wrong inside the block.
        Some(Place::Method) => diagnostics.error(
            attribute,
            format!("`#[{name}]` can only be applied to a method of the object"),
        ),
        Some(place) => diagnostics.error(attribute, place.message(&name)),
        None => {}
    }
}
