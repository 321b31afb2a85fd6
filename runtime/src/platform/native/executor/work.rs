//! Work for objects, and what they send.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::super::kernel::ObjectIndex;
use super::super::network::budget::Share;
use super::super::network::frame::Frame;
use super::super::seam::carried::Carried;
use super::super::seam::incoming::{Place, Step};
use super::super::seam::request::Request as PlatformRequest;
use super::super::seam::socket::{Flight, Socket};
use super::super::store::Database;
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::http::Request;
use crate::object::class::Class;
use crate::object::id::RawId;
use crate::socket::Message;
use crate::turn::chain::CallChain;

/// The recipient of an answer. It may be awaited on another thread.
pub(in super::super) struct ReplyTo<T> {
    sender: oneshot::Sender<Answered<T>>,
    /// The number of the call in its run, in the simulator.
    pub(in super::super) call: u32,
    /// Whether the caller is on another thread than the object.
    pub(super) crosses: bool,
}

/// An answer in flight, with its share of the bytes in flight.
pub(in super::super) struct Answered<T> {
    pub(in super::super) result: Result<T, Fault>,
    _share: Option<Share>,
}

impl<T> ReplyTo<T> {
    pub(in super::super) fn new(call: u32) -> (Self, oneshot::Receiver<Answered<T>>) {
        let (sender, answer) = oneshot::channel();
        let reply = Self {
            sender,
            call,
            crosses: false,
        };
        (reply, answer)
    }

    /// Resolves when the caller has disconnected.
    pub(super) fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.sender.poll_closed(context)
    }
}

/// Work in flight to an object, from this shard or another.
pub(in super::super) struct Delivery {
    pub(in super::super) class: &'static Class,
    pub(in super::super) id: RawId,
    /// The name through which the object was addressed, if any.
    pub(in super::super) name: Option<Arc<str>>,
    pub(in super::super) task: Task,
}

/// The kind of work that a caller requests.
pub(in super::super) enum Task {
    Call {
        method: &'static str,
        arguments: Vec<u8>,
        chain: CallChain,
        reply: ReplyTo<Vec<u8>>,
    },
    Fetch {
        // Boxed, because work is moved many times before it runs.
        request: Box<Request>,
        chain: CallChain,
        reply: ReplyTo<Carried>,
    },
}

impl Task {
    /// Records that the object is on another thread than its caller.
    pub(super) fn crosses(&mut self) {
        match self {
            Self::Call { reply, .. } => reply.crosses = true,
            Self::Fetch { reply, .. } => reply.crosses = true,
        }
    }

    pub(super) fn size(&self) -> usize {
        match self {
            Self::Call { arguments, .. } => arguments.len(),
            Self::Fetch { request, .. } => PlatformRequest::size(&request.inner),
        }
    }

    pub(super) fn refuse(self, fault: Fault) {
        match self {
            Self::Call { reply, .. } => answer(reply, Err(fault)),
            Self::Fetch { reply, .. } => answer(reply, Err(fault)),
        }
    }
}

/// Sends the answer. The caller may have disconnected, which is not an error.
pub(super) fn answer<T>(reply: ReplyTo<T>, result: Result<T, Fault>) {
    answer_with(reply, result, None);
}

/// Like [`answer`]. The share is held until the caller has the answer.
pub(super) fn answer_with<T>(reply: ReplyTo<T>, result: Result<T, Fault>, share: Option<Share>) {
    let _ = reply.sender.send(Answered {
        result,
        _share: share,
    });
}

/// An event of one object.
pub(in super::super) enum Work {
    Task(Task),
    Alarm {
        id: RawId,
    },
    Message {
        socket: Socket,
        message: Message,
        flight: Flight,
    },
    Close {
        socket: Socket,
        code: u16,
        reason: String,
        clean: bool,
    },
    Error {
        socket: Socket,
        message: String,
    },
}

/// What an object sends. It waits in the output gate for the writes before it.
pub(in super::super) enum Output {
    Called {
        reply: ReplyTo<Vec<u8>>,
        result: Result<Vec<u8>, Fault>,
    },
    Fetched {
        reply: ReplyTo<Carried>,
        response: Result<Carried, Fault>,
    },
    /// A step of a streaming body.
    Chunk {
        place: Place,
        step: Step,
    },
    /// An outgoing call.
    Delivery(Box<Delivery>),
    Frame {
        socket: Socket,
        frame: Frame,
    },
    /// Sends nothing. A turn waits for the writes to be on disk.
    Barrier(oneshot::Sender<Result<(), StorageError>>),
}

impl Output {
    /// How many bytes it holds in memory.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Called { result, .. } => result.as_ref().map_or(0, Vec::len),
            Self::Fetched { response, .. } => response.as_ref().map_or(0, Carried::body_size),
            Self::Chunk { step, .. } => match step {
                Ok(Some(chunk)) => chunk.len(),
                _ => 0,
            },
            Self::Delivery(delivery) => delivery.task.size(),
            Self::Frame { frame, .. } => frame.size(),
            Self::Barrier(_) => 0,
        }
    }

    /// Fails instead of being sent, because the writes before it are lost. If the turn panicked,
    /// its own caller still receives that fault.
    pub(super) fn fail(self, fault: Fault) {
        match self {
            Self::Called {
                reply,
                result: Err(panicked @ Fault::Panicked),
            } => answer(reply, Err(panicked)),
            Self::Fetched {
                reply,
                response: Err(panicked @ Fault::Panicked),
            } => answer(reply, Ok(panicked.into())),
            Self::Called { reply, .. } => answer(reply, Err(fault)),
            Self::Fetched { reply, .. } => answer(reply, Err(fault)),
            Self::Chunk { place, .. } => drop(place.send(Err(fault))),
            Self::Delivery(delivery) => delivery.task.refuse(fault),
            // The reset that accompanies this drops the open sockets. A socket that waits for the
            // answer to its Close is not among them.
            Self::Frame { socket, .. } => socket.cut_off(),
            Self::Barrier(waiting) => {
                let error = match fault {
                    Fault::Storage(error) => error,
                    other => StorageError::Io(other.summary().2),
                };
                let _ = waiting.send(Err(error));
            }
        }
    }
}

/// Messages to a shard from other threads.
pub(in super::super) enum Inbound {
    Delivery(Box<Delivery>),
    /// The batch in flight is on disk, except for these objects.
    Synced {
        failed: Vec<(ObjectIndex, Fault)>,
    },
    Opened {
        object: ObjectIndex,
        opened: Result<Box<Database>, StorageError>,
    },
    Closed {
        object: ObjectIndex,
    },
    LogShortened {
        object: ObjectIndex,
        database: Box<Database>,
        result: Result<(), StorageError>,
    },
    /// Stop taking connections, finish running turns, close the sockets.
    Drain,
    /// End, even if turns are still running.
    Stop,
}

/// Commands of a host to a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Command {
    Drain,
    Stop,
}
