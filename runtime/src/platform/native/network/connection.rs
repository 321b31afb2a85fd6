//! One HTTP connection. It ends when its peer closes it, when the host drains, or when another
//! connection needs its place.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::answers::HttpResponse;
use super::peer::Peer;
use super::requests::Requests;

/// The maximum size of a request's head. hyper answers 431 when it has read this much of an
/// incomplete head.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// How long a connection may take to send a request's head, and may be idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Answers the requests of a connection, in order.
pub(super) async fn serve<F>(
    peer: Peer<TcpStream>,
    requests: &Requests,
    mut draining: watch::Receiver<bool>,
    answer: impl Fn(hyper::Request<Incoming>) -> F,
) where
    F: Future<Output = Result<HttpResponse, Infallible>>,
{
    let eviction = requests.eviction();
    // Dropped after the connection and its descriptor.
    let settling = eviction.settling();
    let service = service_fn(|request| {
        let answering = requests.answer();
        let answer = answer(request);
        async move {
            // A streaming answer is under way until its last chunk.
            answer
                .await
                .map(|answer| answer.map(|body| body.until_sent(answering)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(peer), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let is_evicted = tokio::select! {
        biased;
        // How a connection ends does not matter to the host.
        _ = connection.as_mut() => return,
        () = eviction.told() => true,
        _ = draining.wait_for(|draining| *draining) => false,
    };
    // A request may have arrived that is not read yet, and closing the connection now would lose it.
    // tokio's single-threaded scheduler asks the system what has arrived before it resumes a task
    // that yielded. It does not promise so, and the tests below hold it to that.
    tokio::task::yield_now().await;
    let has_ended = connection.as_mut().now_or_never().is_some();
    if has_ended || (is_evicted && requests.waits_for_a_request()) {
        return;
    }
    drop(settling);
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::platform::native::network::budget::Budget;
    use crate::platform::native::network::idle::Idle;
    use crate::platform::native::network::waiting::Waiting;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    /// What a peer reads that has sent something when `end` is called, before the thread knows it.
    async fn read_after(sent: &[u8], end: impl FnOnce(&Idle, &watch::Sender<bool>)) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.writable().await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (fresh, idle, heads) = (Idle::default(), Idle::default(), Waiting::new(usize::MAX));
        let requests = Requests::new([&fresh, &idle], &heads);
        let peer = Peer::accepted(stream, Budget::new(1).open(), &requests);
        let draining = watch::Sender::new(false);
        let serving = serve(peer, &requests, draining.subscribe(), async |_| {
            Ok(hyper::Response::new(Bytes::from_static(b"answer").into()))
        });
        let mut serving = std::pin::pin!(serving);
        assert!(serving.as_mut().now_or_never().is_none(), "nothing is sent");
        assert_eq!(client.try_write(sent).unwrap(), sent.len());
        end(&fresh, &draining);
        serving.await;
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        read
    }

    #[tokio::test(flavor = "current_thread")]
    async fn request_that_arrived_is_answered_when_its_connection_is_to_end() {
        let evicted = read_after(REQUEST, |fresh, _| assert!(fresh.evict_oldest().is_some())).await;
        assert!(evicted.ends_with("answer"), "{evicted:?}");
        let drained = read_after(REQUEST, |_, draining| {
            draining.send_replace(true);
        });
        let drained = drained.await;
        assert!(drained.ends_with("answer"), "{drained:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn connection_that_asked_nothing_ends_at_once() {
        let evicted = read_after(b"", |fresh, _| assert!(fresh.evict_oldest().is_some())).await;
        assert_eq!(evicted, "");
        let drained = read_after(b"", |_, draining| {
            draining.send_replace(true);
        });
        assert_eq!(drained.await, "");
    }
}
