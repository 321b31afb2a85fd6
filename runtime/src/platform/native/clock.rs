//! Time: the system's on the host, virtual in the simulator.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where a shard reads the time.
#[derive(Clone, Debug)]
pub(super) enum Clock {
    System,
    /// tokio's paused clock, counted from the start of the test.
    Virtual {
        start: tokio::time::Instant,
        start_ms: i64,
    },
}

impl Clock {
    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        match self {
            Self::System => millis(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
            ),
            Self::Virtual { start, start_ms } => start_ms + millis(start.elapsed()),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
