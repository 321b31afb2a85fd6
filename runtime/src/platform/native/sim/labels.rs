//! How the trace names objects, what they do and what they send.

use std::fmt;
use std::sync::Arc;

use super::super::executor::work::{Delivery, Output, Task, Work};
use super::super::network::frame::Frame;
use super::pending_run::PendingRun;
use crate::codec::message_pack;
use crate::error::fault::Fault;
use crate::object::id::RawId;
use crate::socket::Message;

/// How many characters of a value or a name a line shows.
const SHOWN: usize = 60;
/// Values of more bytes are not decoded for a line.
const LOOKED_AT: usize = 1_000;

/// An object: its class, and its name or the beginning of its identifier.
pub(super) struct Named {
    pub(super) class: &'static str,
    pub(super) name: Option<Arc<str>>,
    id: RawId,
}

impl Named {
    pub(super) fn new(class: &'static str, id: RawId) -> Self {
        let name = None;
        Self { class, name, id }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, name, id } = self;
        match name {
            Some(name) => write!(formatter, "{class} {}", short(format!("{name:?}"))),
            None => write!(formatter, "{class} {}", &id.to_string()[..8]),
        }
    }
}

pub(in super::super) fn label_of_work(work: &Work) -> String {
    match work {
        Work::Task(task) => label_of_task(task),
        Work::Alarm { .. } => "alarm".to_owned(),
        Work::Message { message, .. } => format!("message {}", label_of_message(message)),
        Work::Close { code, .. } => format!("close {code}"),
        Work::Error { message, .. } => format!("error {}", short(format!("{message:?}"))),
    }
}

/// Calls and requests are numbered, so that the trace can tell their answers apart.
fn label_of_task(task: &Task) -> String {
    match task {
        Task::Call {
            method,
            arguments,
            reply,
            ..
        } => {
            let arguments = values(arguments).join(", ");
            format!("{method}({}) #{}", short(arguments), reply.call)
        }
        Task::Fetch { request, reply, .. } => {
            let address = short(request.path().into_owned());
            format!("fetch {} {address} #{}", request.method(), reply.call)
        }
    }
}

/// The kind of output, and its contents.
pub(super) fn label_of_output(
    output: &Output,
    name_of: impl FnOnce(&Delivery) -> String,
) -> (String, String) {
    match output {
        Output::Called { reply, result } => {
            let result = match result {
                Ok(value) => format!("ok {}", short(values(value).join(", "))),
                Err(fault) => summary(fault),
            };
            (format!("answer #{}", reply.call), result)
        }
        Output::Fetched { reply, response } => {
            let status = match response {
                Ok(response) => response.status.to_string(),
                Err(fault) => summary(fault),
            };
            (format!("answer #{}", reply.call), status)
        }
        Output::Chunk { step, .. } => {
            let what = match step {
                Ok(Some(chunk)) => format!("{} bytes", chunk.len()),
                Ok(None) => "end".to_owned(),
                Err(fault) => summary(fault),
            };
            ("chunk".to_owned(), what)
        }
        Output::Delivery(delivery) => {
            let task = label_of_task(&delivery.task);
            (
                "call".to_owned(),
                format!("{task} of {}", name_of(delivery)),
            )
        }
        Output::Frame { frame, .. } => ("frame".to_owned(), label_of_frame(frame)),
        Output::Barrier(_) => ("sync".to_owned(), String::new()),
    }
}

/// The run's alarm, its key if it has one, and the number of its try.
pub(super) fn label_of_run(run: &PendingRun) -> String {
    let PendingRun {
        alarm, key, tries, ..
    } = run;
    let key = match key.as_str() {
        "" => String::new(),
        key => format!(" {}", short(format!("{key:?}"))),
    };
    match tries {
        0 => format!("{alarm}{key}"),
        tries => format!("{alarm}{key}, try {}", tries + 1),
    }
}

fn label_of_frame(frame: &Frame) -> String {
    match frame {
        Frame::Message(message) => label_of_message(message),
        Frame::Close { code, .. } => format!("close {code}"),
        Frame::GoingAway => "going away".to_owned(),
        Frame::Drop => "connection dropped".to_owned(),
    }
}

fn label_of_message(message: &Message) -> String {
    match message {
        Message::Text(text) if text.len() <= LOOKED_AT => short(format!("{text:?}")),
        Message::Text(text) => format!("{} bytes of text", text.len()),
        Message::Binary(bytes) => format!("{} bytes", bytes.len()),
    }
}

/// Formats consecutive encoded values as JSON.
fn values(mut bytes: &[u8]) -> Vec<String> {
    if bytes.len() > LOOKED_AT {
        return vec![format!("{} bytes", bytes.len())];
    }
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let Ok(value) = message_pack::next_to_json(&mut bytes) else {
            values.push("…".to_owned());
            break;
        };
        values.push(String::from_utf8_lossy(&value).into_owned());
    }
    values
}

fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The status and code.
pub(super) fn summary(fault: &Fault) -> String {
    let (status, code, _) = fault.summary();
    format!("{status} {code}")
}
