//! One event that invokes a method: the source of its arguments, and its result.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use std::any::Any;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{message_pack, text};
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::macro_support::bounds::Argument;
use crate::schedule::AlarmRun;
use crate::socket::{Accepted, CloseEvent, Message, Socket, SocketError};

/// The outcome of a handler.
pub type Outcome = Result<Reply, Fault>;

/// A handler's result, encoded.
pub enum Reply {
    /// MessagePack.
    Value(Vec<u8>),
    Response(Response),
    Accept(Accepted),
}

/// The event, from which the generated handler reads its arguments.
pub struct Input {
    pub(crate) source: Source,
}

pub(crate) enum Source {
    /// An RPC: values one after another. `rest` is the start of the next one.
    Encoded {
        bytes: Vec<u8>,
        rest: usize,
    },
    Http(Box<HttpArguments>),
    Socket {
        socket: crate::platform::Socket,
        event: SocketEvent,
    },
    Alarm {
        payload: Vec<u8>,
        run: AlarmRun,
    },
    Nothing,
}

pub(crate) struct HttpArguments {
    /// Values from the path, then from the query string.
    pub(crate) text: Vec<(String, String)>,
    /// The whole query string, for the argument that is decoded from it.
    pub(crate) query: Option<Vec<(String, String)>>,
    pub(crate) body: HttpBody,
    pub(crate) request: Option<Request>,
}

pub(crate) enum HttpBody {
    None,
    Fields(serde_json::Map<String, serde_json::Value>),
    Whole(Vec<u8>),
}

#[derive(Clone)]
pub(crate) enum SocketEvent {
    Message(Message),
    Close(CloseEvent),
    Error(SocketError),
}

fn misplaced(what: &str) -> Fault {
    Fault::BadRequest(format!("this event has no {what}"))
}

impl Input {
    pub(crate) fn new(source: Source) -> Self {
        Self { source }
    }

    /// Returns the argument with number `index` and name `name`.
    pub fn argument<T: Argument>(&mut self, index: usize, name: &'static str) -> Result<T, Fault> {
        match &mut self.source {
            Source::Encoded { bytes, rest } => next_encoded(bytes, rest, index, name),
            Source::Http(http) => http.named(name),
            _ => Err(misplaced(&format!("argument `{name}`"))),
        }
    }

    /// Returns the argument that is decoded from the whole body. In an RPC it is an ordinary
    /// argument.
    pub fn body<T: Argument>(&mut self, index: usize, name: &'static str) -> Result<T, Fault> {
        match &mut self.source {
            Source::Encoded { bytes, rest } => next_encoded(bytes, rest, index, name),
            Source::Http(http) => http.whole_body(),
            _ => Err(misplaced("body")),
        }
    }

    /// Returns the argument that is decoded from the whole query string. In an RPC it is an
    /// ordinary argument.
    pub fn query<T: Argument>(&mut self, index: usize, name: &'static str) -> Result<T, Fault> {
        match &mut self.source {
            Source::Encoded { bytes, rest } => next_encoded(bytes, rest, index, name),
            Source::Http(http) => http.whole_query(),
            _ => Err(misplaced("query string")),
        }
    }

    pub fn request(&mut self) -> Result<Request, Fault> {
        match &mut self.source {
            Source::Http(http) => http.request.take().ok_or_else(|| misplaced("request")),
            _ => Err(misplaced("request")),
        }
    }

    pub fn socket<S>(&self) -> Result<Socket<S>, Fault> {
        match &self.source {
            Source::Socket { socket, .. } => Ok(Socket::new(socket.clone())),
            _ => Err(misplaced("socket")),
        }
    }

    /// Returns the message, decoded from JSON.
    pub fn message<T: Argument>(&mut self) -> Result<T, Fault> {
        let json = match &self.source {
            Source::Socket {
                event: SocketEvent::Message(Message::Text(text)),
                ..
            } => text.as_bytes(),
            Source::Socket {
                event: SocketEvent::Message(Message::Binary(bytes)),
                ..
            } => bytes,
            _ => return Err(misplaced("message")),
        };
        from_json(json, "message")
    }

    pub fn text(&mut self) -> Result<String, Fault> {
        match &mut self.source {
            Source::Socket {
                event: SocketEvent::Message(Message::Text(text)),
                ..
            } => Ok(std::mem::take(text)),
            _ => Err(misplaced("text message")),
        }
    }

    pub fn binary(&mut self) -> Result<Vec<u8>, Fault> {
        match &mut self.source {
            Source::Socket {
                event: SocketEvent::Message(Message::Binary(bytes)),
                ..
            } => Ok(std::mem::take(bytes)),
            _ => Err(misplaced("binary message")),
        }
    }

    pub fn close_event(&mut self) -> Result<CloseEvent, Fault> {
        match &self.source {
            Source::Socket {
                event: SocketEvent::Close(event),
                ..
            } => Ok(event.clone()),
            _ => Err(misplaced("close event")),
        }
    }

