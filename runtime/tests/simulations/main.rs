//! Many seeds with every kind of fault: nothing acknowledged is lost, everything pending happens.

mod bank;
mod deploy;
mod exhaustive;
mod inside;
mod lock;
mod power;
mod register;
mod turns;
