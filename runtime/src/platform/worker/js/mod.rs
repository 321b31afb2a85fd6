//! The JavaScript side: its modules, what of it is declared, and failures across the boundary.

pub(super) mod bindings;
pub(super) mod failure;
