//! The bodies of requests, which are read completely before the object is called.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use tokio::time::timeout;

use super::budget::Budget;
use super::waiting::{Eviction, Place, Waiting};
use crate::error::Error;
use crate::error::fault::Fault;
use crate::limits::{MAX_JSON_BODY as MAX_BODY, body_too_large as too_large};

/// How many bytes incomplete request bodies of one shard may hold together. Beyond it, a request
/// whose body has stopped arriving is answered with 503, or else the one that finds no room.
/// Complete bodies may hold as much again, until the handler is done with them.
pub(super) const MAX_BODIES: usize = 64 * 1024 * 1024;
/// Bodies up to this size are not counted, because the number of connections bounds them.
const SMALL: usize = 8 * 1024;
/// How much of a body that is refused for its size is read and dropped. Closing at once would reset
/// the connection of a peer that is still sending, and it would lose the answer.
const MAX_DISCARDED: usize = 32 * 1024 * 1024;
/// How long the rest of a body that found no room is read and dropped, for the same reason.
const NO_ROOM_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a request's body may take.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The bodies of one shard's requests.
pub(super) struct Bodies {
    held: Budget,
    /// Those that are read whole while they arrive, by the objects. Apart from the others, because
    /// they may take long.
    arriving: Budget,
    /// The incomplete ones.
    unfinished: Waiting,
}

impl Bodies {
    /// Creates a set of bodies that may hold this many bytes together.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            held: Budget::new(limit),
            arriving: Budget::new(limit),
            unfinished: Waiting::new(limit),
        }
    }

    /// The budget of bodies that objects read while they arrive.
    pub(super) fn arriving(&self) -> &Budget {
        &self.arriving
    }

    pub(super) async fn read(&self, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Fault> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let mut body = check_length(headers, body, MAX_BODY).await?;
        let collected = timeout(BODY_TIMEOUT, self.collect(&mut body)).await;
        match collected {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(Uncollected::TooLarge)) => {
                discard(body).await;
                Err(too_large(None, MAX_BODY))
            }
            Ok(Err(Uncollected::NoRoom)) => {
                let _ = timeout(NO_ROOM_TIMEOUT, discard(body)).await;
                Err(no_room())
            }
            Ok(Err(Uncollected::Broken(error))) => {
                Err(Fault::BadRequest(format!("the body ended early: {error}")))
            }
            Err(_) => Err(timed_out()),
        }
    }

    /// Reads the whole body. It is counted while it arrives and while it is held.
    async fn collect<B>(&self, body: &mut B) -> Result<Bytes, Uncollected<B::Error>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let eviction = Eviction::default();
        let mut place: Option<Place> = None;
        let mut collected = Vec::new();
        loop {
            let frame = tokio::select! {
                biased;
                () = eviction.told() => return Err(Uncollected::NoRoom),
                frame = body.frame() => frame,
            };
            let Some(frame) = frame else {
                break;
            };
            // Trailers are dropped.
            let Ok(data) = frame.map_err(Uncollected::Broken)?.into_data() else {
                continue;
            };
            let size = collected.len() + data.len();
            if size > MAX_BODY {
                return Err(Uncollected::TooLarge);
            }
            if size <= SMALL && collected.is_empty() && body.is_end_stream() {
                return Ok(data);
            }
            collected.reserve(data.len());
            if size > SMALL {
                // The allocated size, which may be twice what has arrived.
                place
                    .get_or_insert_with(|| self.unfinished.enter(&eviction))
                    .grow_to(collected.capacity());
            }
            collected.extend_from_slice(&data);
        }
        if place.is_none() {
            return Ok(Bytes::from(collected));
        }
        collected.shrink_to_fit();
        let share = self.held.take(collected.capacity());
        let share = share.ok_or(Uncollected::NoRoom)?;
        Ok(share.holding(collected))
    }
}

#[derive(Debug)]
enum Uncollected<E> {
    TooLarge,
    NoRoom,
    Broken(E),
}

/// Returns the body, unless the client states that it is over the limit.
pub(super) async fn check_length(
    headers: &HeaderMap,
    body: Incoming,
    limit: usize,
) -> Result<Incoming, Fault> {
    let stated = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let Some(length) = stated.filter(|length| *length > limit) else {
        return Ok(body);
    };
    // A peer that sends `Expect` has not begun to send the body.
    if !headers.contains_key(header::EXPECT) && length <= MAX_DISCARDED {
        discard(body).await;
    }
    Err(too_large(Some(&length.to_string()), limit))
}

pub(super) fn no_room() -> Fault {
    Fault::Overloaded(format!(
        "request bodies are limited to {MAX_BODIES} bytes in total; try again later"
    ))
}

pub(super) fn timed_out() -> Fault {
    // A 504 would say that another server was slow, and proxies retry it.
    Fault::application(&Error::new(
        408,
        "body_timed_out",
        format!(
            "the body did not arrive within {} s",
            BODY_TIMEOUT.as_secs()
        ),
    ))
}

pub(super) async fn discard(mut body: Incoming) {
    let mut discarded = 0;
    let drop_frames = async {
        while let Some(Ok(frame)) = body.frame().await {
            discarded += frame.data_ref().map_or(0, Bytes::len);
            if discarded > MAX_DISCARDED {
                break;
            }
        }
    };
    // The result does not matter, because the answer is the same.
    let _ = timeout(BODY_TIMEOUT, drop_frames).await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream::{iter, pending};
    use futures_util::{FutureExt, Stream, StreamExt};
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    type Data = Result<Frame<Bytes>, Infallible>;

    fn frames(sizes: &[usize]) -> impl Stream<Item = Data> + Unpin + use<> {
        let frames: Vec<Data> = sizes
            .iter()
            .map(|size| Ok(Frame::data(Bytes::from(vec![7; *size]))))
            .collect();
        iter(frames)
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn body_that_has_stopped_makes_room_for_one_that_comes() {
        let bodies = Bodies::new(4 * SMALL);
        let mut bodies_of =
            [(); 2].map(|()| StreamBody::new(frames(&[2 * SMALL]).chain(pending())));
        let [first, second] = &mut bodies_of;
        let mut first = Box::pin(bodies.collect(first));
        let mut second = Box::pin(bodies.collect(second));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());

        let small = bodies
            .collect(&mut StreamBody::new(frames(&[SMALL])))
            .now_or_never();
        assert_eq!(small.unwrap().unwrap().len(), SMALL);
        assert!(
            first.as_mut().now_or_never().is_none(),
            "small ones take no room"
        );

        tokio::time::advance(Duration::from_secs(2)).await;
        let whole = bodies
            .collect(&mut StreamBody::new(frames(&[SMALL; 2])))
            .now_or_never();
        let whole = whole.unwrap().unwrap();
        assert_eq!(whole.len(), 2 * SMALL);
        assert!(matches!(
            first.now_or_never(),
            Some(Err(Uncollected::NoRoom))
        ));
        assert!(second.as_mut().now_or_never().is_none());

        // What a handler still holds cannot be evicted, so the new body is refused.
        drop(second);
        let held = bodies
            .collect(&mut StreamBody::new(frames(&[SMALL; 2])))
            .now_or_never();
        let late = bodies
            .collect(&mut StreamBody::new(frames(&[2 * SMALL, 1])))
            .now_or_never();
        assert!(matches!(late, Some(Err(Uncollected::NoRoom))));
        drop((whole, held));
        assert!(bodies.held.has_room(4 * SMALL));
    }
}
