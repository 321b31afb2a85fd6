//! Decides which connections the process accepts. Each takes a file descriptor, and databases need
//! theirs.

use super::budget::{Budget, Share};
use super::idle::Idle;
use super::store::Descriptors;

/// One in this many connections is reserved for telling a peer that there is no room for it.
const OF_EACH: usize = 16;
/// One in this many connections is not available to WebSockets, so that those never take all.
const NOT_FOR_SOCKETS: usize = 16;

/// The connections of all shards.
#[derive(Debug)]
pub(super) struct Admission {
    connections: Budget,
    refusals: Budget,
    sockets: Budget,
    /// The connections of each shard that have never made a request.
    fresh: Box<[Idle]>,
    /// The connections that wait for another request.
    idle: Box<[Idle]>,
}

impl Admission {
    pub(super) fn new(descriptors: &Descriptors, shards: usize) -> Self {
        let refusals = descriptors.connections().div_ceil(OF_EACH);
        let connections = descriptors.connections() - refusals;
        Self {
            connections: Budget::new(connections),
            refusals: Budget::new(refusals),
            sockets: Budget::new(connections - connections.div_ceil(NOT_FOR_SOCKETS)),
            fresh: (0..shards).map(|_| Idle::default()).collect(),
            idle: (0..shards).map(|_| Idle::default()).collect(),
        }
    }

    /// Returns the queues of a shard's connections: without a request so far, and between requests.
    pub(super) fn queues(&self, shard: usize) -> [&Idle; 2] {
        [&self.fresh[shard], &self.idle[shard]]
    }

    /// Returns a share for a connection that was accepted, if one is free.
    pub(super) fn admit(&self) -> Option<Share> {
        self.connections.take(1)
    }

    /// Closes the connection that has waited longest for a request, preferably one of this shard's,
    /// and takes its share in advance. Connections that have never made a request go first. Many
    /// connections without requests thus displace only each other.
    pub(super) fn displace(&self, shard: usize) -> Option<Share> {
        let mut queues = [&self.fresh, &self.idle].into_iter().flat_map(|queues| {
            let (before, own_and_behind) = queues.split_at(shard);
            own_and_behind.iter().chain(before)
        });
        queues.any(Idle::evict_oldest).then(|| {
            let mut share = self.connections.open();
            share.exceed(1);
            share
        })
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

/// The place of a connection among those of the process. It is held until the connection ends.
#[derive(Debug)]
pub(super) struct Admitted {
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
    use crate::platform::native::requests::Requests;
    use crate::platform::native::waiting::Waiting;

    #[test]
    fn connection_displaces_an_idle_one_and_is_refused_if_there_is_none() {
        let descriptors = Descriptors::of(256);
        let admission = Admission::new(&descriptors, 2);
        let mut shares = Vec::new();
        while shares.len() < 100
            && let Some(share) = admission.admit()
        {
            shares.push(share);
        }
        // The rest of 256 is for databases and for the process itself.
        assert_eq!(shares.len(), 60);
        assert!(admission.displace(0).is_none());
        let heads = Waiting::new(usize::MAX);
        let connection = |shard| Requests::new(admission.queues(shard), &heads);
        let [kept, other, own] = [0, 1, 0].map(connection);
        drop(kept.answer());
        kept.sent();
        let is_evicted = |requests: &Requests| requests.eviction().told().now_or_never().is_some();
        let _first = admission.displace(0).unwrap();
        assert!(is_evicted(&own) && !is_evicted(&other));
        let _second = admission.displace(0).unwrap();
        assert!(is_evicted(&other) && !is_evicted(&kept));
        let _third = admission.displace(1).unwrap();
        assert!(is_evicted(&kept));
        assert!(admission.displace(0).is_none());
        let sockets: Vec<_> = std::iter::from_fn(|| admission.upgrade()).collect();
        assert_eq!(sockets.len(), 56);
        let refusals: Vec<_> = std::iter::from_fn(|| admission.refuse()).collect();
        assert_eq!(refusals.len(), 4);
        // Three of the 60 were taken in advance.
        shares.truncate(57);
        assert!(admission.admit().is_none());
        shares.truncate(56);
        assert!(admission.admit().is_some());
    }
}
