//! Decides which connections the process accepts. Each takes a file descriptor, and databases need
//! theirs.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::timeout;

use super::super::store::Descriptors;
use super::budget::{Budget, Share};
use super::idle::Idle;
use super::waiting::Eviction;

/// One in this many connections is reserved for telling a peer that there is no room for it.
const OF_EACH: usize = 16;
/// One in this many connections is not available to WebSockets, so that those never take all.
const NOT_FOR_SOCKETS: usize = 16;

/// The maximum number of HTTP connections for each thread of the process, counted together.
const MAX_CONNECTIONS: usize = 16_384;
/// How many connections may be accepted before the evicted ones have closed: their thread may be
/// busy. They use descriptors that are reserved for the process itself.
const AHEAD: usize = 64;
/// Beyond that, how long a connection waits for an evicted one to close before it is refused.
const ROOM_PATIENCE: Duration = Duration::from_millis(100);
/// Connections without a request go first if they are more than one in this many.
const MANY_FRESH: usize = 16;

/// The connections of all shards.
#[derive(Debug)]
pub(in super::super) struct Admission {
    connections: Budget,
    /// Those that are not WebSockets.
    http: Budget,
    refusals: Budget,
    sockets: Budget,
    /// The connections that have never made a request.
    fresh: Idle,
    /// The connections that wait for another request.
    idle: Idle,
}

impl Admission {
    pub(in super::super) fn new(descriptors: &Descriptors, shards: usize) -> Self {
        let refusals = descriptors.connections().div_ceil(OF_EACH);
        let connections = descriptors.connections() - refusals;
        Self {
            connections: Budget::new(connections),
            http: Budget::new(MAX_CONNECTIONS.saturating_mul(shards)),
            refusals: Budget::new(refusals),
            sockets: Budget::new(connections - connections.div_ceil(NOT_FOR_SOCKETS)),
            fresh: Idle::default(),
            idle: Idle::default(),
        }
    }

    /// Returns the queues of connections: without a request so far, and between requests.
    pub(super) fn queues(&self) -> [&Idle; 2] {
        [&self.fresh, &self.idle]
    }

    /// Returns a ticket for a connection that was accepted, if one is free.
    pub(super) fn admit(&self) -> Option<Ticket> {
        self.admit_beyond(0)
    }

    /// Closes the connection that has waited longest for a request, and returns a ticket in its
    /// place. Returns `None` if none waits, or if too many that were to close have not done so.
    pub(super) async fn displace(&self) -> Option<Ticket> {
        loop {
            let evicted = self.evict()?;
            if let Some(ticket) = self.admit_beyond(AHEAD) {
                // If it belongs to this thread, it closes before the next connection is accepted.
                yield_now().await;
                return Some(ticket);
            }
            // It may have a request to answer first, and then another one must go.
            timeout(ROOM_PATIENCE, evicted.settled()).await.ok()?;
            if let Some(ticket) = self.admit_beyond(AHEAD) {
                return Some(ticket);
            }
        }
    }

    fn admit_beyond(&self, excess: usize) -> Option<Ticket> {
        let mut ticket = Ticket {
            http: self.http.open(),
            connection: self.connections.open(),
        };
        let is_admitted =
            ticket.http.grow_beyond(1, excess) && ticket.connection.grow_beyond(1, excess);
        is_admitted.then_some(ticket)
    }

    /// Evicts the connection that has waited longest, whichever thread it belongs to: a thread with
    /// few connections would otherwise evict one that has just come.
    ///
    /// Many connections without a request displace each other. Few of them are new ones whose
    /// requests are on their way.
    fn evict(&self) -> Option<Eviction> {
        let mut queues = [&self.idle, &self.fresh];
        if self.fresh.len() > self.connections.limit() / MANY_FRESH {
            queues.reverse();
        }
        queues.into_iter().find_map(Idle::evict_oldest)
    }

    /// Returns the limit that the connections have reached, and how to raise it.
    pub(super) fn reached(&self) -> String {
        if self.connections.has_room(1) && !self.http.has_room(1) {
            let limit = self.http.limit();
            return format!(
                "{limit} HTTP connections are in use, which is the limit of this process \
                 ({MAX_CONNECTIONS} for each thread); spread clients over more processes"
            );
        }
        let limit = self.connections.limit();
        format!(
            "{limit} connections are in use, which is what the limit of file descriptors allows; \
             raise it with `ulimit -n`"
        )
    }

    /// Returns a share for a connection that is to become a WebSocket, in addition to the one that
    /// it has.
    pub(super) fn upgrade(&self) -> Option<Share> {
        self.sockets.take(1)
    }

