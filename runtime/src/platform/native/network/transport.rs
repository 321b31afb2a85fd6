//! Carries a socket's frames over its connection.

use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as WireMessage};

use super::super::seam::socket::{MAX_PENDING, Socket};
use super::super::seam::upgrade::Transport;
use super::super::sim;
use super::closing::{BROKEN, CLOSE_TIMEOUT, NO_CODE, SILENCE};
use super::frame::{Frame, Outgoing};
use super::peer::{Peer, WRITE_PATIENCE};
use super::waiting::Eviction;
use crate::socket::Message;
use crate::turn::user_code::Guarded;

/// The maximum size of an incoming message (P56).
const MAX_MESSAGE: usize = 32 * 1024 * 1024;
/// Small, because there may be tens of thousands of sockets.
const BUFFER: usize = 4 * 1024;
/// How many bytes one socket's connection holds that the system has not taken: the largest message,
/// and pongs.
const MAX_UNSENT: usize = MAX_PENDING + 64 * 1024;
/// How long a message may take from its first byte to its last.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(120);
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const INVALID_DATA: u16 = 1007;
const POLICY: u16 = 1008;
const TOO_BIG: u16 = 1009;
const TRY_AGAIN_LATER: u16 = 1013;

/// How many bytes unfinished messages of one shard's sockets may hold together. Beyond it, the
/// oldest socket whose message has stopped arriving is closed with 1013, or else the one that finds
/// no room.
pub(in super::super) const MAX_UNFINISHED: usize = 128 * 1024 * 1024;

/// Carries a socket's frames both ways until the connection ends.
pub(in super::super) async fn pump(
    socket: Socket,
    upgraded: oneshot::Receiver<Transport>,
    outgoing: Outgoing,
) {
    let pumped = Guarded::new(carry(&socket, upgraded, outgoing));
    if pumped.await.is_err() {
        tracing::error!("a socket's traffic panicked");
        socket.closed(BROKEN, String::new(), false);
    }
}

async fn carry(socket: &Socket, upgraded: oneshot::Receiver<Transport>, outgoing: Outgoing) {
    match upgraded.await {
        Ok(Transport::Tcp {
            stream,
            admitted,
            read,
        }) => match TcpStream::from_std(stream) {
            Ok(stream) => {
                let peer = Peer::admitted(stream, admitted);
                pump_stream(socket, peer, read, outgoing).await;
            }
            Err(error) => {
                tracing::warn!(%error, "taking over a socket's connection");
                socket.closed(BROKEN, String::new(), false);
            }
        },
        Ok(Transport::Memory(pipe)) => sim::carry(pipe, socket, outgoing).await,
        // The peer disconnected during the handshake, or the response was never sent.
        Err(_) => socket.closed(BROKEN, String::new(), false),
    }
}

type Stream<S> = WebSocketStream<Peer<S>>;

/// The requirements of the pump on a connection.
trait Connection: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection for S {}

async fn open<S: Connection>(peer: Peer<S>) -> Stream<S> {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(MAX_UNSENT)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    WebSocketStream::from_raw_socket(peer, Role::Server, Some(config)).await
}

/// How the exchange of frames ends, and what remains to be done.
enum Ending {
    /// The object or the host has sent a Close. The peer must answer.
    AwaitClose { tell: bool },
    /// The peer has sent a Close. The object may answer.
    AnswerClose,
    /// The peer's messages cannot be accepted.
    GiveUp {
        code: u16,
        reason: String,
        /// How long sending the Close to the peer may take.
        patience: Duration,
    },
    /// The object has been told.
    Over,
}

impl Ending {
    fn give_up(code: u16, reason: String) -> Self {
        Self::GiveUp {
            code,
            reason,
            patience: CLOSE_TIMEOUT,
        }
    }
}

async fn pump_stream<S: Connection>(
    socket: &Socket,
    mut peer: Peer<S>,
    read: Bytes,
    mut outgoing: Outgoing,
) {
    let eviction = Eviction::default();
    peer.follow_messages(read, MAX_MESSAGE, &socket.unfinished(), &eviction);
    let mut stream = open(peer).await;
    let ending = tokio::select! {
        biased;
        () = eviction.told() => Ending::GiveUp {
            code: TRY_AGAIN_LATER,
            reason: "too many unfinished messages; send this one again later".to_owned(),
            // Others need the room now.
            patience: Duration::ZERO,
        },
        ending = exchange(socket, &mut stream, &mut outgoing) => ending,
    };
    match ending {
        Ending::AwaitClose { tell } => finish(socket, &mut stream, tell).await,
        Ending::AnswerClose => answer_close(stream, outgoing).await,
        Ending::GiveUp {
            code,
            reason,
            patience,
        } => {
            let close = close_frame(code, reason);
            let _ = timeout(patience, stream.send(close)).await;
            // Frees what the library holds of a message.
            let peer = stream.into_inner();
            socket.closed(code, String::new(), false);
            linger(peer).await;
        }
        Ending::Over => {}
    }
}

