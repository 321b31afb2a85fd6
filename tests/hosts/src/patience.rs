//! Waiting for what the platform gives no signal of.

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer; `None` if there is none in time.
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
