//! The two things a socket's frames travel over: a TCP connection, or a test's channel.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as WireMessage};

use super::budget::Budget;
use super::peer::Peer;
use super::socket::{Frame, NO_CODE, Outgoing, Socket};
use crate::socket::Message;
use crate::user_code::Guarded;

/// An incoming message (P56).
const MAX_MESSAGE: usize = 32 * 1024 * 1024;
/// Small: there may be tens of thousands of sockets.
const BUFFER: usize = 4 * 1024;
/// A peer that is silent this long is asked for a sign of life, and after as long again given up.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a message may take from its first byte to its last.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(120);
/// The bytes of a control frame of a client beside its payload: two, and the mask.
const CONTROL_HEAD: usize = 6;
/// How long a peer may take to answer a Close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// RFC 6455: stands for a connection that ended without a Close; never sent.
const BROKEN: u16 = 1006;
const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;
const TOO_BIG: u16 = 1009;
const TRY_AGAIN_LATER: u16 = 1013;

/// What the unfinished messages of one shard's sockets hold together. A socket whose message finds no
/// room is closed with 1013.
pub(super) const MAX_UNFINISHED: usize = 128 * 1024 * 1024;

pub(super) enum Transport {
    /// Not bound to a thread: the connection moves to the object's shard, with the bytes read too far.
    Tcp(std::net::TcpStream, Bytes),
    Memory(Pipe),
}

/// One end of a connection without a network.
pub(super) struct Pipe {
    pub(super) incoming: mpsc::UnboundedReceiver<Frame>,
    pub(super) outgoing: mpsc::UnboundedSender<Frame>,
}

impl Pipe {
    pub(super) fn pair() -> (Self, Self) {
        let (to_second, from_first) = mpsc::unbounded_channel();
        let (to_first, from_second) = mpsc::unbounded_channel();
        (
            Self {
                incoming: from_second,
                outgoing: to_second,
            },
            Self {
                incoming: from_first,
                outgoing: to_first,
            },
        )
    }
}

/// Carries a socket's frames both ways until the connection ends.
pub(super) async fn pump(
    socket: Socket,
    upgraded: oneshot::Receiver<Transport>,
    outgoing: Outgoing,
) {
    let pumped = Guarded::new(Box::pin(carry(&socket, upgraded, outgoing)));
    if pumped.await.is_err() {
        tracing::error!("a socket's traffic panicked");
        socket.closed(BROKEN, String::new(), false);
    }
}

async fn carry(socket: &Socket, upgraded: oneshot::Receiver<Transport>, outgoing: Outgoing) {
    match upgraded.await {
        Ok(Transport::Tcp(stream, read)) => match open(stream, read, socket.unfinished()).await {
            Ok(stream) => pump_tcp(socket, stream, outgoing).await,
            Err(error) => {
                tracing::warn!(%error, "taking over a socket's connection");
                socket.closed(BROKEN, String::new(), false);
            }
        },
        Ok(Transport::Memory(pipe)) => pump_pipe(socket, pipe, outgoing).await,
        // The peer went away during the handshake, or the response was never sent.
        Err(_) => socket.closed(BROKEN, String::new(), false),
    }
}

type Stream = WebSocketStream<Peer<TcpStream>>;

