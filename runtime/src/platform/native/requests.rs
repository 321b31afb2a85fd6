//! The requests of one HTTP connection: when it waits for its peer, and what it holds meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::waiting::{Eviction, Place, Waiting};

/// A head up to this size is not counted while it comes: the number of connections bounds those.
const SMALL: usize = 8 * 1024;

/// Known to the connection, which reads and writes, and to the service, which answers.
#[derive(Clone, Debug)]
pub(super) struct Requests(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    idle: Waiting,
    heads: Waiting,
    eviction: Eviction,
    is_answering: bool,
    /// While nothing is to be done but wait for the peer's next request.
    idle_place: Option<Place>,
    /// The bytes that have come of a request's head.
    head: usize,
    head_place: Option<Place>,
}

/// A request is being answered until this is dropped.
pub(super) struct Answering(Requests);

impl Requests {
    /// Of a new connection. It may be evicted while it is in one of these queues: that of those
    /// without a request so far, that of those between requests, and that of unfinished heads.
    pub(super) fn new([fresh, idle]: [&Waiting; 2], heads: &Waiting) -> Self {
        let eviction = Eviction::default();
        Self(Arc::new(Mutex::new(State {
            idle_place: Some(fresh.enter(&eviction)),
            idle: idle.clone(),
            heads: heads.clone(),
            eviction,
            is_answering: false,
            head: 0,
            head_place: None,
        })))
    }

    pub(super) fn eviction(&self) -> Eviction {
        self.lock().eviction.clone()
    }

    /// A request's head is whole.
    pub(super) fn answer(&self) -> Answering {
        let mut state = self.lock();
        state.is_answering = true;
        state.idle_place = None;
        state.head = 0;
        state.head_place = None;
        drop(state);
        Answering(self.clone())
    }

    pub(super) fn is_answering(&self) -> bool {
        self.lock().is_answering
    }

    /// The peer has sent so many bytes.
    pub(super) fn received(&self, bytes: usize) {
        let mut state = self.lock();
        // What comes during a request is its body, which is counted where it is read.
        if state.is_answering {
            return;
        }
        let State {
            head,
            head_place,
            heads,
            eviction,
            ..
        } = &mut *state;
        *head += bytes;
        if *head > SMALL {
            head_place
                .get_or_insert_with(|| heads.enter(eviction))
                .grow_to(*head);
        }
    }

    /// The peer has taken bytes of an answer.
    pub(super) fn sent(&self) {
        let mut state = self.lock();
        if !state.is_answering && state.idle_place.is_none() {
            state.idle_place = Some(state.idle.enter(&state.eviction));
        }
    }

    /// Bytes of an answer wait for the peer: the connection is not idle.
    pub(super) fn stalled(&self) {
        self.lock().idle_place = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.lock().is_answering = false;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_evicted(requests: &Requests) -> bool {
        requests.eviction().told().now_or_never().is_some()
    }

    #[test]
    fn connection_is_idle_when_it_waits_for_a_request_only() {
        let (idle, heads) = (Waiting::new(usize::MAX), Waiting::new(usize::MAX));
        let fresh = Waiting::new(usize::MAX);
        let connection = Requests::new([&fresh, &idle], &heads);
        assert!(!idle.evict_oldest(), "it has made no request");
        let answering = connection.answer();
        assert!(!idle.evict_oldest(), "it is being answered");
        connection.sent();
        drop(answering);
        assert!(!idle.evict_oldest(), "the answer is not out");
        connection.sent();
        connection.stalled();
        assert!(!idle.evict_oldest(), "the peer has not taken it");
        connection.sent();
        let younger = Requests::new([&idle, &idle], &heads);
        assert!(idle.evict_oldest() && is_evicted(&connection) && !is_evicted(&younger));
        drop(younger);
        assert!(!idle.evict_oldest());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn heads_are_counted_together_until_they_are_whole() {
        let (idle, heads) = (Waiting::new(usize::MAX), Waiting::new(3 * SMALL));
        let connections = [(); 3].map(|()| Requests::new([&idle, &idle], &heads));
        for connection in &connections {
            connection.received(SMALL);
        }
        connections[1].received(SMALL);
        // A whole head and a body are counted no more.
        let answering = connections[1].answer();
        connections[1].received(100 * SMALL);
        drop(answering);
        connections[2].received(SMALL);
        assert!(!connections.iter().any(is_evicted));
        tokio::time::advance(std::time::Duration::from_secs(2)).await;
        connections[0].received(SMALL);
        assert!(is_evicted(&connections[2]), "its head has stopped");
        assert!(!is_evicted(&connections[0]));
    }
}
