//! Many seeds with every kind of fault: nothing acknowledged is lost, everything pending happens.

mod bank;
mod beside;
mod broken;
mod chat_room;
mod clients;
mod connections;
mod counter;
mod deploy;
mod documented;
mod effects;
mod exhaustive;
mod full_disk;
mod hang_ups;
mod inside;
mod listings;
mod lock;
mod network;
mod power;
mod rate_limiter;
mod register;
mod rest;
mod scheduled_task;
mod socket_hub;
mod turns;
mod turns_together;
