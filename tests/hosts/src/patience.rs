//! Waits for events that the platform does not signal.

use std::time::{Duration, Instant};

/// Asks repeatedly until there is an answer. Returns `None` if there is none in time.
pub fn eventually<T>(deadline: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
}
