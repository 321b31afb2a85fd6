//! Many seeds with every kind of fault: nothing acknowledged is lost, everything pending happens.

mod bank;
mod lock;
mod register;
mod turns;
