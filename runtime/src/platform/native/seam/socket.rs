//! Accepted sockets. They belong to the object's shard and outlive the activation.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use tokio::sync::{Notify, mpsc};

use super::super::network::closing::NO_CODE;
use super::super::network::frame::{self, Frame, Outgoing, Pending};
use super::super::network::waiting::Waiting;
use super::super::sim::Link;
use crate::error::fault::Fault;
use crate::socket::{Message, SocketError};

/// How many bytes may wait for a peer that reads too slowly.
pub(in super::super) const MAX_PENDING: usize = 16 * 1024 * 1024;
/// How many bytes may wait for the peers of one shard's sockets together. Beyond it, only small
/// messages are accepted.
pub(in super::super) const MAX_ALL_PENDING: usize = 128 * 1024 * 1024;
/// How many bytes may wait for any peer, regardless of the others.
const ALWAYS_PENDING: usize = 16 * 1024;
/// The largest message that is always accepted for a peer that has read everything, regardless of
/// the others. Slow peers must not cause messages to fast ones to be refused.
const ALWAYS_IN_FULL: usize = 80 * 1024;
/// How many messages of one socket may wait or run. The next is read from the network when one is
/// done.
const MAX_FLIGHTS: usize = 64;

/// RFC 6455's registry: the server is overloaded.
const TRY_AGAIN_LATER: u16 = 1013;

/// What a socket reports to and asks of its object.
pub(in super::super) trait Owner {
    /// Sends a frame after the writes before it.
    fn emit(&self, socket: Socket, frame: Frame);

    /// Handles a message, by the object's automatic answer or by a turn.
    fn received(&self, socket: Socket, message: Message, flight: Flight);

    /// Removes the socket from the object's list, and tells the object if it should know. Does
    /// nothing for a socket that is not on the list, because it has already ended.
    fn ended(&self, socket: &Socket, end: Option<End>);

    fn failed(&self, socket: Socket, message: String);

    /// Whether this many bytes may wait in addition to those that wait for all peers of the thread.
    fn has_room(&self, bytes: usize) -> bool;

    /// The counter of unfinished messages of the thread's sockets.
    fn unfinished(&self) -> Waiting;

    /// A point where the simulator may cut the connection.
    fn may_be_cut(&self, link: &Link);
}

/// How a connection ended.
pub(in super::super) struct End {
    pub(in super::super) code: u16,
    pub(in super::super) reason: String,
    pub(in super::super) clean: bool,
}

/// One accepted socket.
#[derive(Clone)]
pub(crate) struct Socket(Rc<Core>);

