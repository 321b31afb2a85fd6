//! What the platform calls: the methods of the exported classes, and the Worker's `fetch`.

pub(super) mod class;
pub(super) mod fetch;
