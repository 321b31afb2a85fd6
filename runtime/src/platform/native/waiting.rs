//! Peers that the shard waits for: what they hold is bounded together, and those that have kept it
//! waiting longest make room for others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections that have begun something and not finished it, oldest first. A clone is the same queue.
#[derive(Clone, Debug)]
pub(super) struct Waiting(Arc<Mutex<Queue>>);

#[derive(Debug)]
struct Queue {
    /// Bytes that may be held together.
    limit: usize,
    held: usize,
    next: u64,
    entries: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    bytes: usize,
    eviction: Eviction,
}

/// Tells a connection that it must make room.
#[derive(Clone, Debug, Default)]
pub(super) struct Eviction(Arc<Notify>);

impl Eviction {
    /// Waits until the connection must make room.
    pub(super) async fn told(&self) {
        self.0.notified().await;
    }
}

impl Waiting {
    /// A queue whose entries hold so many bytes together.
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue {
            limit,
            held: 0,
            next: 0,
            entries: BTreeMap::new(),
        })))
    }

    /// Enters the queue as the youngest, and holds nothing yet.
    pub(super) fn enter(&self, eviction: &Eviction) -> Place {
        let mut queue = self.lock();
        let number = queue.next;
        queue.next += 1;
        let entry = Entry {
            bytes: 0,
            eviction: eviction.clone(),
        };
        queue.entries.insert(number, entry);
        Place {
            waiting: self.clone(),
            number,
            bytes: 0,
        }
    }

    /// Evicts the oldest, whatever it holds; false if there is none.
    pub(super) fn evict_oldest(&self) -> bool {
        let mut queue = self.lock();
        let oldest = queue.entries.first_key_value().map(|(number, _)| *number);
        oldest.is_some_and(|oldest| queue.evict(oldest))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        self.held -= entry.bytes;
        Some(entry)
    }

    fn evict(&mut self, number: u64) -> bool {
        let evicted = self.remove(number);
        evicted.is_some_and(|entry| {
            entry.eviction.0.notify_one();
            true
        })
    }
}

/// A connection's place in a queue; it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    waiting: Waiting,
    number: u64,
    bytes: usize,
}

impl Place {
    /// Holds so many bytes, and no fewer than before. If there is no room, the oldest of those that
    /// hold any is evicted, which may be this one.
    pub(super) fn grow_to(&mut self, bytes: usize) {
        let by = bytes.saturating_sub(self.bytes);
        self.bytes += by;
        let mut queue = self.waiting.lock();
        // An entry that was evicted counts no more.
        let Some(entry) = queue.entries.get_mut(&self.number) else {
            return;
        };
        entry.bytes += by;
        queue.held += by;
        while queue.held > queue.limit {
            let mut holders = queue.entries.iter().filter(|(_, entry)| entry.bytes > 0);
            let Some(oldest) = holders.next().map(|(number, _)| *number) else {
                return;
            };
            queue.evict(oldest);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.lock().remove(self.number);
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
    fn queue_evicts_the_oldest_holder_when_it_is_full() {
        let waiting = Waiting::new(10);
        let [empty, first, second, third] = [(); 4].map(|()| Eviction::default());
        let _empty_place = waiting.enter(&empty);
        let mut first_place = waiting.enter(&first);
        let mut second_place = waiting.enter(&second);
        let mut third_place = waiting.enter(&third);
        second_place.grow_to(6);
        first_place.grow_to(4);
        assert!(!is_evicted(&first) && !is_evicted(&second));
        third_place.grow_to(3);
        assert!(is_evicted(&first), "it is older, though it holds less");
        assert!(!is_evicted(&second) && !is_evicted(&third) && !is_evicted(&empty));
        // One that was evicted counts no more, whatever it still does.
        first_place.grow_to(10);
        drop(first_place);
        third_place.grow_to(4);
        assert!(!is_evicted(&second) && !is_evicted(&third));
        drop(second_place);
        third_place.grow_to(10);
        assert!(!is_evicted(&third));
        third_place.grow_to(11);
        assert!(is_evicted(&third), "it has no room alone");
    }
}
