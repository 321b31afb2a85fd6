//! The frames sent over one socket, and the queue in which they wait.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::mpsc;

use super::budget::Share;
use crate::socket::Message;

/// A frame to be sent over a socket.
#[derive(Debug)]
pub(in super::super) enum Frame {
    Message(Message),
    Close {
        code: u16,
        reason: String,
    },
    /// The host stops: the peer receives 1001. The object is not told.
    GoingAway,
    /// The connection is dropped without a Close (P62).
    Drop,
}

impl Frame {
    pub(in super::super) fn size(&self) -> usize {
        match self {
            Self::Message(message) => message.size(),
            Self::Close { .. } | Self::GoingAway | Self::Drop => 0,
        }
    }
}

/// The bytes that wait for one peer: in the output gate, in the queue, and in the connection.
#[derive(Clone)]
pub(in super::super) struct Pending(Rc<RefCell<Share>>);

impl Pending {
    pub(in super::super) fn new(share: Share) -> Self {
        Self(Rc::new(RefCell::new(share)))
    }

    pub(in super::super) fn get(&self) -> usize {
        self.0.borrow().bytes()
    }

    pub(in super::super) fn set(&self, bytes: usize) {
        let mut share = self.0.borrow_mut();
        let before = share.bytes();
        share.exceed(bytes.saturating_sub(before));
        share.shrink(before.saturating_sub(bytes));
    }
}

/// The receiving end of a socket's outgoing frames. A frame that was taken counts as pending until
/// it is [sent](Self::sent), or until this is dropped.
pub(in super::super) struct Outgoing {
    frames: mpsc::UnboundedReceiver<Frame>,
    pending: Pending,
    taken: usize,
}

/// Creates a queue of frames. Returns the sending end and the receiving end.
pub(in super::super) fn queue(pending: Pending) -> (mpsc::UnboundedSender<Frame>, Outgoing) {
    let (sender, frames) = mpsc::unbounded_channel();
    let outgoing = Outgoing {
        frames,
        pending,
        taken: 0,
    };
    (sender, outgoing)
}

impl Outgoing {
    pub(in super::super) async fn next(&mut self) -> Frame {
        // The pump's own handle on the socket keeps the sender alive.
        self.frames
            .recv()
            .await
            .map_or(Frame::Drop, |frame| self.take(frame))
    }

    pub(super) fn try_next(&mut self) -> Option<Frame> {
        self.frames.try_recv().ok().map(|frame| self.take(frame))
    }

    fn take(&mut self, frame: Frame) -> Frame {
        self.taken += frame.size();
        frame
    }

    /// Records that all but this many of the bytes taken are sent.
    pub(in super::super) fn sent_all_but(&mut self, bytes: usize) {
        let sent = self.taken.saturating_sub(bytes);
        self.taken -= sent;
        self.pending.set(self.pending.get().saturating_sub(sent));
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // The connection is gone, and with it everything that waited.
        self.pending.set(0);
    }
}
