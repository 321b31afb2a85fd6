//! The requests of one HTTP connection: when it waits for its peer, and what it holds meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::idle::{Idle, Member};
use super::waiting::{Eviction, Place, Waiting};

/// A head up to this size is not counted while it arrives, because the number of connections bounds
/// those.
const SMALL: usize = 8 * 1024;

/// Shared by the connection, which reads and writes, and the service, which answers. Both are on
/// one thread, but hyper requires more. What each request changes is therefore atomic, and the rest
/// is behind locks.
#[derive(Clone, Debug)]
pub(super) struct Requests(Arc<State>);

#[derive(Debug)]
struct State {
    eviction: Eviction,
    is_answering: AtomicBool,
    /// True while no request has arrived.
    is_fresh: AtomicBool,
    fresh: Mutex<Option<Member>>,
    idle: Member,
    /// How many bytes of a request's head have arrived.
    head: AtomicUsize,
    heads: Waiting,
    head_is_counted: AtomicBool,
    head_place: Mutex<Option<Place>>,
}

/// A request is being answered until this is dropped.
pub(super) struct Answering(Requests);

impl Requests {
    /// Creates the state of a new connection. It may be evicted while it is in one of these queues:
    /// connections without a request so far, connections between requests, and unfinished heads.
    pub(super) fn new([fresh, idle]: [&Idle; 2], heads: &Waiting) -> Self {
        let eviction = Eviction::default();
        let (fresh, idle) = (fresh.enter(&eviction), idle.enter(&eviction));
        fresh.wait();
        Self(Arc::new(State {
            is_answering: AtomicBool::new(false),
            is_fresh: AtomicBool::new(true),
            fresh: Mutex::new(Some(fresh)),
            idle,
            head: AtomicUsize::new(0),
            heads: heads.clone(),
            head_is_counted: AtomicBool::new(false),
            head_place: Mutex::default(),
            eviction,
        }))
    }

    pub(super) fn eviction(&self) -> Eviction {
        self.0.eviction.clone()
    }

    /// Records that a request's head is complete.
    pub(super) fn answer(&self) -> Answering {
        let state = &self.0;
        state.is_answering.store(true, Ordering::Relaxed);
        state.idle.work();
        if state.is_fresh.swap(false, Ordering::Relaxed) {
            *locked(&state.fresh) = None;
        }
        state.head.store(0, Ordering::Relaxed);
        if state.head_is_counted.swap(false, Ordering::Relaxed) {
            *locked(&state.head_place) = None;
        }
        Answering(self.clone())
    }

    /// Whether nothing is in flight to the peer. The connection may then end at once.
    pub(super) fn waits_for_a_request(&self) -> bool {
        self.0.is_fresh.load(Ordering::Relaxed) || self.0.idle.is_waiting()
    }

    fn is_answering(&self) -> bool {
        self.0.is_answering.load(Ordering::Relaxed)
    }

    /// Records that the peer has sent this many bytes.
    pub(super) fn received(&self, bytes: usize) {
        // What arrives during a request is its body, which is counted where it is read.
        if self.is_answering() {
            return;
        }
        let state = &self.0;
        let head = state.head.load(Ordering::Relaxed) + bytes;
        state.head.store(head, Ordering::Relaxed);
        if head > SMALL {
            state.head_is_counted.store(true, Ordering::Relaxed);
            locked(&state.head_place)
                .get_or_insert_with(|| state.heads.enter(&state.eviction))
                .grow_to(head);
        }
    }

    /// Records that the peer has accepted bytes of an answer.
    pub(super) fn sent(&self) {
        if !self.is_answering() {
            self.0.idle.wait();
        }
    }

    /// Records that bytes of an answer wait for the peer. The connection is then not idle.
    pub(super) fn stalled(&self) {
        self.0.idle.work();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.is_answering.store(false, Ordering::Relaxed);
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
        let (fresh, idle, heads) = (Idle::default(), Idle::default(), Waiting::new(usize::MAX));
        let connection = Requests::new([&fresh, &idle], &heads);
        assert!(idle.evict_oldest().is_none(), "it has made no request");
        assert!(connection.waits_for_a_request());
        let answering = connection.answer();
        assert!(idle.evict_oldest().is_none(), "it is being answered");
        connection.sent();
        drop(answering);
        assert!(idle.evict_oldest().is_none(), "the answer is not out");
        connection.sent();
        connection.stalled();
        assert!(idle.evict_oldest().is_none(), "the peer has not taken it");
        assert!(!connection.waits_for_a_request());
        connection.sent();
        assert!(connection.waits_for_a_request());
        let younger = Requests::new([&fresh, &idle], &heads);
        drop(younger.answer());
        younger.sent();
        assert!(idle.evict_oldest().is_some() && is_evicted(&connection) && !is_evicted(&younger));
        drop(younger);
        assert!(idle.evict_oldest().is_none() && fresh.evict_oldest().is_none());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn heads_are_counted_together_until_they_are_whole() {
        let (idle, heads) = (Idle::default(), Waiting::new(3 * SMALL));
        let connections = [(); 3].map(|()| Requests::new([&idle, &idle], &heads));
        for connection in &connections {
            connection.received(SMALL);
        }
        connections[1].received(SMALL);
        // A complete head and a body are no longer counted.
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
