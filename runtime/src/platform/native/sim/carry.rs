//! The host's end of a connection that can be cut.

use tokio::time::{sleep, timeout};

use super::super::network::closing::{BROKEN, CLOSE_TIMEOUT, SILENCE};
use super::super::network::frame::{Frame, Outgoing};
use super::super::seam::socket::Socket;
use super::pipe::Pipe;

/// What a connection carries next.
enum Carried {
    Out(Frame),
    In(Frame),
    /// The client is gone, and has announced it.
    End,
}

/// Carries a socket's frames until the connection ends.
pub(in super::super) async fn carry(pipe: Pipe, socket: &Socket, outgoing: Outgoing) {
    pipe.carry(socket, outgoing).await;
}

impl Pipe {
    async fn carry(mut self, socket: &Socket, mut outgoing: Outgoing) {
        loop {
            let incoming = async {
                socket.has_room().await;
                self.incoming.recv().await
            };
            let carried = tokio::select! {
                biased;
                () = self.link.cut_off() => return self.outlive(socket, outgoing, None).await,
                frame = outgoing.next() => Carried::Out(frame),
                frame = incoming => frame.map_or(Carried::End, Carried::In),
            };
            if !matches!(carried, Carried::Out(Frame::Drop) | Carried::End) {
                socket.may_be_cut(&self.link);
            }
            match carried {
                Carried::Out(frame) if self.link.is_cut() => {
                    return self.outlive(socket, outgoing, Some(frame)).await;
                }
                Carried::In(_) if self.link.is_cut() => {}
                Carried::Out(Frame::Drop) => return socket.forget(),
                Carried::Out(Frame::Close { code, reason }) => {
                    // The test's end answers a Close as every client does: at once, with the same
                    // code.
                    let answered = reason.clone();
                    self.send(Frame::Close { code, reason });
                    return socket.closed(code, answered, true);
                }
                Carried::Out(frame) => {
                    outgoing.sent_all_but(0);
                    self.send(frame);
                }
                Carried::In(Frame::Message(message)) => socket.received(message),
                Carried::In(Frame::Close { code, reason }) => {
                    socket.closed_by_peer(code, reason);
                    return self.answer_close(outgoing).await;
                }
                Carried::In(Frame::GoingAway | Frame::Drop) | Carried::End => {
                    return socket.closed(BROKEN, String::new(), false);
                }
            }
        }
    }

    fn send(&self, frame: Frame) {
        // If the other end is gone, the frame is lost.
        let _ = self.outgoing.send(frame);
    }

    async fn answer_close(&self, mut outgoing: Outgoing) {
        let answer = async {
            loop {
                match outgoing.next().await {
                    // The peer no longer listens after its Close.
                    Frame::Message(_) => {}
                    last => return self.send(last),
                }
            }
        };
        let _ = timeout(SILENCE, answer).await;
    }

    /// Sends frames that are lost, until the host notices that the connection was cut. `sent` is
    /// the frame that it was sending.
    async fn outlive(&self, socket: &Socket, mut outgoing: Outgoing, mut sent: Option<Frame>) {
        let last = async {
            loop {
                let frame = match sent.take() {
                    Some(frame) => frame,
                    None => outgoing.next().await,
                };
                match frame {
                    Frame::Message(_) => outgoing.sent_all_but(0),
                    Frame::Drop => return Frame::Drop,
                    goodbye => {
                        // A Close on a cut connection is not answered.
                        sleep(CLOSE_TIMEOUT).await;
                        return goodbye;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = self.link.learned(|cut| cut.host_learns) => {
                socket.closed(BROKEN, String::new(), false);
            }
            last = last => match last {
                Frame::Close { .. } => socket.closed(BROKEN, String::new(), false),
                _ => socket.forget(),
            },
        }
    }
}
