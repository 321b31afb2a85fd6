//! Checks of a host that is at rest.

use std::time::Duration;

use tokio::time::Instant;

use super::host::Sim;

impl Sim {
    /// Describes up to three things that objects still do, for a message.
    pub(super) fn at_work(&self) -> Option<String> {
        let mut at_work = self.0.shard.at_work();
        let others = at_work.len().saturating_sub(3);
        at_work.truncate(3);
        let mut text = at_work.join("; ");
        if others > 0 {
            text = format!("{text}; and {others} others");
        }
        (!text.is_empty()).then_some(text)
    }

    /// Describes what does not end within `limit` after a test without faults, or will not happen
    /// in time. Alarms that are not due yet may wait. So may those that fail and are retried.
    pub(super) async fn unfinished(&self, limit: Duration) -> Option<String> {
        self.settle().await;
        let until = Instant::now() + limit;
        let mut step = Duration::from_secs(1);
        if !self.0.shard.is_at_rest() {
            self.heal().await;
        }
        while !self.0.shard.is_at_rest() {
            if Instant::now() >= until {
                let at_work = self.at_work().unwrap_or_default();
                return Some(format!(
                    "{} s after the test's end, {at_work}",
                    limit.as_secs()
                ));
            }
            self.advance(step).await;
            step = (step * 2).min(Duration::from_secs(60));
        }
        let lost = self.0.shard.lost_alarms();
        let first = lost.first();
        first.map(|alarm| format!("a run will not happen in time: {alarm}"))
    }
}
