//! Connections that wait for their next request: the one that has waited longest makes room for
//! others.
//!
//! Each request begins and ends a wait, and a queue in order would move with each. So a connection
//! only notes the number of its wait, and the queue is put in order when room is looked for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::waiting::Eviction;

/// The numbers begin behind this.
const BUSY: u64 = 0;

/// The connections of one shard, of which some wait. A clone is the same queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Idle(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// How many numbers were given out.
    given: AtomicU64,
    /// By a number that the connection had, or was given when it was last looked at.
    places: Mutex<BTreeMap<u64, Arc<Connection>>>,
}

#[derive(Debug)]
struct Connection {
    /// The number of its wait, or `BUSY`.
    wait: AtomicU64,
    /// Where it stands in the queue; `BUSY` if it does not. Changes under the queue's lock.
    place: AtomicU64,
    eviction: Eviction,
}

/// A connection of the queue; it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Member {
    queue: Idle,
    connection: Arc<Connection>,
}

impl Idle {
    /// Enters the queue, and waits from now on.
    pub(super) fn enter(&self, eviction: &Eviction) -> Member {
        let number = self.next();
        let connection = Arc::new(Connection {
            wait: number.into(),
            place: number.into(),
            eviction: eviction.clone(),
        });
        self.lock().insert(number, Arc::clone(&connection));
        Member {
            queue: self.clone(),
            connection,
        }
    }

    /// Evicts the connection that has waited longest; false if none waits.
    pub(super) fn evict_oldest(&self) -> bool {
        let mut places = self.lock();
        // Each connection is looked at once: those that are busy go behind this.
        let end = self.0.given.load(Ordering::Relaxed);
        while let Some(first) = places.first_entry().filter(|first| *first.key() <= end) {
            let (place, connection) = first.remove_entry();
            let wait = connection.wait.load(Ordering::Relaxed);
            if wait != BUSY && wait <= place {
                connection.place.store(BUSY, Ordering::Relaxed);
                connection.eviction.tell();
                return true;
            }
            let place = if wait == BUSY { self.next() } else { wait };
            connection.place.store(place, Ordering::Relaxed);
            places.insert(place, connection);
        }
        false
    }

    fn next(&self) -> u64 {
        self.0.given.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// It waits from now on, unless it did already.
    pub(super) fn wait(&self) {
        let wait = &self.connection.wait;
        if wait.load(Ordering::Relaxed) == BUSY {
            wait.store(self.queue.next(), Ordering::Relaxed);
        }
    }

    /// It does not wait.
    pub(super) fn work(&self) {
        self.connection.wait.store(BUSY, Ordering::Relaxed);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut places = self.queue.lock();
        let place = self.connection.place.load(Ordering::Relaxed);
        if place != BUSY {
            places.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_evicted(eviction: &Eviction) -> bool {
        eviction.told().now_or_never().is_some()
    }

    #[test]
    fn the_one_that_has_waited_longest_is_evicted_whatever_it_did_before() {
        let idle = Idle::default();
        let evictions = [(); 4].map(|()| Eviction::default());
        let [first, second, third, fourth] = &evictions;
        let [one, _two, three, four] = evictions.each_ref().map(|eviction| idle.enter(eviction));
        one.work();
        one.wait();
        three.work();
        assert!(idle.evict_oldest() && is_evicted(second));
        assert!(idle.evict_oldest() && is_evicted(fourth));
        // It waits already, and keeps its number.
        one.wait();
        three.wait();
        drop(four);
        assert!(idle.evict_oldest() && is_evicted(first));
        assert!(idle.evict_oldest() && is_evicted(third));
        assert!(!idle.evict_oldest());
    }

    #[test]
    fn none_is_evicted_where_all_are_busy_or_gone() {
        let idle = Idle::default();
        let [busy, gone] = [(); 2].map(|()| Eviction::default());
        let member = idle.enter(&busy);
        drop(idle.enter(&gone));
        member.work();
        for _ in 0..3 {
            assert!(!idle.evict_oldest());
        }
        assert!(!is_evicted(&busy) && !is_evicted(&gone));
        member.wait();
        assert!(idle.evict_oldest() && is_evicted(&busy));
        // One that was evicted has no place, whatever it still does.
        member.wait();
        assert!(!idle.evict_oldest());
        drop(member);
        assert!(idle.lock().is_empty());
    }
}
