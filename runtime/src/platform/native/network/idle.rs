//! Connections that wait for their next request. The one that has waited longest makes room for
//! others.
//!
//! Each request begins and ends a wait, and an ordered queue would change with each. So a
//! connection only records the number of its wait, and the queue is ordered when room is needed. A
//! connection that is busy then leaves the queue until it waits again. Otherwise each new
//! connection would cause all busy ones to be examined.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::waiting::Eviction;

/// Instead of the number of a wait: the connection does not wait.
const BUSY: u64 = 0;
/// Instead of a place: the connection has none until it waits again.
const OUT: u64 = 0;
/// Instead of a place: the connection was evicted and never returns to the queue.
const GONE: u64 = u64::MAX;

/// Connections, some of which wait. A clone is the same queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Idle(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// How many numbers were assigned. They begin after `BUSY` and `OUT`.
    given: AtomicU64,
    /// Sorted by the number of the wait in which the connection was last examined or added.
    places: Mutex<BTreeMap<u64, Arc<Connection>>>,
}

#[derive(Debug)]
struct Connection {
    /// The number of its wait, or `BUSY`.
    wait: AtomicU64,
    /// Its place in the queue, `OUT` or `GONE`. Changes under the queue's lock.
    place: AtomicU64,
    eviction: Eviction,
}

/// A connection of the queue. It leaves the queue when this is dropped.
#[derive(Debug)]
pub(super) struct Member {
    queue: Idle,
    connection: Arc<Connection>,
}

impl Idle {
    /// Adds a connection that will wait here and is busy so far.
    pub(super) fn enter(&self, eviction: &Eviction) -> Member {
        Member {
            queue: self.clone(),
            connection: Arc::new(Connection {
                wait: BUSY.into(),
                place: OUT.into(),
                eviction: eviction.clone(),
            }),
        }
    }

    /// Returns about how many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Evicts the connection that has waited longest. Returns `None` if none waits.
    pub(super) fn evict_oldest(&self) -> Option<Eviction> {
        let mut places = self.lock();
        while let Some((place, connection)) = places.pop_first() {
            connection.place.store(OUT, Ordering::SeqCst);
            // Read after the store: a connection that begins to wait now checks whether it has a
            // place.
            match connection.wait.load(Ordering::SeqCst) {
                BUSY => {}
                wait if wait > place => {
                    connection.place.store(wait, Ordering::SeqCst);
                    places.insert(wait, connection);
                }
                _ => {
                    connection.place.store(GONE, Ordering::SeqCst);
                    if connection.eviction.displace() {
                        return Some(connection.eviction.clone());
                    }
                }
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Begins to wait, unless the connection already waits.
    pub(super) fn wait(&self) {
        let Connection { wait, place, .. } = &*self.connection;
        if wait.load(Ordering::Relaxed) != BUSY {
            return;
        }
        let number = self.queue.0.given.fetch_add(1, Ordering::Relaxed) + 1;
        wait.store(number, Ordering::SeqCst);
        if place.load(Ordering::SeqCst) != OUT {
            return;
        }
        let mut places = self.queue.lock();
        if place.load(Ordering::SeqCst) == OUT {
            place.store(number, Ordering::SeqCst);
            places.insert(number, Arc::clone(&self.connection));
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.connection.wait.load(Ordering::Relaxed) != BUSY
    }

    /// Ends the wait.
    pub(super) fn work(&self) {
        self.connection.wait.store(BUSY, Ordering::Relaxed);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut places = self.queue.lock();
        // Removes nothing if the connection has no place.
        places.remove(&self.connection.place.load(Ordering::SeqCst));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_evicted(eviction: &Eviction) -> bool {
        eviction.told().now_or_never().is_some()
    }

    fn waiting(idle: &Idle, eviction: &Eviction) -> Member {
        let member = idle.enter(eviction);
        member.wait();
        member
    }

    #[test]
    fn the_one_that_has_waited_longest_is_evicted_whatever_it_did_before() {
        let idle = Idle::default();
        let evictions = [(); 4].map(|()| Eviction::default());
        let [first, second, third, fourth] = &evictions;
        let [one, _two, three, four] = evictions.each_ref().map(|it| waiting(&idle, it));
        one.work();
        one.wait();
        three.work();
        assert!(idle.evict_oldest().is_some() && is_evicted(second));
        assert!(idle.evict_oldest().is_some() && is_evicted(fourth));
        // A connection that already waits keeps its number.
        one.wait();
        three.wait();
        drop(four);
        assert!(idle.evict_oldest().is_some() && is_evicted(first));
        assert!(idle.evict_oldest().is_some() && is_evicted(third));
        assert!(idle.evict_oldest().is_none());
    }

    #[test]
    fn none_is_evicted_where_all_are_busy_or_gone() {
        let idle = Idle::default();
        let [busy, gone] = [(); 2].map(|()| Eviction::default());
        let member = waiting(&idle, &busy);
        drop(waiting(&idle, &gone));
        member.work();
        for _ in 0..3 {
            assert!(idle.evict_oldest().is_none());
        }
        assert!(!is_evicted(&busy) && !is_evicted(&gone));
        assert!(idle.lock().is_empty(), "busy ones are not looked at again");
        member.wait();
        assert!(idle.evict_oldest().is_some() && is_evicted(&busy));
        // A connection that was evicted makes room once, whatever it does afterwards.
        member.work();
        member.wait();
        assert!(idle.evict_oldest().is_none());
        drop(member);
        assert!(idle.lock().is_empty());
    }

    #[test]
    fn connection_that_begins_to_wait_while_room_is_looked_for_is_in_the_queue() {
        for _ in 0..50 {
            let idle = Idle::default();
            let evictions = [(); 4].map(|()| Eviction::default());
            let members = evictions.each_ref().map(|it| waiting(&idle, it));
            let mut evicted = 0;
            std::thread::scope(|scope| {
                for member in &members {
                    scope.spawn(move || {
                        for _ in 0..1_000 {
                            member.work();
                            member.wait();
                        }
                    });
                }
                for _ in 0..3 {
                    evicted += usize::from(idle.evict_oldest().is_some());
                }
            });
            while idle.evict_oldest().is_some() {
                evicted += 1;
            }
            assert_eq!(evicted, members.len(), "each makes room once");
            assert!(evictions.iter().all(is_evicted));
        }
    }
}
