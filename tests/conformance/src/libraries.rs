//! Objects of other crates, declared in unusual ways. Each crate in `tests/objects` is a user's
//! library.

use anchorhold::prelude::*;

/// The last segment of the paths to each object: `/accounts/edition-2021/{name}` for the object
/// itself, and `/withdrawals/edition-2021` for a handler of its crate that calls it.
pub const LIBRARIES: [&str; 6] = [
    "edition-2021",
    "from-macro",
    "own-names",
    "renamed-dependency",
    "through-reexport",
    "template",
];

/// Adds all of them.
pub fn add(app: App) -> App {
    [
        edition_2021::mount,
        from_macro::mount,
        own_names::mount,
        renamed_dependency::mount,
        through_reexport::mount,
    ]
    .into_iter()
    .fold(app, |app, mount| mount(app))
}