    pub fn socket_error(&mut self) -> Result<SocketError, Fault> {
        match &self.source {
            Source::Socket {
                event: SocketEvent::Error(error),
                ..
            } => Ok(error.clone()),
            _ => Err(misplaced("socket error")),
        }
    }

    pub fn payload<T: Argument>(&mut self) -> Result<T, Fault> {
        match &self.source {
            Source::Alarm { payload, .. } => message_pack::decode(payload).map_err(|message| {
                Fault::Undecodable(format!("the alarm's payload cannot be read: {message}"))
            }),
            _ => Err(misplaced("alarm payload")),
        }
    }

    pub fn alarm_run(&mut self) -> Result<AlarmRun, Fault> {
        match &self.source {
            Source::Alarm { run, .. } => Ok(run.clone()),
            _ => Err(misplaced("alarm")),
        }
    }
}

fn from_json<T: DeserializeOwned>(json: &[u8], whole: &str) -> Result<T, Fault> {
    let misfit = match message_pack::from_json(json) {
        Ok(bytes) => match message_pack::decode_foreign(&bytes) {
            Ok(value) => return Ok(value),
            Err(misfit) => misfit,
        },
        Err(message) => message_pack::Misfit {
            field: None,
            message,
        },
    };
    Err(misfit.into_fault(whole))
}

impl message_pack::Misfit {
    /// Returns the error for the client. `whole` names the value that contains the misfit.
    fn into_fault(self, whole: &str) -> Fault {
        let what = self
            .field
            .map_or_else(|| whole.to_owned(), |field| format!("`{field}`"));
        Fault::BadRequest(format!("invalid {what}: {}", self.message))
    }
}

fn next_encoded<T: DeserializeOwned>(
    bytes: &[u8],
    rest: &mut usize,
    index: usize,
    name: &str,
) -> Result<T, Fault> {
    let mut remaining = &bytes[*rest..];
    if remaining.is_empty() {
        // An older caller does not know an argument that was added since, so the argument must be
        // optional.
        return message_pack::decode(message_pack::NIL).map_err(|_| {
            Fault::BadRequest(format!("argument {} (`{name}`) is missing", index + 1))
        });
    }
    let value = message_pack::decode_next(&mut remaining).map_err(|message| {
        Fault::BadRequest(format!(
            "invalid argument {} (`{name}`): {message}",
            index + 1
        ))
    })?;
    *rest = bytes.len() - remaining.len();
    Ok(value)
}

impl HttpArguments {
    fn whole_body<T: Argument>(&self) -> Result<T, Fault> {
        let HttpBody::Whole(json) = &self.body else {
            return Err(misplaced("body"));
        };
        let json: &[u8] = if json.is_empty() { b"null" } else { json };
        from_json(json, "body")
    }

    fn whole_query<T: Argument>(&self) -> Result<T, Fault> {
        let Some(pairs) = &self.query else {
            return Err(misplaced("query string"));
        };
        text::decode_query(pairs).map_err(|misfit| misfit.into_fault("query string"))
    }

    fn named<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, Fault> {
        if let Some((_, value)) = self.text.iter().find(|(key, _)| key == name) {
            return text::decode(value)
                .map_err(|message| Fault::BadRequest(format!("invalid `{name}`: {message}")));
        }
        let field = match &mut self.body {
            HttpBody::Fields(fields) => fields.remove(name),
            _ => None,
        };
        match field {
            Some(value) => message_pack::encode(&value)
                .and_then(|bytes| message_pack::decode(&bytes))
                .map_err(|message| Fault::BadRequest(format!("invalid `{name}`: {message}"))),
            None => message_pack::decode(message_pack::NIL)
                .map_err(|_| Fault::BadRequest(format!("`{name}` is missing{}", self.place()))),
        }
    }

    /// The place where an argument was expected. A common mistake is a value in the query string of
    /// a POST.
    fn place(&self) -> &'static str {
        match self.body {
            HttpBody::Fields(_) => " in the JSON body",
            _ => " in the query string",
        }
    }
}

pub(crate) fn encode_result<T: Serialize + ?Sized>(value: &T) -> Outcome {
    message_pack::encode(value)
        .map(Reply::Value)
        .map_err(|message| Fault::Undecodable(format!("the result cannot be encoded: {message}")))
}

fn wrong_class() -> Fault {
    Fault::Configuration("the object in memory is of another class".to_owned())
}

/// Returns the object behind an erased reference.
pub fn object_ref<T: Any>(object: &dyn Any) -> Result<&T, Fault> {
    object.downcast_ref().ok_or_else(wrong_class)
}

/// Returns the object behind an erased mutable reference.
pub fn object_mut<T: Any>(object: &mut dyn Any) -> Result<&mut T, Fault> {
    object.downcast_mut().ok_or_else(wrong_class)
}
