//! Drives what is not ready immediately.
//!
//! - [`promise`] and [`tasks`] drive futures. [`memory`] is the activation that they belong to.
//! - [`timer`] knows which context of the platform runs, and shares one of its timers among
//!   sleepers.
//! - [`batching`] lets events that arrive together share a commit. [`habits`] learns which handlers
//!   write.
//! - [`wear`] decides when aborts have worn an instance out.

pub(super) mod batching;
pub(super) mod habits;
pub(super) mod memory;
pub(super) mod promise;
pub(super) mod tasks;
pub(super) mod timer;
pub(super) mod wear;
