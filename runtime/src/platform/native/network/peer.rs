//! A connection to a peer that may deliberately be slow or silent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::admission::Admitted;
use super::budget::Share;
use super::frames::Frames;
use super::requests::Requests;
use super::waiting::{Eviction, Place, Waiting};

/// How long a peer may accept no bytes at all while some wait for it.
pub(super) const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// What the system may buffer for a peer. It also determines what counts as progress. The system
/// takes more bytes when about a third of this is free, so a peer must read about 3 kB per second.
const SEND_BUFFER: usize = 128 * 1024;
/// Unfinished messages up to this size are not counted, because the number of connections bounds
/// them.
const SMALL: usize = 16 * 1024;

/// A connection whose writes fail if the peer accepts nothing for too long, and whose unfinished
/// requests or messages are counted.
pub(super) struct Peer<S> {
    stream: S,
    admitted: Option<Admitted>,
    /// Bytes that were read before the messages began.
    ahead: Bytes,
    /// When bytes last arrived.
    heard: Instant,
    /// Runs while bytes wait for the peer.
    stalled: Option<Pin<Box<Sleep>>>,
    requests: Option<Requests>,
    messages: Option<Messages>,
}

/// The messages that a peer sends.
struct Messages {
    frames: Frames,
    waiting: Waiting,
    eviction: Eviction,
    /// Held while the incomplete message is counted.
    place: Option<Place>,
}

impl Messages {
    fn count(&mut self) {
        let bytes = self.frames.unfinished_bytes();
        if bytes <= SMALL {
            self.place = None;
            return;
        }
        self.place
            .get_or_insert_with(|| self.waiting.enter(&self.eviction))
            .grow_to(bytes);
    }
}

impl<S> Peer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            admitted: None,
            ahead: Bytes::new(),
            heard: Instant::now(),
            stalled: None,
            requests: None,
            messages: None,
        }
    }

    /// Creates a connection that keeps its place until it ends.
    pub(super) fn admitted(stream: S, admitted: Admitted) -> Self {
        Self {
            admitted: Some(admitted),
            ..Self::new(stream)
        }
    }

    pub(super) fn into_parts(self) -> (S, Option<Admitted>) {
        (self.stream, self.admitted)
    }

    /// Treats what is read from now on, `ahead` first, as frames of messages of at most `longest`
    /// bytes. Counts incomplete messages in `waiting`.
    pub(super) fn follow_messages(
        &mut self,
        ahead: Bytes,
        longest: usize,
        waiting: &Waiting,
        eviction: &Eviction,
    ) {
        self.ahead = ahead;
        self.messages = Some(Messages {
            frames: Frames::new(longest),
            waiting: waiting.clone(),
            eviction: eviction.clone(),
            place: None,
        });
    }

    /// Drops what is read from now on.
    pub(super) fn stop_following(&mut self) {
        self.ahead = Bytes::new();
        self.messages = None;
    }

    /// When bytes last arrived.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// When the first bytes of an unfinished message arrived.
    pub(super) fn unfinished_since(&self) -> Option<Instant> {
        self.messages.as_ref()?.frames.unfinished_since()
    }

    /// Records that the peer accepts bytes.
    fn wrote(&mut self) {
        self.stalled = None;
        if let Some(requests) = &self.requests {
            requests.sent();
        }
    }

    fn wait_for_peer<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if let Some(requests) = self.requests.as_ref().filter(|_| self.stalled.is_none()) {
            requests.stalled();
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(WRITE_PATIENCE)));
        stalled.as_mut().poll(context).map(|()| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the peer accepts no bytes",
            ))
        })
    }
}

impl Peer<tokio::net::TcpStream> {
    /// Creates a connection for requests, which was accepted.
    pub(super) fn accepted(
        stream: tokio::net::TcpStream,
        share: Share,
        requests: &Requests,
    ) -> Self {
        // Answers are small and complete, so waiting for more bytes only costs time.
        let _ = stream.set_nodelay(true);
        // Otherwise the system buffers as much as it likes, and slow readers seem to have stopped.
        let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        Self {
            requests: Some(requests.clone()),
            ..Self::admitted(stream, Admitted::new(share))
        }
    }
}

