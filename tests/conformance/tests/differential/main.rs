//! Runs random plans on both hosts, and checks that clients observe the same.
//!
//! `DIFFERENTIAL_PLANS=10000` runs more plans. `DIFFERENTIAL_SEED=7` begins with another one. Both
//! together repeat a single plan. A plan on which the hosts differ is reduced and printed with what
//! was observed on each.

mod acts;
mod batch;
mod plan;
mod run;
mod strategy;
mod transcript;
mod values;

use std::time::Instant;

use batch::Hosts;
use host_tests::Application;
use plan::Plan;
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use transcript::{Transcript, side_by_side};

/// How many plans the suite runs. They take about a minute.
const PLANS: u64 = 200;
/// How many plans share a start of the hosts, and one restart. On workerd hundreds of aborts in one
/// process cause the instance to be replaced, which ends what other plans have in memory.
const BATCH: usize = 60;
/// How often a plan is run to reduce it.
const TRIES: usize = 200;
/// How many differences are reduced and shown.
const SHOWN: usize = 5;

type Tree = Box<dyn ValueTree<Value = Plan>>;

fn tree(strategy: &BoxedStrategy<Plan>, seed: u64) -> Tree {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    strategy
        .new_tree(&mut runner)
        .expect("the strategies reject nothing")
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|error| panic!("{variable}={value}: {error}")))
}

/// A plan on which the hosts differ.
struct Difference {
    seed: u64,
    seen: [Transcript; 2],
    /// Whether they differed again when the plan was repeated.
    repeats: bool,
}

impl Difference {
    fn report(&self) -> String {
        let seed = self.seed;
        let rerun = if self.repeats {
            ""
        } else {
            " (not when it was run again)"
        };
        format!(
            "the hosts differ on the plan of seed {seed}{rerun}; the same plan again: \
             DIFFERENTIAL_PLANS=1 DIFFERENTIAL_SEED={seed} cargo test -p conformance --test differential\n{}",
            side_by_side(&self.seen)
        )
    }
}

/// Runs single plans to reduce one.
struct Shrinking<'a> {
    hosts: &'a mut Hosts,
    seed: u64,
    tries: usize,
}

impl Shrinking<'_> {
    /// Returns what was observed, if the hosts differ.
    fn differ(&mut self, plan: &Plan) -> Option<[Transcript; 2]> {
        self.tries += 1;
        let name = format!("d{}t{}x", self.seed, self.tries);
        let seen = self.hosts.run(&[(name, plan)]).remove(0);
        (seen[0] != seen[1]).then_some(seen)
    }

    fn shrink(mut self, mut tree: Tree, first: [Transcript; 2]) -> Difference {
        let seed = self.seed;
        let Some(mut smallest) = self.differ(&tree.current()) else {
            return Difference {
                seed,
                seen: first,
                repeats: false,
            };
        };
        let mut changed = tree.simplify();
        while changed && self.tries < TRIES {
            changed = match self.differ(&tree.current()) {
                Some(seen) => {
                    smallest = seen;
                    tree.simplify()
                }
                None => tree.complicate(),
            };
        }
        Difference {
            seed,
            seen: smallest,
            repeats: true,
        }
    }
}

#[test]
fn hosts_agree_on_random_plans() {
    let application = Application::new(
        env!("CARGO_BIN_EXE_conformance"),
        env!("CARGO_MANIFEST_DIR"),
    );
    let count = number("DIFFERENTIAL_PLANS").unwrap_or(PLANS);
    let first = number("DIFFERENTIAL_SEED").unwrap_or(0);
    let strategy = strategy::plan();
    let seeds: Vec<_> = (first..first + count).collect();
    let (mut steps, mut differences) = (0, Vec::new());
    let began = Instant::now();
    for seeds in seeds.chunks(BATCH) {
        let mut hosts = Hosts::start(&application);
        let plans: Vec<_> = seeds
            .iter()
            .map(|seed| tree(&strategy, *seed).current())
            .collect();
        steps += plans.iter().map(Plan::steps).sum::<usize>();
        let named: Vec<_> = seeds
            .iter()
            .zip(&plans)
            .map(|(seed, plan)| (format!("d{seed}x"), plan))
            .collect();
        for (seed, seen) in seeds.iter().zip(hosts.run(&named)) {
            if seen[0] == seen[1] {
                continue;
            }
            let (tree, seed) = (tree(&strategy, *seed), *seed);
            let shrinking = Shrinking {
                hosts: &mut hosts,
                seed,
                tries: 0,
            };
            let difference = shrinking.shrink(tree, seen);
            println!("{}", difference.report());
            differences.push(difference);
            assert!(
                differences.len() < SHOWN,
                "{SHOWN} plans differ, shown above; the rest was not run"
            );
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let (plans_a_second, steps_a_second) = (count as f64 / seconds, steps as f64 / seconds);
    println!(
        "{count} plans with {steps} steps in {seconds:.0} s on both hosts: {plans_a_second:.1} plans and {steps_a_second:.0} steps a second"
    );
    assert!(
        differences.is_empty(),
        "the hosts differ on {} of {count} plans, shown above",
        differences.len()
    );
}
