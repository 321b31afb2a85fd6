//! Bytes that one shard holds for its peers. They are bounded together, for any number of peers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Bytes;

/// A number of bytes that may be held at the same time. A clone is the same budget.
#[derive(Clone, Debug)]
pub(in super::super) struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit: usize,
    held: AtomicUsize,
}

impl Budget {
    pub(in super::super) fn new(limit: usize) -> Self {
        Self(Arc::new(Account {
            limit,
            held: AtomicUsize::new(0),
        }))
    }

    pub(super) fn limit(&self) -> usize {
        self.0.limit
    }

    /// Whether this many bytes could be held now.
    pub(in super::super) fn has_room(&self, bytes: usize) -> bool {
        let Account { limit, held } = &*self.0;
        held.load(Ordering::Relaxed).saturating_add(bytes) <= *limit
    }

    /// Takes an empty share, which can grow.
    pub(in super::super) fn open(&self) -> Share {
        Share {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// Takes a share of this many bytes. Returns `None` if the budget has no room for it.
    pub(super) fn take(&self, bytes: usize) -> Option<Share> {
        let mut share = self.open();
        share.grow(bytes).then_some(share)
    }

    /// Like [`take`](Self::take), but allows a share larger than the whole budget if nothing else
    /// is held.
    pub(in super::super) fn take_any(&self, bytes: usize) -> Option<Share> {
        if bytes <= self.0.limit {
            return self.take(bytes);
        }
        let mut share = self.take(self.0.limit)?;
        share.exceed(bytes - self.0.limit);
        Some(share)
    }
}

/// Bytes that are held. Dropping them returns them to their budget.
#[derive(Debug)]
pub(in super::super) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Share {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds more bytes. Returns `false` and changes nothing if the budget has no room for them.
    pub(super) fn grow(&mut self, by: usize) -> bool {
        self.grow_beyond(by, 0)
    }

    /// As [`grow`](Self::grow), although the budget may be exceeded by so many bytes.
    pub(super) fn grow_beyond(&mut self, by: usize, excess: usize) -> bool {
        let Account { limit, held } = &*self.budget.0;
        let limit = limit.saturating_add(excess);
        let grown = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(by).filter(|held| *held <= limit)
        });
        if grown.is_ok() {
            self.bytes += by;
        }
        grown.is_ok()
    }

    /// Holds more bytes, even if the budget has no room for them.
    pub(super) fn exceed(&mut self, by: usize) {
        self.bytes += by;
        self.budget.0.held.fetch_add(by, Ordering::Relaxed);
    }

    /// Holds fewer bytes.
    pub(super) fn shrink(&mut self, by: usize) {
        let by = by.min(self.bytes);
        self.bytes -= by;
        self.budget.0.held.fetch_sub(by, Ordering::Relaxed);
    }

    /// Returns bytes that keep their share until the last of their handles is dropped.
    pub(super) fn holding(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Held {
            bytes,
            _share: self,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

struct Held<B> {
    bytes: B,
    _share: Share,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_gives_no_more_than_it_has_and_takes_all_back() {
        let budget = Budget::new(10);
        let mut first = budget.take(6).unwrap();
        assert!(budget.take(5).is_none());
        assert!(!first.grow(5) && first.bytes() == 6);
        let second = budget.take(4).unwrap();
        first.shrink(2);
        assert!(first.grow(2) && !first.grow(1));
        drop(second);
        assert!(first.grow(4));
        first.shrink(100);
        assert!(budget.take(10).is_some());
        assert!(budget.take(usize::MAX).is_none());

        let alone = budget.take_any(11).unwrap();
        assert!(budget.take_any(11).is_none() && budget.take_any(1).is_none());
        drop(alone);
        assert!(budget.take_any(1).is_some() && budget.take(10).is_some());
    }

    #[test]
    fn held_bytes_keep_their_share_until_their_last_handle_is_gone() {
        let budget = Budget::new(10);
        let bytes = budget.take(10).unwrap().holding(vec![7; 10]);
        let part = bytes.slice(2..4);
        drop(bytes);
        assert!(budget.take(1).is_none());
        assert_eq!(&part[..], [7, 7]);
        drop(part);
        assert!(budget.take(10).is_some());
    }
}