async fn exchange<S: Connection>(
    socket: &Socket,
    stream: &mut Stream<S>,
    outgoing: &mut Outgoing,
) -> Ending {
    let mut asked_at: Option<Instant> = None;
    loop {
        // Measured by bytes, because a peer that sends a long frame cannot answer a ping within it.
        let heard = stream.get_ref().heard();
        let silent_since = asked_at.map_or(heard, |asked_at| asked_at.max(heard));
        let silent_at = silent_since + SILENCE;
        let unfinished_at = stream
            .get_ref()
            .unfinished_since()
            .map(|since| since + MESSAGE_TIMEOUT);
        let step = tokio::select! {
            biased;
            frame = outgoing.next() => send(socket, stream, frame, outgoing).await,
            message = next_message(socket, stream) => receive(socket, message),
            () = tokio::time::sleep_until(unfinished_at.unwrap_or(silent_at).min(silent_at)) => {
                if unfinished_at.is_some_and(|at| at <= Instant::now()) {
                    let reason = format!("a message may take {} s", MESSAGE_TIMEOUT.as_secs());
                    return Ending::give_up(POLICY, reason);
                }
                if silent_at > Instant::now() || stream.get_ref().heard() > heard {
                    continue;
                }
                let is_unanswered = asked_at.is_some_and(|asked_at| asked_at >= heard);
                let ping = WireMessage::Ping(Bytes::new());
                if is_unanswered || stream.send(ping).await.is_err() {
                    socket.closed(BROKEN, String::new(), false);
                    return Ending::Over;
                }
                asked_at = Some(Instant::now());
                continue;
            }
        };
        if let ControlFlow::Break(ending) = step {
            return ending;
        }
    }
}

/// Reads the next message, after the answers to those before it are sent. Otherwise a peer that
/// sends pings and accepts no pongs would fill the memory.
async fn next_message<S: Connection>(
    socket: &Socket,
    stream: &mut Stream<S>,
) -> Option<Result<WireMessage, Error>> {
    // Only pongs wait here, since messages are flushed where they are sent. The limit is for the
    // whole flush, however slowly the peer accepts it.
    match timeout(WRITE_PATIENCE, stream.flush()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Some(Err(error)),
        Err(_) => return None,
    }
    socket.has_room().await;
    stream.next().await
}

/// Ends a connection. If it ended with unread bytes, it would be reset, and the Close lost with it.
async fn linger<S: Connection>(mut peer: Peer<S>) {
    peer.stop_following();
    let _ = timeout(CLOSE_TIMEOUT, async {
        let _ = peer.shutdown().await;
        let mut rest = [0; BUFFER];
        while matches!(peer.read(&mut rest).await, Ok(1..)) {}
    })
    .await;
}

/// Sends a frame and the ready frames after it, with one flush.
async fn send<S: Connection>(
    socket: &Socket,
    stream: &mut Stream<S>,
    first: Frame,
    outgoing: &mut Outgoing,
) -> ControlFlow<Ending> {
    let mut frame = Some(first);
    let mut step = ControlFlow::Continue(());
    while let Some(current) = frame {
        let size = current.size();
        let message = match current {
            Frame::Message(Message::Text(text)) => WireMessage::Text(text.into()),
            Frame::Message(Message::Binary(bytes)) => WireMessage::Binary(bytes.into()),
            Frame::Close { code, reason } => {
                step = ControlFlow::Break(Ending::AwaitClose { tell: true });
                close_frame(code, reason)
            }
            Frame::GoingAway => {
                step = ControlFlow::Break(Ending::AwaitClose { tell: false });
                close_frame(GOING_AWAY, "the host is stopping".to_owned())
            }
            Frame::Drop => {
                socket.forget();
                return ControlFlow::Break(Ending::Over);
            }
        };
        // The connection fails if the peer accepts no bytes for too long.
        if stream.feed(message).await.is_err() {
            socket.closed(BROKEN, String::new(), false);
            return ControlFlow::Break(Ending::Over);
        }
        // The library takes a frame after the system has taken those before it.
        outgoing.sent_all_but(size);
        frame = step.is_continue().then(|| outgoing.try_next()).flatten();
    }
    if stream.flush().await.is_ok() {
        outgoing.sent_all_but(0);
        return step;
    }
    socket.closed(BROKEN, String::new(), false);
    ControlFlow::Break(Ending::Over)
}

