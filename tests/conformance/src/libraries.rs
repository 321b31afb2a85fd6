//! Objects of other crates, made in ways of their own: each crate under `tests/objects` is a user's library.

use anchorhold::prelude::*;

/// The last segment of the paths that lead to each object: `/accounts/edition-2021/{name}` to the object itself,
/// `/withdrawals/edition-2021` to a handler of its crate that calls it.
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