async fn open(
    stream: std::net::TcpStream,
    read: Bytes,
    unfinished: Option<Budget>,
) -> std::io::Result<Stream> {
    let mut stream = Peer::new(TcpStream::from_std(stream)?);
    if let Some(budget) = unfinished {
        stream.count_unfinished(&budget);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    Ok(WebSocketStream::from_partially_read(stream, read.into(), Role::Server, Some(config)).await)
}

/// What a round of the pump leads to.
enum Next {
    GoOn,
    /// The object or the host said goodbye: wait for the peer to answer.
    AwaitClose {
        tell: bool,
    },
    End,
}

async fn pump_tcp(socket: &Socket, mut stream: Stream, mut outgoing: Outgoing) {
    let mut heard = Instant::now();
    let mut asked = false;
    loop {
        let silent_at = heard + SILENCE;
        let unfinished_at = stream
            .get_ref()
            .unfinished_since()
            .map(|since| since + MESSAGE_TIMEOUT);
        let incoming = async {
            socket.has_room().await;
            stream.next().await
        };
        tokio::select! {
            biased;
            frame = outgoing.next() => match send(socket, &mut stream, frame, &mut outgoing).await {
                Next::GoOn => {}
                Next::AwaitClose { tell } => return finish(socket, &mut stream, tell).await,
                Next::End => return,
            },
            message = incoming => {
                heard = Instant::now();
                asked = false;
                match receive(socket, &mut stream, message).await {
                    Received::GoOn => {}
                    Received::Close => return answer_close(stream, outgoing).await,
                    Received::End => return,
                }
            }
            () = tokio::time::sleep_until(unfinished_at.unwrap_or(silent_at).min(silent_at)) => {
                if unfinished_at.is_some_and(|at| at <= Instant::now()) {
                    let reason = format!("a message may take {} s", MESSAGE_TIMEOUT.as_secs());
                    return give_up(socket, &mut stream, POLICY, reason).await;
                }
                if silent_at > Instant::now() {
                    continue;
                }
                let ping = WireMessage::Ping(Bytes::new());
                if asked || stream.send(ping).await.is_err() {
                    return socket.closed(BROKEN, String::new(), false);
                }
                asked = true;
                heard = Instant::now();
            }
        }
    }
}

/// Closes a socket whose messages cannot be taken; the peer hears why.
async fn give_up(socket: &Socket, stream: &mut Stream, code: u16, reason: String) {
    let _ = timeout(CLOSE_TIMEOUT, stream.send(close_frame(code, reason))).await;
    socket.closed(code, String::new(), false);
    let peer = stream.get_mut();
    peer.stop_counting();
    let _ = timeout(CLOSE_TIMEOUT, async {
        // Ended with bytes unread, the connection would be reset, and the Close lost with it.
        let _ = peer.shutdown().await;
        let mut rest = [0; BUFFER];
        while matches!(peer.read(&mut rest).await, Ok(1..)) {}
    })
    .await;
}

/// Sends a frame and those ready behind it, with one flush.
async fn send(socket: &Socket, stream: &mut Stream, first: Frame, outgoing: &mut Outgoing) -> Next {
    let mut frame = Some(first);
    let mut next = Next::GoOn;
    while let Some(current) = frame {
        let size = current.size();
        let message = match current {
            Frame::Message(Message::Text(text)) => WireMessage::Text(text.into()),
            Frame::Message(Message::Binary(bytes)) => WireMessage::Binary(bytes.into()),
            Frame::Close { code, reason } => {
                next = Next::AwaitClose { tell: true };
                close_frame(code, reason)
            }
            Frame::GoingAway => {
                next = Next::AwaitClose { tell: false };
                close_frame(GOING_AWAY, "the host is stopping".to_owned())
            }
            Frame::Drop => {
                socket.forget();
                return Next::End;
            }
        };
        // The connection fails when the peer accepts no bytes for too long.
        if stream.feed(message).await.is_err() {
            socket.closed(BROKEN, String::new(), false);
            return Next::End;
        }
        // It is taken when those before it are with the system.
        outgoing.sent_all_but(size);
        frame = if matches!(next, Next::GoOn) {
            outgoing.try_next()
        } else {
            None
        };
    }
    if stream.flush().await.is_ok() {
        outgoing.sent_all_but(0);
        return next;
    }
    socket.closed(BROKEN, String::new(), false);
    Next::End
}

fn close_frame(code: u16, reason: String) -> WireMessage {
    // A close without a code is one without a frame.
    let frame = (code != NO_CODE).then(|| CloseFrame {
        code: CloseCode::from(code),
        reason: reason.into(),
    });
    WireMessage::Close(frame)
}

enum Received {
    GoOn,
    /// The peer's Close, which the object may answer.
    Close,
    End,
}

/// Hands on what came.
async fn receive(
    socket: &Socket,
    stream: &mut Stream,
    message: Option<Result<WireMessage, Error>>,
) -> Received {
    let peer = stream.get_mut();
    match &message {
        Some(Ok(WireMessage::Ping(payload) | WireMessage::Pong(payload))) => {
            peer.read_apart(CONTROL_HEAD + payload.len());
        }
        Some(Ok(_)) => peer.message_done(),
        Some(Err(_)) if peer.was_refused() => {
            let reason = "too many unfinished messages; send this one again later".to_owned();
            give_up(socket, stream, TRY_AGAIN_LATER, reason).await;
            return Received::End;
        }
        _ => {}
    }
    match message {
        Some(Ok(WireMessage::Text(text))) => {
            socket.received(Message::Text(text.as_str().to_owned()))
        }
        Some(Ok(WireMessage::Binary(bytes))) => socket.received(Message::Binary(bytes.into())),
        Some(Ok(WireMessage::Ping(_) | WireMessage::Pong(_) | WireMessage::Frame(_))) => {}
        Some(Ok(WireMessage::Close(frame))) => {
            let (code, reason) = frame.map_or((NO_CODE, String::new()), |frame| {
                (frame.code.into(), frame.reason.to_string())
            });
            socket.closed_by_peer(code, reason);
            return Received::Close;
        }
        Some(Err(Error::Capacity(error))) => {
            let reason = format!("a message may have {MAX_MESSAGE} bytes");
            socket.failed(error.to_string());
            give_up(socket, stream, TOO_BIG, reason).await;
            return Received::End;
        }
        Some(Err(error)) => {
            if !matches!(
                error,
                Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_)
            ) {
                socket.failed(error.to_string());
            }
            socket.closed(BROKEN, String::new(), false);
            return Received::End;
        }
        None => {
            socket.closed(BROKEN, String::new(), false);
            return Received::End;
        }
    }
    Received::GoOn
}

