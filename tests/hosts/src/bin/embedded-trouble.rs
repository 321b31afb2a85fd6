//! The objects that end on purpose, together with those of the demo, on the embedded host.

use anchorhold::prelude::*;
use demo::{ChatRoom, Counter, ScheduledTask, SocketHub};

fn main() -> std::process::ExitCode {
    anchorhold::serve(app)
}

fn app() -> App {
    demo::with_raised_room_limits(conformance::app())
        .mount::<Counter>("/counters/{name}")
        .mount::<ChatRoom>("/rooms/{name}")
        .mount::<ScheduledTask>("/tasks/{name}")
        .mount::<SocketHub>("/hubs/{name}")
}