    /// Returns a share for a connection that is told that there is no room, and then closed.
    pub(super) fn refuse(&self) -> Option<Share> {
        self.refusals.take(1)
    }
}

/// The shares that a connection which was accepted holds of the limits.
#[derive(Debug)]
pub(super) struct Ticket {
    /// Until the connection ends or becomes a WebSocket.
    pub(super) http: Share,
    /// Until the connection ends.
    pub(super) connection: Share,
}

/// The place of a connection among those of the process. It is held until the connection ends.
#[derive(Debug)]
pub(in super::super) struct Admitted {
    _connection: Share,
    /// Held while it is a WebSocket.
    _socket: Option<Share>,
}

impl Admitted {
    pub(super) fn new(connection: Share) -> Self {
        Self {
            _connection: connection,
            _socket: None,
        }
    }

    pub(super) fn upgraded(self, share: Share) -> Self {
        Self {
            _socket: Some(share),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::platform::native::network::requests::Requests;
    use crate::platform::native::network::waiting::Waiting;

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn connection_displaces_the_oldest_idle_one_and_is_refused_if_there_is_none() {
        let descriptors = Descriptors::of(256);
        let admission = Admission::new(&descriptors, 2);
        let mut tickets = Vec::new();
        while tickets.len() < 100
            && let Some(ticket) = admission.admit()
        {
            tickets.push(ticket);
        }
        // The rest of 256 is for databases and for the process itself.
        assert_eq!(tickets.len(), 60);
        assert!(admission.displace().await.is_none());
        let heads = Waiting::new(usize::MAX);
        let connection = || Requests::new(admission.queues(), &heads);
        let [kept, older, newer] = [(); 3].map(|()| connection());
        drop(kept.answer());
        kept.sent();
        let is_evicted = |requests: &Requests| requests.eviction().told().now_or_never().is_some();
        // Two that have made no request are few: they may be about to.
        let _first = admission.displace().await.unwrap();
        assert!(is_evicted(&kept) && !is_evicted(&older));
        let _second = admission.displace().await.unwrap();
        assert!(is_evicted(&older) && !is_evicted(&newer));
        let kept = connection();
        drop(kept.answer());
        kept.sent();
        let many = [(); 3].map(|()| connection());
        let _third = admission.displace().await.unwrap();
        assert!(is_evicted(&newer) && !is_evicted(&kept));
        for connection in [&kept].into_iter().chain(&many) {
            assert!(admission.displace().await.is_some());
            assert!(is_evicted(connection));
        }
        assert!(admission.displace().await.is_none());
        let sockets: Vec<_> = std::iter::from_fn(|| admission.upgrade()).collect();
        assert_eq!(sockets.len(), 56);
        let refusals: Vec<_> = std::iter::from_fn(|| admission.refuse()).collect();
        assert_eq!(refusals.len(), 4);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn few_connections_are_accepted_before_the_evicted_ones_have_closed() {
        let admission = Admission::new(&Descriptors::of(256), 2);
        let mut tickets: Vec<_> = std::iter::from_fn(|| admission.admit()).collect();
        assert_eq!(tickets.len(), 60);
        let heads = Waiting::new(usize::MAX);
        let idle: Vec<_> = (0..AHEAD + 4)
            .map(|_| Requests::new(admission.queues(), &heads))
            .collect();
        for _ in 0..AHEAD {
            tickets.push(admission.displace().await.unwrap());
        }
        assert!(admission.displace().await.is_none(), "it does not close");
        // The next one has a request to answer first. The one after it closes.
        let [busy, closes] = [&idle[AHEAD + 1], &idle[AHEAD + 2]];
        let mut displaced = std::pin::pin!(admission.displace());
        assert!(displaced.as_mut().now_or_never().is_none());
        drop(busy.eviction().settling());
        assert!(displaced.as_mut().now_or_never().is_none());
        tickets.pop();
        drop(closes.eviction().settling());
        assert!(displaced.await.is_some());
    }

    #[test]
    fn reached_limit_is_named_with_its_number() {
        let admission = Admission::new(&Descriptors::of(256), 2);
        let tickets: Vec<_> = std::iter::from_fn(|| admission.admit()).collect();
        assert!(admission.reached().starts_with("60 connections"));
        drop(tickets);
        let admission = Admission::new(&Descriptors::of(200_000), 2);
        let tickets: Vec<_> = std::iter::from_fn(|| admission.admit()).collect();
        assert_eq!(tickets.len(), 32_768);
        assert!(admission.reached().starts_with("32768 HTTP connections"));
    }
}
