//! Long histories of many clients: correct ones are accepted, planted faults are found, and neither
//! takes long.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use anchorhold::check::models::{
    Counter, CounterOp, Log, LogOp, LogOutput, Register, RegisterOp, RegisterOutput,
};
use anchorhold::check::{History, Model, NotLinearizable, Pending, PerKey};

const CLIENTS: usize = 10;

/// SplitMix64: enough to vary a history.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// How a history is made.
#[derive(Clone, Copy)]
struct Plan {
    seed: u64,
    operations: usize,
    /// One in so many operations has an unknown outcome.
    lost_one_in: usize,
}

enum Client<Op, Output> {
    Idle,
    Waiting(Pending<Op, Output>, Op),
    Answered(Pending<Op, Output>, Output),
}

/// Clients that each do one operation after another on a correct object. An operation runs at a
/// random moment between its begin and its end. One whose caller was told of a failure may run
/// later, or not at all.
fn run<Op: Clone, Output>(
    plan: Plan,
    mut next: impl FnMut(&mut Random) -> Op,
    mut object: impl FnMut(&Op) -> Output,
) -> History<Op, Output> {
    let history = History::new();
    let mut random = Random(plan.seed);
    let mut clients: Vec<Client<Op, Output>> = (0..CLIENTS).map(|_| Client::Idle).collect();
    let mut wandering: Vec<Op> = Vec::new();
    let mut begun = 0;
    while begun < plan.operations {
        let number = random.below(CLIENTS);
        clients[number] = match std::mem::replace(&mut clients[number], Client::Idle) {
            Client::Idle => {
                begun += 1;
                let op = next(&mut random);
                Client::Waiting(history.begin(number, op.clone()), op)
            }
            Client::Waiting(pending, op) if random.below(plan.lost_one_in) == 0 => {
                pending.unknown("the host crashed");
                if random.below(2) == 0 {
                    wandering.push(op);
                }
                Client::Idle
            }
            Client::Waiting(pending, op) => {
                let output = object(&op);
                Client::Answered(pending, output)
            }
            Client::Answered(pending, output) => {
                pending.returned(output);
                Client::Idle
            }
        };
        if !wandering.is_empty() && random.below(20) == 0 {
            let late = random.below(wandering.len());
            object(&wandering.swap_remove(late));
        }
    }
    history
}

/// Each value is written once, as good tests do. The first read after `goes_back_after` operations
/// finds a value that was overwritten long ago.
fn register(
    plan: Plan,
    goes_back_after: usize,
) -> History<RegisterOp<usize>, RegisterOutput<usize>> {
    let (mut values, mut written, mut done) = (vec![0], 0, 0);
    let current = Rc::new(Cell::new(0));
    let seen = Rc::clone(&current);
    run(
        plan,
        move |random| {
            written += 1;
            match random.below(4) {
                0 => RegisterOp::Write(written),
                1 => RegisterOp::CompareAndSet {
                    expected: seen.get(),
                    new: written,
                },
                _ => RegisterOp::Read,
            }
        },
        move |op| {
            done += 1;
            let value = current.get();
            let output = match op {
                RegisterOp::Read if done > goes_back_after => {
                    done = 0;
                    current.set(values[values.len() - 20]);
                    RegisterOutput::Value(current.get())
                }
                RegisterOp::Read => RegisterOutput::Value(value),
                RegisterOp::Write(new) => {
                    current.set(*new);
                    RegisterOutput::Written
                }
                RegisterOp::CompareAndSet { expected, new } => {
                    let swapped = value == *expected;
                    current.set(if swapped { *new } else { value });
                    RegisterOutput::Swapped(swapped)
                }
            };
            values.push(current.get());
            output
        },
    )
}

fn counter(plan: Plan) -> History<CounterOp, i64> {
    let mut sum = 0;
    run(
        plan,
        |random| match random.below(3) {
            0 => CounterOp::Read,
            1 => CounterOp::Add(1),
            _ => CounterOp::Add(2),
        },
        move |op| {
            sum += match op {
                CounterOp::Add(by) => *by,
                CounterOp::Read => 0,
            };
            sum
        },
    )
}

