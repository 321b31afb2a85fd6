//! Our attributes on what they do not belong on.

use syn::Attribute;

use crate::diag::Diagnostics;
use crate::parse::{Place, attribute_name};

/// Reports one of our attributes on something that it does not belong on.
pub fn report_misplaced(diagnostics: &Diagnostics, attribute: &Attribute) {
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
