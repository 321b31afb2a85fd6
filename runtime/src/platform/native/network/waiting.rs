//! Peers that the shard waits for. What they hold is bounded together. If there is no room, peers
//! that have stopped sending are evicted first, the oldest before the others. If all continue to
//! send, the one that finds no room is evicted, because the oldest are nearest to completion.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// How many bytes per second a peer must send to avoid being evicted first.
const FAST: u64 = 16 * 1024;
/// The time over which this is measured.
const MEASURED: Duration = Duration::from_secs(2);

/// Connections with something unfinished, oldest first. A clone is the same queue.
#[derive(Clone, Debug)]
pub(in super::super) struct Waiting(Arc<Mutex<Queue>>);

#[derive(Debug)]
struct Queue {
    /// How many bytes may be held together.
    limit: usize,
    held: usize,
    next: u64,
    entries: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    bytes: usize,
    /// The time and the number of bytes from which its speed is measured.
    since: Instant,
    from: usize,
    was_slow: bool,
    eviction: Eviction,
}

impl Entry {
    fn new(eviction: &Eviction) -> Self {
        Self {
            bytes: 0,
            since: Instant::now(),
            from: 0,
            was_slow: false,
            eviction: eviction.clone(),
        }
    }

    /// Whether it sends too little. A new entry is given time.
    fn is_slow(&self) -> bool {
        let took = self.since.elapsed();
        if took < MEASURED {
            return self.was_slow;
        }
        let came = (self.bytes - self.from) as u64;
        came < FAST.saturating_mul(took.as_secs())
    }

    fn grow(&mut self, by: usize) {
        if self.since.elapsed() >= MEASURED {
            self.was_slow = self.is_slow();
            self.since = Instant::now();
            self.from = self.bytes;
        }
        self.bytes += by;
    }
}

/// Tells a connection that it must make room. Only one task at a time waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Eviction(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    is_told: AtomicBool,
    // Every poll of a connection checks this. A `Notify` keeps a list, and locks it each time.
    waker: AtomicWaker,
    /// Only one connection may take the place of this one.
    is_displaced: AtomicBool,
    is_settled: AtomicBool,
    settled: AtomicWaker,
}

/// Settles an eviction when it is dropped.
pub(super) struct Settling(Eviction);

impl Drop for Settling {
    fn drop(&mut self) {
        let told = &*self.0.0;
        told.is_settled.store(true, Ordering::Release);
        told.settled.wake();
    }
}

impl Eviction {
    pub(super) fn tell(&self) {
        self.0.is_told.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// Tells the connection that another one takes its place. Returns `false` if it was told so
    /// before.
    pub(super) fn displace(&self) -> bool {
        let is_first = !self.0.is_displaced.swap(true, Ordering::Relaxed);
        if is_first {
            self.tell();
        }
        is_first
    }

    /// Waits until the connection must make room.
    pub(super) async fn told(&self) {
        let mut registered: Option<Waker> = None;
        poll_fn(|context| {
            let waker = context.waker();
            if !registered
                .as_ref()
                .is_some_and(|known| known.will_wake(waker))
            {
                self.0.waker.register(waker);
                registered = Some(waker.clone());
            }
            if self.0.is_told.load(Ordering::Acquire) {
                self.0.is_told.store(false, Ordering::Relaxed);
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Returns the guard of a connection. Dropping it says that the connection has ended, became a
    /// WebSocket, or has a request to answer first.
    pub(super) fn settling(&self) -> Settling {
        Settling(self.clone())
    }

    /// Waits until the connection that was displaced has settled. Only the task that displaced it
    /// waits for this.
    pub(super) async fn settled(&self) {
        poll_fn(|context| {
            self.0.settled.register(context.waker());
            if self.0.is_settled.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

impl Waiting {
    /// Creates a queue whose entries hold at most this many bytes together.
    pub(in super::super) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue {
            limit,
            held: 0,
            next: 0,
            entries: BTreeMap::new(),
        })))
    }

    /// Enters the queue as the youngest. Holds nothing yet.
    pub(super) fn enter(&self, eviction: &Eviction) -> Place {
        let mut queue = self.lock();
        let number = queue.next;
        queue.next += 1;
        queue.entries.insert(number, Entry::new(eviction));
        Place {
            waiting: self.clone(),
            number,
            bytes: 0,
        }
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
            entry.eviction.tell();
            true
        })
    }
}

/// A connection's place in a queue. It leaves the queue when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    waiting: Waiting,
    number: u64,
    bytes: usize,
}

impl Place {
    /// Holds this many bytes, never fewer than before. If there is no room, evicts the oldest slow
    /// entry that holds any, or else this one.
    pub(super) fn grow_to(&mut self, bytes: usize) {
        let by = bytes.saturating_sub(self.bytes);
        self.bytes += by;
        let mut queue = self.waiting.lock();
        // An entry that was evicted no longer counts.
        let Some(entry) = queue.entries.get_mut(&self.number) else {
            return;
        };
        entry.grow(by);
        queue.held += by;
        while queue.held > queue.limit {
            let mut entries = queue.entries.iter();
            let slow = entries.find(|(_, entry)| entry.bytes > 0 && entry.is_slow());
            let number = slow.map_or(self.number, |(number, _)| *number);
            if !queue.evict(number) {
                return;
            }
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

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn queue_evicts_the_oldest_that_is_slow() {
        let waiting = Waiting::new(100);
        let [empty, first, second, third] = [(); 4].map(|()| Eviction::default());
        let _empty_place = waiting.enter(&empty);
        let mut first_place = waiting.enter(&first);
        let mut second_place = waiting.enter(&second);
        let mut third_place = waiting.enter(&third);
        second_place.grow_to(60);
        first_place.grow_to(40);
        assert!(!is_evicted(&first) && !is_evicted(&second));
        tokio::time::advance(MEASURED).await;
        third_place.grow_to(30);
        assert!(
            is_evicted(&first),
            "it is older, though it holds less, and both have stopped"
        );
        assert!(!is_evicted(&second) && !is_evicted(&third) && !is_evicted(&empty));
        // An evicted entry no longer counts, whatever it does afterwards.
        first_place.grow_to(100);
        drop(first_place);
        third_place.grow_to(40);
        assert!(!is_evicted(&second) && !is_evicted(&third));
        drop(second_place);
        third_place.grow_to(100);
        assert!(!is_evicted(&third));
        third_place.grow_to(101);
        assert!(is_evicted(&third), "it has no room alone");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn queue_evicts_the_one_that_finds_no_room_where_all_go_on() {
        let fast = usize::try_from(FAST).unwrap();
        let waiting = Waiting::new(10 * fast);
        let [first, second] = [(); 2].map(|()| Eviction::default());
        let mut first_place = waiting.enter(&first);
        for second in 1..=4 {
            tokio::time::advance(Duration::from_secs(1)).await;
            first_place.grow_to(2 * second * fast);
        }
        let mut second_place = waiting.enter(&second);
        second_place.grow_to(3 * fast);
        assert!(!is_evicted(&first) && is_evicted(&second));
        // A few bytes now and then are not fast enough.
        let third = Eviction::default();
        let mut third_place = waiting.enter(&third);
        for byte in 1..=4 {
            tokio::time::advance(Duration::from_secs(1)).await;
            first_place.grow_to(8 * fast + byte);
        }
        third_place.grow_to(3 * fast);
        assert!(is_evicted(&first) && !is_evicted(&third));
    }
}