fn close_frame(code: u16, reason: String) -> WireMessage {
    // Without a code, the Close is sent without a `CloseFrame`.
    let frame = (code != NO_CODE).then(|| CloseFrame {
        code: CloseCode::from(code),
        reason: reason.into(),
    });
    WireMessage::Close(frame)
}

/// Passes on what has arrived.
fn receive(socket: &Socket, message: Option<Result<WireMessage, Error>>) -> ControlFlow<Ending> {
    match message {
        Some(Ok(WireMessage::Text(text))) => {
            socket.received(Message::Text(text.as_str().to_owned()));
        }
        Some(Ok(WireMessage::Binary(bytes))) => socket.received(Message::Binary(bytes.into())),
        Some(Ok(WireMessage::Ping(_) | WireMessage::Pong(_) | WireMessage::Frame(_))) => {}
        Some(Ok(WireMessage::Close(frame))) => {
            let (code, reason) = frame.map_or((NO_CODE, String::new()), |frame| {
                (frame.code.into(), frame.reason.to_string())
            });
            socket.closed_by_peer(code, reason);
            return ControlFlow::Break(Ending::AnswerClose);
        }
        Some(Err(Error::Capacity(error))) => {
            socket.failed(error.to_string());
            let reason = format!("a message may have {MAX_MESSAGE} bytes");
            return ControlFlow::Break(Ending::give_up(TOO_BIG, reason));
        }
        Some(Err(Error::Utf8(error))) => {
            socket.failed(error);
            let reason = "a text must be UTF-8".to_owned();
            return ControlFlow::Break(Ending::give_up(INVALID_DATA, reason));
        }
        Some(Err(Error::Protocol(error)))
            if error != ProtocolError::ResetWithoutClosingHandshake =>
        {
            socket.failed(error.to_string());
            let reason = "a frame breaks the protocol (RFC 6455)".to_owned();
            return ControlFlow::Break(Ending::give_up(PROTOCOL_ERROR, reason));
        }
        Some(Err(error)) => {
            if !matches!(
                error,
                Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_)
            ) {
                socket.failed(error.to_string());
            }
            socket.closed(BROKEN, String::new(), false);
            return ControlFlow::Break(Ending::Over);
        }
        None => {
            socket.closed(BROKEN, String::new(), false);
            return ControlFlow::Break(Ending::Over);
        }
    }
    ControlFlow::Continue(())
}

/// After the peer's Close: the object answers it, or the runtime does after the object's handler.
/// The library would answer at once, so the connection is removed from it.
async fn answer_close<S: Connection>(stream: Stream<S>, mut outgoing: Outgoing) {
    let mut peer = stream.into_inner();
    peer.stop_following();
    let (mut reading, mut writing) = split(peer);
    let answer = async {
        loop {
            match outgoing.next().await {
                Frame::Close { code, reason } => return close_bytes(code, &reason),
                Frame::GoingAway => return close_bytes(GOING_AWAY, ""),
                Frame::Drop => return Vec::new(),
                // The peer no longer listens after its Close.
                Frame::Message(_) => {}
            }
        }
    };
    let mut rest = [0; 256];
    let answered = async {
        tokio::select! {
            biased;
            answer = answer => {
                // A peer that has disconnected needs no answer.
                let _ = writing.write_all(&answer).await;
                let _ = writing.shutdown().await;
            }
            // Nothing may follow a Close, so any end of the stream is the end of the connection.
            _ = async { while matches!(reading.read(&mut rest).await, Ok(1..)) {} } => {}
        }
    };
    let _ = timeout(SILENCE, answered).await;
}

/// Encodes a Close as RFC 6455, section 5.5, defines it: a short frame without a mask.
fn close_bytes(code: u16, reason: &str) -> Vec<u8> {
    if code == NO_CODE {
        return vec![0x88, 0];
    }
    // The reason was checked to have at most 123 bytes.
    let length = u8::try_from(2 + reason.len()).unwrap_or(2);
    let mut frame = vec![0x88, length];
    frame.extend(code.to_be_bytes());
    frame.extend(&reason.as_bytes()[..usize::from(length) - 2]);
    frame
}

/// Reads on until the peer's Close, after ours was sent.
async fn finish<S: Connection>(socket: &Socket, stream: &mut Stream<S>, tell: bool) {
    let answer = timeout(CLOSE_TIMEOUT, async {
        while let Some(Ok(message)) = stream.next().await {
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

#[cfg(test)]
mod tests;
