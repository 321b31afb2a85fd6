//! Writes the `tracing` events of the runtime and the user as lines of the Worker's log.

use std::cell::Cell;
use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::js::bindings;

thread_local! {
    static STARTED: Cell<bool> = const { Cell::new(false) };
}

/// Starts logging, unless the user's crate has set a subscriber.
pub(super) fn start() {
    if !STARTED.replace(true) {
        // Fails if a subscriber is set, which is then the user's.
        let _ = tracing::subscriber::set_global_default(Console);
    }
}

/// Handles events only. Spans would need a store, and the platform has its own traces.
struct Console;

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{}{}", line.message, line.fields);
        match *event.metadata().level() {
            Level::ERROR => bindings::log_error(&text),
            Level::WARN => bindings::log_warning(&text),
            _ => bindings::log(&text),
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
