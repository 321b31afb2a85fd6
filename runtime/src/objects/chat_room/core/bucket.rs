//! A token bucket, until the rate limiter's core is here to be used.

use anchorhold::Timestamp;

#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    limit: u64,
    window_ms: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// When the bucket is full again, in milliseconds times the limit.
    full_at: i128,
}

pub(super) struct Decision {
    pub(super) allowed: bool,
    pub(super) reset_ms: u64,
    pub(super) retry_after_ms: u64,
}

impl Policy {
    pub(super) fn new(limit: u64, window_ms: u64) -> Self {
        Self { limit, window_ms }
    }

    pub(super) fn peek(&self, usage: &Usage, cost: u64, now: Timestamp) -> Decision {
        let limit = i128::from(self.limit);
        let window = i128::from(self.window_ms);
        let now = i128::from(now.as_millis()) * limit;
        let owed = (usage.full_at - now).clamp(0, window * limit);
        let over = owed + i128::from(cost) * window - window * limit;
        let millis = |scaled: i128| u64::try_from((scaled + limit - 1) / limit).unwrap_or(0);
        Decision {
            allowed: over <= 0,
            reset_ms: millis(owed),
            retry_after_ms: if over > 0 { millis(over) } else { 0 },
        }
    }

    pub(super) fn take(&self, usage: &mut Usage, cost: u64, now: Timestamp) -> Decision {
        let decision = self.peek(usage, cost, now);
        if decision.allowed {
            let now = i128::from(now.as_millis()) * i128::from(self.limit);
            usage.full_at = usage.full_at.max(now) + i128::from(cost) * i128::from(self.window_ms);
        }
        decision
    }
}
