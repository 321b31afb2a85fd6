//! Decides which connections the process accepts. Each takes a file descriptor, and databases need
//! theirs.

use std::time::Duration;

use tokio::time::timeout;

use super::super::store::Descriptors;
use super::budget::{Budget, Share};
use super::idle::Idle;

/// One in this many connections is reserved for telling a peer that there is no room for it.
const OF_EACH: usize = 16;
/// One in this many connections is not available to WebSockets, so that those never take all.
const NOT_FOR_SOCKETS: usize = 16;

/// The maximum number of HTTP connections for each thread of the process, counted together.
const MAX_CONNECTIONS: usize = 16_384;
/// How long an evicted connection may take to close before the next connection is accepted.
const ROOM_PATIENCE: Duration = Duration::from_millis(100);

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
        Some(Ticket {
            http: self.http.take(1)?,
            connection: self.connections.take(1)?,
        })
    }

    /// Closes the connection that has waited longest for a request, whichever thread it belongs to,
    /// and takes its share in advance. Connections that have never made a request go first. Many
    /// connections without requests thus displace only each other, and never one that has just come:
    /// a thread of few connections must not take its own newest before another's oldest.
    pub(super) async fn displace(&self) -> Option<Ticket> {
        let evicted = self.queues().into_iter().find_map(Idle::evict_oldest)?;
        let mut ticket = Ticket {
            http: self.http.open(),
            connection: self.connections.open(),
        };
        ticket.http.exceed(1);
        ticket.connection.exceed(1);
        // The evicted connection closes before the next one is accepted. Its thread may be busy.
        let _ = timeout(ROOM_PATIENCE, evicted.settled()).await;
        Some(ticket)
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

/// What a connection that was accepted takes of the limits.
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
        let displace = || admission.displace().now_or_never();
        assert!(displace().unwrap().is_none());
        let heads = Waiting::new(usize::MAX);
        let [kept, older, newer] = [(); 3].map(|()| Requests::new(admission.queues(), &heads));
        drop(kept.answer());
        kept.sent();
        let is_evicted = |requests: &Requests| requests.eviction().told().now_or_never().is_some();
        let settling = older.eviction().settling();
        let mut first = std::pin::pin!(admission.displace());
        assert!(first.as_mut().now_or_never().is_none(), "it has not ended");
        assert!(is_evicted(&older) && !is_evicted(&newer));
        drop(settling);
        let _first = first.now_or_never().unwrap().unwrap();
        drop(newer.eviction().settling());
        let _second = displace().unwrap().unwrap();
        assert!(is_evicted(&newer) && !is_evicted(&kept));
        drop(kept.eviction().settling());
        let _third = displace().unwrap().unwrap();
        assert!(is_evicted(&kept));
        assert!(displace().unwrap().is_none());
        let sockets: Vec<_> = std::iter::from_fn(|| admission.upgrade()).collect();
        assert_eq!(sockets.len(), 56);
        let refusals: Vec<_> = std::iter::from_fn(|| admission.refuse()).collect();
        assert_eq!(refusals.len(), 4);
        // Three of the 60 were taken in advance.
        tickets.truncate(57);
        assert!(admission.admit().is_none());
        tickets.truncate(56);
        assert!(admission.admit().is_some());
    }
}
