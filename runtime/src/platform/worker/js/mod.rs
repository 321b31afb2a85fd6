//! The JavaScript side: declarations of it, and failures that cross the boundary.
//!
//! `life.js` owns the life of the WebAssembly instance. `glue.js` and `messagepack.js` save
//! crossings.

pub(super) mod bindings;
pub(super) mod failure;
