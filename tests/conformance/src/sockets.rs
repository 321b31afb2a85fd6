//! Sockets: a client's message is a command, and the answer is its result.

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

/// The session of a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    pub label: String,
    pub padding: String,
}

/// A command of a client to the probe.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    Describe,
    Fail,
    /// Stores a session with this many bytes of padding.
    SetSession {
        padding: usize,
    },
    AutomaticResponse {
        request: String,
        response: String,
    },
    /// Returns when the last one was sent.
    LastAutomaticResponse,
    Close {
        code: u16,
        reason: String,
    },
    Broadcast {
        tag: Option<String>,
        text: String,
    },
    /// Sets how the probe answers a client's Close: with this code, or not at all.
    AnswerClose {
        code: Option<u16>,
    },
    /// Sends this many bytes, and reports what waits before and after.
    Fill {
        bytes: usize,
    },
    Abort,
}

/// A message to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    Description {
        label: String,
        padding: usize,
        tags: Vec<String>,
        lives: u64,
        commands_in_this_life: u64,
    },
    AutomaticResponse {
        last: Option<Timestamp>,
        now: Timestamp,
    },
    Done {
        count: usize,
    },
    Waiting {
        before: Option<usize>,
        after: Option<usize>,
    },
}

/// The body of a response of the app's own handler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Said {
    pub said: String,
}

/// How a socket closed, as observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub label: String,
    pub code: u16,
    pub reason: String,
    pub clean: bool,
}

/// Accepts sockets, and commands over them.
#[durable_object]
pub struct SocketProbe {
    lives: u64,
    closes: Vec<Closed>,
    answer_close: Option<u16>,
    #[memory]
    commands: u64,
}

#[durable_object]
impl SocketProbe {
    #[init]
    fn wake(&mut self) {
        self.lives += 1;
    }

    #[websocket("/ws")]
    fn connect(
        &self,
        label: String,
        tags: Option<String>,
        padding: Option<usize>,
    ) -> Accept<Session> {
        let session = Session {
            label,
            padding: "x".repeat(padding.unwrap_or(0)),
        };
        let tags = tags.unwrap_or_default();
        tags.split(',')
            .filter(|tag| !tag.is_empty())
            .fold(Accept::new(session), Accept::tag)
            .protocols(["second.probe", "first.probe"])
    }

    #[message]
    fn command(
        &mut self,
        ctx: &Ctx,
        socket: &Socket<Session>,
        command: Command,
    ) -> Result<(), Error> {
        self.commands += 1;
        let sockets = ctx.sockets::<Session>();
        let mut count = 0;
        match command {
            Command::Describe => {
                socket.send(&self.description(socket)?)?;
                return Ok(());
            }
            Command::Fail => return Err(Error::conflict("as_told", "this command fails")),
            Command::SetSession { padding } => {
                let label = socket.session()?.label;
                socket.set_session(&Session {
                    label,
                    padding: "x".repeat(padding),
                })?;
            }
            Command::AutomaticResponse { request, response } => {
                sockets.set_automatic_response(Some((&request, &response)))?;
            }
            Command::LastAutomaticResponse => {
                let last = socket.last_automatic_response();
                let now = ctx.now();
                return Ok(socket.send(&Told::AutomaticResponse { last, now })?);
            }
            Command::Close { code, reason } => return Ok(socket.close(code, &reason)?),
            Command::Broadcast {
                tag: Some(tag),
                text,
            } => count = sockets.broadcast_tagged(&tag, &text)?,
            Command::Broadcast { tag: None, text } => {
                count = sockets.broadcast_except(socket, &text)?
            }
            Command::Fill { bytes } => {
                let before = socket.buffered();
                socket.send_bytes(&vec![0; bytes])?;
                let after = socket.buffered();
                return Ok(socket.send(&Told::Waiting { before, after })?);
            }
            Command::AnswerClose { code } => self.answer_close = code,
            Command::Abort => ctx.abort("as told"),
        }
        Ok(socket.send(&Told::Done { count })?)
    }

    fn description(&self, socket: &Socket<Session>) -> Result<Told, SocketError> {
        let Session { label, padding } = socket.session()?;
        Ok(Told::Description {
            label,
            padding: padding.len(),
            tags: socket.tags(),
            lives: self.lives,
            commands_in_this_life: self.commands,
        })
    }

    #[close]
    fn closed(&mut self, socket: &Socket<Session>, event: CloseEvent) -> Result<(), Error> {
        let label = socket.session()?.label;
        if let Some(code) = self.answer_close {
            socket.close(code, &event.reason)?;
        }
        self.closes.push(Closed {
            label,
            code: event.code,
            reason: event.reason,
            clean: event.clean,
        });
        Ok(())
    }

    #[post("/echo")]
    fn echo(&self, said: String) -> String {
        said
    }

    #[get("/closes")]
    fn closes(&self) -> Vec<Closed> {
        self.closes.clone()
    }

    #[get("/count")]
    fn count(&self, ctx: &Ctx) -> usize {
        ctx.sockets::<Session>().len()
    }
}
