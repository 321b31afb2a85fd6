//! The two transports of a socket's frames, on their way from the handshake to the object.

use hyper::body::Bytes;
use tokio::sync::oneshot;

use super::super::network::admission::Admitted;
use super::super::sim::Pipe;

/// A TCP connection, or a test's channel.
pub(in super::super) enum Transport {
    /// Not bound to a thread: the connection moves to the object's shard, with the bytes read in
    /// advance.
    Tcp {
        stream: std::net::TcpStream,
        admitted: Admitted,
        read: Bytes,
    },
    Memory(Pipe),
}

/// The part of a response with which the server completes the handshake: a channel to the object's
/// shard.
pub(crate) struct Upgrade(oneshot::Sender<Transport>);

impl Upgrade {
    pub(super) fn new() -> (Self, oneshot::Receiver<Transport>) {
        let (connection, upgraded) = oneshot::channel();
        (Self(connection), upgraded)
    }

    /// Passes on the open connection.
    pub(in super::super) fn complete(self, transport: Transport) {
        // If the object was reset meanwhile, dropping the connection tells the peer.
        let _ = self.0.send(transport);
    }
}
