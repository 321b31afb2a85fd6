//! Time: the system's on the host, virtual in the simulator.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::kernel::Now;

/// Where a shard reads the time.
#[derive(Clone, Debug)]
pub(super) enum Clock {
    System {
        start: Instant,
    },
    /// tokio's paused clock, counted from the start of the test. The date at which it starts moves
    /// when the test sets the clock.
    Virtual {
        start: tokio::time::Instant,
        start_ms: Arc<AtomicI64>,
    },
}

impl Clock {
    pub(super) fn system() -> Self {
        Self::System {
            start: Instant::now(),
        }
    }

    /// The date, and the time that passed.
    pub(super) fn both(&self) -> Now {
        let passed = match self {
            Self::System { start } => start.elapsed(),
            Self::Virtual { start, .. } => start.elapsed(),
        };
        Now {
            wall: self.now(),
            steady: millis(passed),
        }
    }

    /// The date: milliseconds since 1970. Durations are measured with [`both`](Self::both).
    pub(super) fn now(&self) -> i64 {
        match self {
            Self::System { .. } => millis(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
            ),
            Self::Virtual { start, start_ms } => {
                start_ms.load(Ordering::Relaxed) + millis(start.elapsed())
            }
        }
    }

    /// Sets a virtual clock; nobody but the system's administrator sets the system's.
    pub(super) fn set(&self, now: i64) {
        if let Self::Virtual { start, start_ms } = self {
            start_ms.store(now - millis(start.elapsed()), Ordering::Relaxed);
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