impl<S: AsyncRead + Unpin> Peer<S> {
    fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
            // Only connections with messages use this time.
            if polled.is_ready() && self.messages.is_some() {
                self.heard = Instant::now();
            }
            return polled;
        }
        let taken = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(taken));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Peer<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let Some(Messages { frames, .. }) = &mut this.messages else {
                let before = buffer.filled().len();
                ready!(this.poll_bytes(context, buffer))?;
                if let Some(requests) = &this.requests {
                    requests.received(buffer.filled().len() - before);
                }
                return Poll::Ready(Ok(()));
            };
            if buffer.remaining() == 0 || frames.pass_header(buffer) {
                return Poll::Ready(Ok(()));
            }
            // What is read may be held back. The next bytes then take its place.
            let most = frames.may_read().min(buffer.remaining());
            let mut read = ReadBuf::new(buffer.initialize_unfilled_to(most));
            ready!(this.poll_bytes(context, &mut read))?;
            let Some(messages) = this.messages.as_mut().filter(|_| !read.filled().is_empty())
            else {
                return Poll::Ready(Ok(()));
            };
            let passed = messages.frames.follow(read.filled_mut());
            messages.count();
            buffer.advance(passed);
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Peer<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if polled.is_pending() {
            return self.wait_for_peer(context);
        }
        self.wrote();
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if polled.is_pending() {
            return self.wait_for_peer(context);
        }
        self.wrote();
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, SinkExt, StreamExt};
    use tokio::io::{
        AsyncReadExt, AsyncWriteExt, DuplexStream, copy, duplex, empty, join, sink, split,
    };
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message as WireMessage;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn write_fails_when_the_peer_accepts_nothing_for_too_long() {
        let (ours, theirs) = duplex(64);
        let began = Instant::now();
        let written = Peer::new(ours).write_all(&[0; 1_000]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), WRITE_PATIENCE.as_secs());
        drop(theirs);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn write_goes_on_while_the_peer_accepts_bytes_slowly() {
        let (ours, mut theirs) = duplex(64);
        let reader = async {
            let mut buffer = [0; 64];
            let mut read = 0;
            while read < 1_000 {
                sleep(WRITE_PATIENCE / 2).await;
                read += theirs.read(&mut buffer).await.unwrap();
            }
        };
        let mut peer = Peer::new(ours);
        let (written, ()) = tokio::join!(peer.write_all(&[0; 1_000]), reader);
        written.unwrap();
        // Idle time after a stall does not count as a stall.
        sleep(WRITE_PATIENCE * 10).await;
        peer.write_all(&[0; 64]).await.unwrap();
    }

    /// Creates a server and a client over a connection that takes this many bytes at a time.
    async fn pair(
        buffer: usize,
        waiting: &Waiting,
        eviction: &Eviction,
        ahead: &[u8],
    ) -> (WebSocketStream<Peer<DuplexStream>>, DuplexStream) {
        let (ours, theirs) = duplex(buffer);
        let mut peer = Peer::new(ours);
        peer.follow_messages(Bytes::copy_from_slice(ahead), 1 << 20, waiting, eviction);
        let server = WebSocketStream::from_raw_socket(peer, Role::Server, None).await;
        (server, theirs)
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn messages_come_whole_however_their_bytes_fall() {
        let sizes = [0, 1, 125, 126, 16_383, 16_384, 16_385, 40_000];
        let messages: Vec<WireMessage> = sizes
            .iter()
            .flat_map(|size| {
                let text: String = ('a'..='z').cycle().take(*size).collect();
                let binary: Vec<u8> = (0..=250).cycle().take(*size).collect();
                [
                    WireMessage::Text(text.into()),
                    WireMessage::Ping(Bytes::from(vec![7; size % 126])),
                    WireMessage::Binary(binary.into()),
                ]
            })
            .collect();
        for buffer in [7, 1_000, 4_109, 1 << 20] {
            let waiting = Waiting::new(1 << 20);
            let (mut server, theirs) = pair(buffer, &waiting, &Eviction::default(), &[]).await;
            let (reading, writing) = split(theirs);
            let mut client =
                WebSocketStream::from_raw_socket(join(empty(), writing), Role::Client, None).await;
            let sent = messages.clone();
            let send = async {
                for message in sent {
                    client.send(message).await.unwrap();
                }
            };
            let receive = async {
                for message in &messages {
                    let received = server.next().await.unwrap().unwrap();
                    assert!(&received == message, "a message of {}", message.len());
                }
                assert!(server.get_ref().unfinished_since().is_none());
            };
            let (mut pongs, mut nowhere) = (reading, sink());
            tokio::select! {
                _ = async { tokio::join!(send, receive) } => {}
                _ = copy(&mut pongs, &mut nowhere) => panic!("the server ended"),
            }
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn messages_that_are_not_whole_are_counted_and_small_ones_are_not() {
        let waiting = Waiting::new(SMALL);
        let [big, small] = [(); 2].map(|()| Eviction::default());
        // Part of a message of 32 kB.
        let header = [0x82, 0xfe, 0x7d, 0, 0, 0, 0, 0];
        let (mut server, mut client) = pair(1 << 20, &waiting, &big, &header).await;
        client.write_all(&[0; SMALL]).await.unwrap();
        assert!(server.next().now_or_never().is_none());
        assert!(server.get_ref().unfinished_since().is_some());
        assert!(
            big.told().now_or_never().is_none(),
            "up to here it is small"
        );

        client.write_all(&[0; 1]).await.unwrap();
        assert!(server.next().now_or_never().is_none());
        assert!(
            big.told().now_or_never().is_some(),
            "there is no room for it"
        );

        let whole = [&[0x82, 0x84, 0, 0, 0, 0][..], b"good"].concat();
        let (mut other, _theirs) = pair(1 << 20, &waiting, &small, &whole).await;
        assert_eq!(other.next().await.unwrap().unwrap().into_data(), "good");
        assert!(small.told().now_or_never().is_none());

        // When the message is complete, it holds nothing more.
        client.write_all(&[0; 32_000 - SMALL - 1]).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap().len(), 32_000);
        assert!(server.get_ref().unfinished_since().is_none());
    }
}