struct Core {
    owner: Weak<dyn Owner>,
    tags: Vec<String>,
    attachment: RefCell<Vec<u8>>,
    outgoing: mpsc::UnboundedSender<Frame>,
    pending: Pending,
    closing: Cell<bool>,
    last_automatic_response: Cell<Option<i64>>,
    /// Whether the peer has closed and waits for the object to close, too (P60).
    owes_close: Cell<bool>,
    flights: Cell<usize>,
    landed: Notify,
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Socket {
    pub(in super::super) fn new(
        owner: Weak<dyn Owner>,
        pending: Pending,
        tags: &[String],
        attachment: &[u8],
    ) -> (Self, Outgoing) {
        let (outgoing, frames) = frame::queue(pending.clone());
        let socket = Self(Rc::new(Core {
            owner,
            tags: tags.to_vec(),
            attachment: RefCell::new(attachment.to_vec()),
            outgoing,
            pending,
            closing: Cell::new(false),
            last_automatic_response: Cell::new(None),
            owes_close: Cell::new(false),
            flights: Cell::new(0),
            landed: Notify::new(),
        }));
        (socket, frames)
    }

    pub(crate) fn send_text(&self, text: &str) -> Result<(), SocketError> {
        self.send(Message::Text(text.to_owned()))
    }

    pub(crate) fn send_binary(&self, bytes: &[u8]) -> Result<(), SocketError> {
        self.send(Message::Binary(bytes.to_vec()))
    }

    pub(crate) fn close(&self, code: u16, reason: &str) -> Result<(), SocketError> {
        self.begin_close()?;
        self.finish_close(code, reason);
        Ok(())
    }

    /// Begins to close: from now on nothing more can be sent. Returns whether the socket owed the
    /// peer this close.
    pub(crate) fn begin_close(&self) -> Result<bool, SocketError> {
        let owed = self.0.owes_close.take();
        if !owed {
            self.check_open()?;
        }
        self.0.closing.set(true);
        Ok(owed)
    }

    pub(crate) fn finish_close(&self, code: u16, reason: &str) {
        self.emit(Frame::Close {
            code,
            reason: reason.to_owned(),
        });
    }

    /// Undoes `begin_close`, because its turn was rolled back.
    pub(crate) fn cancel_close(&self, owed: bool) {
        self.0.owes_close.set(owed);
        self.0.closing.set(owed);
    }

    /// Answers the peer's Close, unless the object has answered it. Without a code, the Close has
    /// no code either.
    pub(crate) fn answer_close(&self, code: Option<u16>, reason: &str) {
        if self.0.owes_close.take() {
            self.emit(Frame::Close {
                code: code.unwrap_or(NO_CODE),
                reason: reason.to_owned(),
            });
        }
    }

    /// Includes what waits for the output gate, because it is also kept in memory.
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the seam's: other platforms do not tell"
    )]
    pub(crate) fn buffered(&self) -> Option<usize> {
        Some(self.0.pending.get())
    }

    fn send(&self, message: Message) -> Result<(), SocketError> {
        self.reserve(message.size())?;
        self.send_reserved(message);
        Ok(())
    }

    /// Reserves room for a message of this many bytes, which is sent or cancelled later.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<(), SocketError> {
        self.check_open()?;
        self.check_room(bytes)?;
        self.0.pending.set(self.0.pending.get() + bytes);
        Ok(())
    }

    pub(crate) fn send_reserved(&self, message: Message) {
        self.emit(Frame::Message(message));
    }

    pub(crate) fn cancel_reservation(&self, bytes: usize) {
        let pending = &self.0.pending;
        pending.set(pending.get().saturating_sub(bytes));
    }

    fn check_room(&self, bytes: usize) -> Result<(), SocketError> {
        let pending = self.0.pending.get();
        if pending + bytes > MAX_PENDING {
            return Err(SocketError::new(format!(
                "the peer reads too slowly: {pending} bytes wait for it, the limit is {MAX_PENDING}; close the socket or send less"
            )));
        }
        if pending == 0 && bytes <= ALWAYS_IN_FULL {
            return Ok(());
        }
        let has_room = |owner: Rc<dyn Owner>| owner.has_room(bytes);
        if pending + bytes > ALWAYS_PENDING && !self.0.owner.upgrade().is_none_or(has_room) {
            return Err(SocketError::new(format!(
                "peers read too slowly: bytes that wait for the peers of this thread are limited to {MAX_ALL_PENDING} in total; close the slowest sockets or send less"
            )));
        }
        Ok(())
    }

    fn check_open(&self) -> Result<(), SocketError> {
        if self.0.closing.get() || self.0.outgoing.is_closed() {
            return Err(SocketError::new("the socket is closed"));
        }
        Ok(())
    }

    /// Passes a frame to the output gate. If the object is gone, its frame is lost.
    fn emit(&self, frame: Frame) {
        if let Some(owner) = self.0.owner.upgrade() {
            owner.emit(self.clone(), frame);
        }
    }

    /// Bypasses the output gate: the frame was released by it, or is the host's own.
    pub(in super::super) fn transmit(&self, frame: Frame) {
        // A closed channel means that the connection is gone. The object has been told.
        let _ = self.0.outgoing.send(frame);
    }

    pub(crate) fn attachment(&self) -> Option<Vec<u8>> {
        Some(self.0.attachment.borrow().clone())
    }

    pub(crate) fn set_attachment(&self, bytes: &[u8]) -> Result<(), SocketError> {
        *self.0.attachment.borrow_mut() = bytes.to_vec();
        Ok(())
    }

    pub(crate) fn tags(&self) -> Vec<String> {
        self.0.tags.clone()
    }

    pub(crate) fn last_automatic_response(&self) -> Option<i64> {
        self.0.last_automatic_response.get()
    }

    pub(super) fn has_tag(&self, tag: &str) -> bool {
        self.0.tags.iter().any(|own| own == tag)
    }

    /// Closes the socket because the host stops.
    pub(in super::super) fn go_away(&self) {
        self.0.closing.set(true);
        self.transmit(Frame::GoingAway);
    }

    /// Drops the connection because the object was reset. The socket is already off its list.
    pub(in super::super) fn cut_off(&self) {
        self.0.closing.set(true);
        self.transmit(Frame::Drop);
    }

    /// Tells the peer to retry later (1013), because the object accepts no more work.
    pub(in super::super) fn refuse(&self, fault: &Fault) {
        if !self.0.closing.replace(true) {
            let (_, code, _) = fault.summary();
            self.transmit(Frame::Close {
                code: TRY_AGAIN_LATER,
                reason: code.to_owned(),
            });
        }
    }

    /// Returns the counter of the unfinished messages of the shard's sockets.
    pub(in super::super) fn unfinished(&self) -> Waiting {
        // If its object is gone, the socket is about to end.
        let owner = self.0.owner.upgrade();
        owner.map_or_else(|| Waiting::new(0), |owner| owner.unfinished())
    }

    /// Waits until the object has room for another message of this socket.
    pub(in super::super) async fn has_room(&self) {
        while self.0.flights.get() >= MAX_FLIGHTS {
            self.0.landed.notified().await;
        }
    }

    /// A point where the simulator may cut the connection.
    pub(in super::super) fn may_be_cut(&self, link: &Link) {
        if let Some(owner) = self.0.owner.upgrade() {
            owner.may_be_cut(link);
        }
    }

    /// Handles a message that arrived.
    pub(in super::super) fn received(&self, message: Message) {
        if let Some(owner) = self.0.owner.upgrade() {
            owner.received(self.clone(), message, Flight::new(self));
        }
    }

    pub(in super::super) fn note_automatic_response(&self, at: i64) {
        self.0.last_automatic_response.set(Some(at));
    }

    /// Tells the object that the peer has closed. The object may answer.
    pub(in super::super) fn closed_by_peer(&self, code: u16, reason: String) {
        self.0.owes_close.set(true);
        self.closed(code, reason, true);
    }

    /// Tells the object once that the connection has ended.
    pub(in super::super) fn closed(&self, code: u16, reason: String, clean: bool) {
        self.end(Some(End {
            code,
            reason,
            clean,
        }));
    }

    pub(in super::super) fn failed(&self, message: String) {
        if let Some(owner) = self.0.owner.upgrade() {
            owner.failed(self.clone(), message);
        }
    }

    /// Ends the socket without telling the object.
    pub(in super::super) fn forget(&self) {
        self.end(None);
    }

    fn end(&self, end: Option<End>) {
        self.0.closing.set(true);
        if let Some(owner) = self.0.owner.upgrade() {
            owner.ended(self, end);
        }
    }
}

/// A message of a socket that waits or runs. It ends when this is dropped.
pub(in super::super) struct Flight(Socket);

impl Flight {
    fn new(socket: &Socket) -> Self {
        socket.0.flights.set(socket.0.flights.get() + 1);
        Self(socket.clone())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let core = &self.0.0;
        core.flights.set(core.flights.get() - 1);
        core.landed.notify_one();
    }
}