/// The first append after `forgets_after` operations takes the place of the item before it.
fn log(plan: Plan, forgets_after: usize) -> History<LogOp<usize>, LogOutput<usize>> {
    let (mut items, mut done) = (Vec::new(), 0);
    run(
        plan,
        |random| match random.below(3) {
            0 => LogOp::ReadFrom(random.below(100)),
            _ => LogOp::Append(random.below(100)),
        },
        move |op| {
            done += 1;
            match op {
                LogOp::Append(item) => {
                    if done > forgets_after {
                        done = 0;
                        items.pop();
                    }
                    items.push(*item);
                    LogOutput::Appended(items.len() - 1)
                }
                LogOp::ReadFrom(from) => {
                    LogOutput::Items(items.get(*from..).unwrap_or_default().to_vec())
                }
            }
        },
    )
}

/// Two seeds of a host that crashes in every 20th call, and two in every 1,000th.
fn plans() -> impl Iterator<Item = Plan> {
    [(0, 20), (2, 20), (2, 1_000), (3, 1_000)]
        .into_iter()
        .map(|(seed, lost_one_in)| Plan {
            seed,
            operations: 1_000,
            lost_one_in,
        })
}

#[test]
fn short_histories_of_many_lost_calls_are_accepted() {
    for seed in 0..100 {
        let plan = Plan {
            seed,
            operations: 60,
            lost_one_in: 5,
        };
        register(plan, usize::MAX).check(&Register(0)).unwrap();
        counter(plan).check(&Counter).unwrap();
        log(plan, usize::MAX).check(&Log::new()).unwrap();
    }
}

/// Checks within a bound that is known to take less than a second in a debug build. It is not a
/// bound on time, which depends on what else the machine does.
fn check<M: Model>(model: &M, history: &History<M::Op, M::Output>) -> Result<(), NotLinearizable> {
    let start = Instant::now();
    let verdict = history.check_within(model, 20_000);
    println!("{} ms", start.elapsed().as_millis());
    verdict
}

/// The index of the operation that is blamed.
fn blamed(verdict: Result<(), NotLinearizable>) -> usize {
    match verdict {
        Err(NotLinearizable::Violation(violation)) => violation.operation(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn register_of_a_thousand_operations_is_accepted() {
    for plan in plans() {
        check(&Register(0), &register(plan, usize::MAX)).unwrap();
    }
}

#[test]
fn counter_of_a_thousand_operations_is_accepted() {
    for plan in plans() {
        check(&Counter, &counter(plan)).unwrap();
    }
}

#[test]
fn log_of_a_thousand_operations_is_accepted() {
    for plan in plans() {
        check(&Log::new(), &log(plan, usize::MAX)).unwrap();
    }
}

#[test]
fn log_that_forgets_an_item_is_found() {
    for plan in plans() {
        let history = log(plan, 500);
        let index = blamed(check(&Log::new(), &history));
        assert!((470..530).contains(&index), "{index}");
    }
}

#[test]
fn register_that_goes_back_to_an_old_value_is_found() {
    for plan in plans() {
        let history = register(plan, 500);
        let index = blamed(check(&Register(0), &history));
        assert!((470..530).contains(&index), "{index}");
    }
}

#[test]
fn value_of_long_ago_is_found_at_the_end() {
    for plan in plans() {
        let history = register(plan, usize::MAX);
        history
            .begin("late", RegisterOp::Read)
            .returned(RegisterOutput::Value(7));
        assert_eq!(blamed(check(&Register(0), &history)), 1_000);
    }
}

#[test]
fn hundred_keys_are_checked_one_by_one() {
    let mut sums = [0; 100];
    let history = run(
        Plan {
            seed: 0,
            operations: 1_000,
            lost_one_in: 20,
        },
        |random| (random.below(100), CounterOp::Add(1)),
        move |(key, _)| {
            sums[*key] += 1;
            sums[*key]
        },
    );
    check(&PerKey::new(Counter), &history).unwrap();
}
