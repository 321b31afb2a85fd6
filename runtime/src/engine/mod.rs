//! One object in memory, the same on each host.
//!
//! - [`instance`] loads the object and runs its turns. `running` commits a turn or rolls it back.
//! - [`routing`] makes turns of requests and socket events. [`input`] holds an event's arguments.
//! - [`table`] describes what a class can do, as the macro wrote it.
//! - [`activation`] is what the handles of one activation share. [`running_turn`] is the turn whose
//!   code runs.

pub(crate) mod activation;
pub(crate) mod input;
pub(crate) mod instance;
pub(crate) mod routing;
mod running;
pub(crate) mod running_turn;
pub(crate) mod table;
