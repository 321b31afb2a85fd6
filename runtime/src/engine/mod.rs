//! One object in memory, the same on each host: its events become turns, which commit or roll back.

pub(crate) mod activation;
pub(crate) mod input;
pub(crate) mod instance;
pub(crate) mod routing;
mod running;
pub(crate) mod running_turn;
pub(crate) mod table;
