//! Many seeds with every kind of fault: nothing acknowledged is lost, everything pending happens.

mod bank;
mod broken;
mod chat_room;
mod clients;
mod connections;
mod counter;
mod deploy;
mod documented;
mod exhaustive;
mod failing;
mod full_disk;
mod inside;
mod lock;
mod power;
mod rate_limiter;
mod register;
mod repeats;
mod reports;
mod scheduled_task;
mod socket_hub;
mod turns;
mod turns_together;
