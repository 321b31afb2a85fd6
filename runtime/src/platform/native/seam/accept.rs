//! Accepts sockets for an object.

use std::rc::{Rc, Weak};

use super::super::executor::slot::Slot;
use super::super::kernel::Event;
use super::super::network::frame::Pending;
use super::super::network::transport;
use super::socket::{Owner, Socket};
use super::upgrade::Upgrade;
use crate::socket::SocketError;

/// The maximum number of sockets of one object (P54).
const MAX_SOCKETS: usize = 32_768;

pub(super) fn accept(
    slot: &Rc<Slot>,
    tags: &[String],
    attachment: &[u8],
) -> Result<(Socket, Upgrade), SocketError> {
    if slot.sockets.borrow().len() >= MAX_SOCKETS {
        return Err(SocketError::new(format!(
            "the object has {MAX_SOCKETS} sockets, which is the limit; spread them over more objects"
        )));
    }
    let owner: Weak<dyn Owner> = Rc::<Slot>::downgrade(slot);
    let pending = Pending::new(slot.executor.pending().open());
    let (socket, outgoing) = Socket::new(owner, pending, tags, attachment);
    let (upgrade, upgraded) = Upgrade::new();
    slot.sockets.borrow_mut().push(socket.clone());
    slot.handle(Event::SocketOpened { object: slot.index });
    tokio::task::spawn_local(transport::pump(socket.clone(), upgraded, outgoing));
    Ok((socket, upgrade))
}