/// After the peer's Close: the object answers it, or the runtime after the object's handler. The
/// library would at once, so it is taken off the connection.
async fn answer_close(stream: Stream, mut outgoing: Outgoing) {
    let mut peer = stream.into_inner();
    peer.stop_counting();
    let (mut reading, mut writing) = split(peer);
    let answer = async {
        loop {
            match outgoing.next().await {
                Frame::Close { code, reason } => return close_bytes(code, &reason),
                Frame::GoingAway => return close_bytes(GOING_AWAY, ""),
                Frame::Drop => return Vec::new(),
                // The peer has said that it listens no more.
                Frame::Message(_) => {}
            }
        }
    };
    let mut rest = [0; 256];
    let answered = async {
        tokio::select! {
            biased;
            answer = answer => {
                // A peer that left without waiting misses nothing it asked for.
                let _ = writing.write_all(&answer).await;
                let _ = writing.shutdown().await;
            }
            // Nothing may follow a Close: this is the end of the connection.
            _ = async { while matches!(reading.read(&mut rest).await, Ok(1..)) {} } => {}
        }
    };
    let _ = timeout(SILENCE, answered).await;
}

/// A Close in the words of RFC 6455, section 5.5: a short frame, not masked.
fn close_bytes(code: u16, reason: &str) -> Vec<u8> {
    if code == NO_CODE {
        return vec![0x88, 0];
    }
    // The reason was checked: 123 bytes at most.
    let length = u8::try_from(2 + reason.len()).unwrap_or(2);
    let mut frame = vec![0x88, length];
    frame.extend(code.to_be_bytes());
    frame.extend(&reason.as_bytes()[..usize::from(length) - 2]);
    frame
}

/// After our Close: reads on to the peer's.
async fn finish(socket: &Socket, stream: &mut Stream, tell: bool) {
    let answer = timeout(CLOSE_TIMEOUT, async {
        while let Some(Ok(message)) = stream.next().await {
            stream.get_mut().message_done();
            if let WireMessage::Close(frame) = message {
                return Some(frame);
            }
        }
        None
    });
    let answer = answer.await;
    if !tell {
        return socket.forget();
    }
    match answer {
        Ok(Some(Some(frame))) => socket.closed(frame.code.into(), frame.reason.to_string(), true),
        Ok(Some(None)) => socket.closed(NO_CODE, String::new(), true),
        Ok(None) | Err(_) => socket.closed(BROKEN, String::new(), false),
    }
}

async fn pump_pipe(socket: &Socket, mut pipe: Pipe, mut outgoing: Outgoing) {
    loop {
        let incoming = async {
            socket.has_room().await;
            pipe.incoming.recv().await
        };
        tokio::select! {
            biased;
            frame = outgoing.next() => match frame {
                Frame::Drop => return socket.forget(),
                Frame::Close { code, reason } => {
                    // The test's end answers a Close as every client does: at once, with the same code.
                    let _ = pipe.outgoing.send(Frame::Close { code, reason: reason.clone() });
                    return socket.closed(code, reason, true);
                }
                frame => {
                outgoing.sent_all_but(0);
                drop(pipe.outgoing.send(frame));
            }
            },
            frame = incoming => match frame {
                Some(Frame::Message(message)) => socket.received(message),
                Some(Frame::Close { code, reason }) => {
                    socket.closed_by_peer(code, reason);
                    return answer_close_in_pipe(&pipe, outgoing).await;
                }
                Some(Frame::GoingAway | Frame::Drop) | None => {
                    return socket.closed(BROKEN, String::new(), false);
                }
            },
        }
    }
}

async fn answer_close_in_pipe(pipe: &Pipe, mut outgoing: Outgoing) {
    let answer = async {
        loop {
            match outgoing.next().await {
                // The peer has said that it listens no more.
                Frame::Message(_) => {}
                last => return drop(pipe.outgoing.send(last)),
            }
        }
    };
    let _ = timeout(SILENCE, answer).await;
}
