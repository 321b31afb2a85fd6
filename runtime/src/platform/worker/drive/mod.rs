//! What drives events on when they are not over at once: tasks, promises, timers, shared commits.

pub(super) mod batching;
pub(super) mod habits;
pub(super) mod memory;
pub(super) mod promise;
pub(super) mod tasks;
pub(super) mod timer;
pub(super) mod wear;
