//! Running tests in the simulator.

use std::future::Future;

use tokio::runtime::{Builder, LocalOptions};

use super::super::random::Random;
use super::{PATIENCE, Sim};
use crate::fault::Fault;

/// Runs one test; `#[anchorhold::test]` expands to a call of it.
///
/// The seed is the attribute's, unless `ANCHORHOLD_SEED` is set; without either, each run has
/// another. It is printed, and the harness shows what a failed test printed.
///
/// # Panics
/// As the test does; or when it waits for something that will not happen.
pub fn run_test<F, R>(seed: Option<u64>, name: &'static str, body: impl FnOnce(Sim) -> F) -> R
where
    F: Future<Output = R>,
{
    let seed = given_seed()
        .or(seed)
        .unwrap_or_else(|| u64::from_le_bytes(Random::System.bytes()));
    let test = name.split_once("::").map_or(name, |(_, path)| path);
    println!(
        "simulation seed {seed}; the same run again: ANCHORHOLD_SEED={seed} cargo test {test}"
    );
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => panic!("the simulator's runtime cannot be made: {error}"),
    };
    runtime.block_on(async {
        let sim = match Sim::new(seed) {
            Ok(sim) => sim,
            Err(error) => panic!("the simulator's disk cannot be made: {error}"),
        };
        let result = tokio::select! {
            biased;
            result = body(sim.clone()) => result,
            () = sim.lose_patience() => {
                let trace = sim.trace();
                let last = trace.iter().rev().take(20).rev().map(String::as_str);
                panic!(
                    "the test waited {} hours of virtual time for something that does not happen; the last events:\n{}",
                    PATIENCE.as_secs() / 3_600,
                    last.collect::<Vec<_>>().join("\n")
                );
            }
        };
        sim.0.shard.lose_memory(&Fault::Disconnected("the test is over".to_owned()));
        result
    })
}

fn given_seed() -> Option<u64> {
    let text = std::env::var("ANCHORHOLD_SEED").ok()?;
    match text.parse() {
        Ok(seed) => Some(seed),
        Err(_) => panic!("ANCHORHOLD_SEED={text} is not a number of up to 64 bits"),
    }
}
