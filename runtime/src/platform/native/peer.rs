//! A connection to a peer that may be slow or silent on purpose.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::budget::{Budget, Share};

/// How long a peer may take to accept any bytes at all while some wait for it.
pub(super) const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// What the system may buffer for a peer. It also sets what counts as progress: the system takes more
/// bytes when about a third of this is free, so a peer must read some 3 kB in a second.
const SEND_BUFFER: usize = 128 * 1024;

/// A connection whose writes end when the peer accepts nothing for too long, and whose unfinished
/// messages are counted.
pub(super) struct Peer<S> {
    stream: S,
    /// Runs while bytes wait for the peer.
    stalled: Option<Pin<Box<Sleep>>>,
    unfinished: Option<Unfinished>,
}

/// What was read of a message that is not whole.
struct Unfinished {
    share: Share,
    since: Option<Instant>,
    is_refused: bool,
}

impl<S> Peer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            stalled: None,
            unfinished: None,
        }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Counts what is read from now on; a read that finds no room in the budget fails.
    pub(super) fn count_unfinished(&mut self, budget: &Budget) {
        self.unfinished = Some(Unfinished {
            share: budget.open(),
            since: None,
            is_refused: false,
        });
    }

    /// What is read from now on is dropped.
    pub(super) fn stop_counting(&mut self) {
        self.unfinished = None;
    }

    /// A message is whole; the next one begins.
    pub(super) fn message_done(&mut self) {
        self.read_apart(usize::MAX);
    }

    /// So many of the bytes that were read were not of the message.
    pub(super) fn read_apart(&mut self, bytes: usize) {
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.share.shrink(bytes);
            if unfinished.share.bytes() == 0 {
                unfinished.since = None;
            }
        }
    }

    /// When the first bytes of an unfinished message came.
    pub(super) fn unfinished_since(&self) -> Option<Instant> {
        self.unfinished.as_ref()?.since
    }

    /// Whether a read failed because the budget had no room.
    pub(super) fn was_refused(&self) -> bool {
        self.unfinished
            .as_ref()
            .is_some_and(|unfinished| unfinished.is_refused)
    }

    fn wait_for_peer<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
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
    /// A connection that was accepted.
    pub(super) fn accepted(stream: tokio::net::TcpStream) -> Self {
        // Answers are small and whole: waiting for more bytes only costs time.
        let _ = stream.set_nodelay(true);
        // Without it the system buffers as much as it likes, and slow readers seem to stand still.
        let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        Self::new(stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Peer<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        if let Some(unfinished) = self.unfinished.as_mut().filter(|_| read > 0) {
            if !unfinished.share.grow(read) {
                unfinished.is_refused = true;
                return Poll::Ready(Err(io::Error::other("too many unfinished messages")));
            }
            unfinished.since.get_or_insert_with(Instant::now);
        }
        polled
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
        self.stalled = None;
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
        self.stalled = None;
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

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
        // An idle time after a stall is no stall.
        sleep(WRITE_PATIENCE * 10).await;
        peer.write_all(&[0; 64]).await.unwrap();
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn unfinished_messages_are_bounded_together_and_return_their_bytes() {
        let budget = Budget::new(100);
        let (ours, mut theirs) = duplex(1_000);
        let mut peer = Peer::new(ours);
        peer.count_unfinished(&budget);
        let mut buffer = [0; 60];
        theirs.write_all(&[0; 120]).await.unwrap();
        peer.read_exact(&mut buffer).await.unwrap();
        assert!(peer.unfinished_since().is_some());
        assert!(budget.take(41).is_none());
        peer.read_apart(20);
        assert!(budget.take(60).is_some());
        peer.message_done();
        assert!(peer.unfinished_since().is_none());

        let others = budget.take(50).unwrap();
        assert!(peer.read_exact(&mut buffer).await.is_err());
        assert!(peer.was_refused());
        drop((peer, others));
        assert!(budget.take(100).is_some());
    }
}
