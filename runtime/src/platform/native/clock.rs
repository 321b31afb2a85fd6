//! Time: the system's clock on the host, a virtual one in the simulator.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::kernel::Now;
use crate::time::signed_millis;

/// The source of time of a shard.
#[derive(Clone, Debug)]
pub(super) enum Clock {
    System {
        start: Instant,
        last: Cell<Option<Now>>,
    },
    /// tokio's paused clock, counted from the start of the test. Setting the clock in the test
    /// moves the date at which it starts.
    Virtual {
        start: tokio::time::Instant,
        start_ms: Arc<AtomicI64>,
    },
}

impl Clock {
    pub(super) fn system() -> Self {
        Self::System {
            start: Instant::now(),
            last: Cell::default(),
        }
    }

    /// Returns the date and the elapsed time.
    pub(super) fn both(&self) -> Now {
        match self {
            Self::System { start, last } => {
                let steady = signed_millis(start.elapsed());
                // Every event asks for the date, which is the same within a millisecond.
                let known = last.get().filter(|last| last.steady == steady);
                known.unwrap_or_else(|| {
                    let wall = self.now();
                    let now = Now { wall, steady };
                    last.set(Some(now));
                    now
                })
            }
            Self::Virtual { start, .. } => Now {
                wall: self.now(),
                steady: signed_millis(start.elapsed()),
            },
        }
    }

    /// Returns the date, in milliseconds since 1970. Measure durations with [`both`](Self::both).
    pub(super) fn now(&self) -> i64 {
        match self {
            Self::System { .. } => signed_millis(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
            ),
            Self::Virtual { start, start_ms } => {
                start_ms.load(Ordering::Relaxed) + signed_millis(start.elapsed())
            }
        }
    }

    /// Sets a virtual clock. Has no effect on the system's clock.
    pub(super) fn set(&self, now: i64) {
        if let Self::Virtual { start, start_ms } = self {
            start_ms.store(now - signed_millis(start.elapsed()), Ordering::Relaxed);
        }
    }
}
