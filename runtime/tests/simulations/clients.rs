//! What the clients of several simulations share.

use std::time::Duration;

use anchorhold::FaultKind;
use anchorhold::check::History;
use anchorhold::prelude::*;
use fastrand::Rng;

/// An empty history whose operations note the virtual time.
pub fn history<Op, Output>(sim: &Sim) -> History<Op, Output> {
    let sim = sim.clone();
    History::with_clock(move || sim.now())
}

/// The choices of one client, which the seed decides.
pub fn choices(sim: &Sim, client: u64) -> Rng {
    // Neighbouring seeds of the generator begin alike; one step of another tells them apart.
    Rng::with_seed(
        sim.seed()
            .wrapping_add(client.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    )
}

/// Ends all faults, and what has begun of them: a disk that hangs does so for up to 3 minutes.
pub async fn heal(sim: &Sim) {
    sim.heal().await;
    sim.advance(Duration::from_secs(300)).await;
}

/// How often the clock was set.
pub fn clock_steps(sim: &Sim) -> u32 {
    let mark = format!("!! {}", FaultKind::ClockStep);
    let steps = sim
        .trace()
        .iter()
        .filter(|line| line.ends_with(&mark))
        .count();
    u32::try_from(steps).unwrap()
}

/// Until what was due within a few minutes is due by a clock that may have been set back, by up to an
/// hour.
pub fn quiet_phase(sim: &Sim) -> Duration {
    Duration::from_secs(300) + Duration::from_secs(3_600) * clock_steps(sim).min(1)
}

/// The latest time that the clock has shown.
pub fn latest_time(sim: &Sim) -> Timestamp {
    let times = sim.trace().into_iter().filter_map(|line| {
        let (millis, _) = line.split_once(' ')?;
        millis.parse().ok().map(Timestamp::from_millis)
    });
    times.chain([sim.now()]).max().unwrap()
}
