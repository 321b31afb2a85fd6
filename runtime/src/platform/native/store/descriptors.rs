//! The process's file descriptors are a budget. Half of them are for the databases of objects, half
//! for connections.

use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::StorageError;

/// The descriptors of an open database: its file, its log, and a separate handle on the log.
const EACH: u64 = 3;
/// Reserved for the process itself: its own databases, folders during syncs, assets.
const RESERVED: u64 = 128;
/// Used if the system sets no limit, or a very high one.
const MOST: u64 = 1_000_000;
/// The minimum number of databases, and of connections, whatever the limit.
const FEWEST: u64 = 8;
/// How long the opening of a database waits for others to close. If none is closing and none has
/// closed for this long, they are in use, and openings fail at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many databases of objects may be open at a time in this process. Databases that are about to
/// close count until they are closed.
pub(crate) struct Descriptors {
    databases: usize,
    connections: usize,
    free: Mutex<Free>,
    freed: Condvar,
}

#[derive(Debug)]
struct Free {
    databases: usize,
    /// When this number last changed.
    since: Instant,
    /// Databases that are about to close. A slow disk may need longer than `PATIENCE` for one.
    closing: usize,
}

impl Free {
    fn change(&mut self, databases: usize) {
        self.databases = databases;
        self.since = Instant::now();
    }

    fn take(&mut self) -> bool {
        let fewer = self.databases.checked_sub(1);
        if let Some(fewer) = fewer {
            self.change(fewer);
        }
        fewer.is_some()
    }

    /// Returns how long to wait for a database to close.
    fn patience(&self) -> Option<Duration> {
        if self.closing > 0 {
            return Some(PATIENCE);
        }
        PATIENCE.checked_sub(self.since.elapsed())
    }
}

impl Descriptors {
    /// Raises the limit of the process as far as allowed. Takes half of what is available.
    pub(crate) fn of_process() -> Arc<Self> {
        Self::of(raise_limit())
    }

    pub(crate) fn of(limit: u64) -> Arc<Self> {
        let half = limit.min(MOST).saturating_sub(RESERVED) / 2;
        let count = |count: u64| usize::try_from(count.max(FEWEST)).unwrap_or(usize::MAX);
        let databases = count(half / EACH);
        Arc::new(Self {
            databases,
            connections: count(half),
            free: Mutex::new(Free {
                databases,
                since: Instant::now(),
                closing: 0,
            }),
            freed: Condvar::new(),
        })
    }

    /// Returns how many objects one of `shards` shards may have in memory. The rest of the budget
    /// is for objects that are busy when they should leave, and for those that are leaving.
    pub(crate) fn objects_of_each(&self, shards: usize) -> usize {
        (self.databases * 3 / 4 / shards.max(1)).max(1)
    }

    /// Returns how many connections may be open at a time in this process, including WebSockets.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn try_take(self: &Arc<Self>) -> Option<Share> {
        self.free().take().then(|| Share::new(self))
    }

    /// Waits for a database to close if the maximum number is open.
    pub(super) fn take(self: &Arc<Self>) -> Result<Share, StorageError> {
        let mut free = self.free();
        loop {
            if free.take() {
                return Ok(Share::new(self));
            }
            let Some(left) = free.patience() else {
                return Err(StorageError::Io(format!(
                    "all {} databases that the file descriptor limit allows are open and in use: raise it with `ulimit -n`, or use fewer objects at a time",
                    self.databases
                )));
            };
            let waited = self.freed.wait_timeout(free, left);
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The share of one open database. Dropping it returns the share.
pub(super) struct Share {
    descriptors: Arc<Descriptors>,
    is_closing: Cell<bool>,
}

impl Share {
    fn new(descriptors: &Arc<Descriptors>) -> Self {
        Self {
            descriptors: Arc::clone(descriptors),
            is_closing: Cell::default(),
        }
    }

    /// Marks the database as about to close.
    pub(super) fn closes(&self) {
        if !self.is_closing.replace(true) {
            self.descriptors.free().closing += 1;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut free = self.descriptors.free();
        let more = free.databases + 1;
        free.change(more);
        free.closing -= usize::from(self.is_closing.get());
        drop(free);
        self.descriptors.freed.notify_one();
    }
}

#[cfg(unix)]
fn raise_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        maximum: before.maximum,
    };
    // Some systems allow less than they report.
    let after = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => getrlimit(Resource::Nofile),
        Err(_) => before,
    };
    after.current.unwrap_or(MOST)
}

#[cfg(not(unix))]
fn raise_limit() -> u64 {
    // There is no relevant limit on the number of handles here.
    MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_is_refused_at_once_where_none_has_closed_for_long() {
        let descriptors = Descriptors::of(0);
        let mut shares: Vec<_> = std::iter::from_fn(|| descriptors.try_take()).collect();
        assert_eq!(shares.len() as u64, FEWEST);
        let long_ago = Instant::now().checked_sub(PATIENCE * 2);
        descriptors.free().since = long_ago.expect("the machine has run for some seconds");
        let refused = descriptors.take().err().expect("nothing is free");
        assert!(refused.to_string().contains("ulimit -n"), "{refused}");
        shares.pop();
        let _taken = descriptors.take().expect("one is free");
        // From now on others may close again, so waiting can succeed.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| descriptors.take());
            shares.pop();
            waiting.join().expect("no panic").expect("one is free");
        });
    }

    #[test]
    fn database_is_waited_for_while_one_is_closing() {
        let descriptors = Descriptors::of(0);
        let mut shares: Vec<_> = std::iter::from_fn(|| descriptors.try_take()).collect();
        shares[0].closes();
        shares[0].closes();
        let long_ago = Instant::now().checked_sub(PATIENCE * 2);
        descriptors.free().since = long_ago.expect("the machine has run for some seconds");
        assert!(descriptors.free().patience().is_some());
        drop(shares.remove(0));
        let _taken = descriptors.take().expect("one is free");
        descriptors.free().since = long_ago.expect("the machine has run for some seconds");
        assert!(descriptors.free().patience().is_none(), "none is closing");
    }
}
