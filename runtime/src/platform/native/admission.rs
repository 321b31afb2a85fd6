//! Which connections the process takes: each has a file descriptor, and databases need theirs.

use super::budget::{Budget, Share};
use super::store::Descriptors;
use super::waiting::Waiting;

/// One of so many connections is kept for telling a peer that there is no room for it.
const OF_EACH: usize = 16;

/// The connections of all shards. One that is upgraded to a WebSocket keeps its share.
#[derive(Debug)]
pub(super) struct Admission {
    connections: Budget,
    refusals: Budget,
    /// The connections of each shard that wait for a request.
    idle: Box<[Waiting]>,
}

impl Admission {
    pub(super) fn new(descriptors: &Descriptors, shards: usize) -> Self {
        let refusals = descriptors.connections().div_ceil(OF_EACH);
        Self {
            connections: Budget::new(descriptors.connections() - refusals),
            refusals: Budget::new(refusals),
            idle: (0..shards).map(|_| Waiting::new(usize::MAX)).collect(),
        }
    }

    pub(super) fn idle(&self, shard: usize) -> &Waiting {
        &self.idle[shard]
    }

    /// A share for a connection that was accepted, if one is free.
    pub(super) fn admit(&self) -> Option<Share> {
        self.connections.take(1)
    }

    /// Closes the connection that has waited longest for a request, one of this shard's if there is
    /// any, and takes its share in advance.
    pub(super) fn displace(&self, shard: usize) -> Option<Share> {
        let (before, own_and_behind) = self.idle.split_at(shard);
        let mut idle = own_and_behind.iter().chain(before);
        idle.any(Waiting::evict_oldest).then(|| {
            let mut share = self.connections.open();
            share.exceed(1);
            share
        })
    }

    /// A share for a connection that is told that there is no room, and closed.
    pub(super) fn refuse(&self) -> Option<Share> {
        self.refusals.take(1)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::platform::native::requests::Requests;

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
        let [other, own] = [1, 0].map(|shard| Requests::new(admission.idle(shard), &heads));
        let is_evicted = |requests: &Requests| requests.eviction().told().now_or_never().is_some();
        let _first = admission.displace(0).unwrap();
        assert!(is_evicted(&own) && !is_evicted(&other));
        let _second = admission.displace(0).unwrap();
        assert!(is_evicted(&other));
        assert!(admission.displace(0).is_none());
        let refusals: Vec<_> = std::iter::from_fn(|| admission.refuse()).collect();
        assert_eq!(refusals.len(), 4);
        // Two were taken in advance.
        shares.truncate(58);
        assert!(admission.admit().is_none());
        shares.truncate(57);
        assert!(admission.admit().is_some());
    }
}
