//! Long histories of many clients: correct ones are accepted, planted faults are found, and neither
//! takes long.

use std::time::Instant;

use anchorhold::check::models::{
    Counter, CounterOp, Queue, QueueOp, QueueOutput, Register, RegisterOp, RegisterOutput,
};
use anchorhold::check::{History, Model, NotLinearizable, Pending, PerKey};

const CLIENTS: usize = 16;

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

fn register(plan: Plan) -> History<RegisterOp<usize>, RegisterOutput<usize>> {
    let mut value = 0;
    run(
        plan,
        |random| match random.below(4) {
            0 => RegisterOp::Write(random.below(5)),
            1 => RegisterOp::CompareAndSet {
                expected: random.below(5),
                new: random.below(5),
            },
            _ => RegisterOp::Read,
        },
        move |op| match op {
            RegisterOp::Read => RegisterOutput::Value(value),
            RegisterOp::Write(new) => {
                value = *new;
                RegisterOutput::Written
            }
            RegisterOp::CompareAndSet { expected, new } => {
                let swapped = value == *expected;
                if swapped {
                    value = *new;
                }
                RegisterOutput::Swapped(swapped)
            }
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

fn queue(plan: Plan) -> History<QueueOp<usize>, QueueOutput<usize>> {
    let mut items = std::collections::VecDeque::new();
    let mut pushed = 0;
    run(
        plan,
        move |random| match random.below(2) {
            0 => {
                pushed += 1;
                QueueOp::Push(pushed)
            }
            _ => QueueOp::Pop,
        },
        move |op| match op {
            QueueOp::Push(item) => {
                items.push_back(*item);
                QueueOutput::Pushed
            }
            QueueOp::Pop => QueueOutput::Popped(items.pop_front()),
        },
    )
}

/// The verdict, and what it took.
fn timed<M: Model>(
    label: &str,
    model: &M,
    history: &History<M::Op, M::Output>,
) -> Result<(), NotLinearizable> {
    let start = Instant::now();
    let verdict = history.check(model);
    let milliseconds = start.elapsed().as_millis();
    println!(
        "{label}: {milliseconds} ms, linearizable: {}",
        verdict.is_ok()
    );
    verdict
}

fn is_violation(verdict: &Result<(), NotLinearizable>) -> bool {
    matches!(verdict, Err(NotLinearizable::Violation(_)))
}

fn plan(seed: u64, operations: usize) -> Plan {
    Plan {
        seed,
        operations,
        lost_one_in: 20,
    }
}

#[test]
fn correct_histories_of_a_thousand_operations_are_accepted() {
    for seed in 0..5 {
        let plan = plan(seed, 1_000);
        timed("register", &Register(0), &register(plan)).unwrap();
        timed("counter", &Counter, &counter(plan)).unwrap();
        timed("queue", &Queue::new(), &queue(plan)).unwrap();
    }
}

#[test]
fn correct_histories_of_many_seeds_are_accepted() {
    for seed in 0..100 {
        let plan = Plan {
            seed,
            operations: 60,
            lost_one_in: 5,
        };
        register(plan).check(&Register(0)).unwrap();
        counter(plan).check(&Counter).unwrap();
        queue(plan).check(&Queue::new()).unwrap();
    }
}

#[test]
fn value_that_was_never_written_is_found_after_a_thousand_operations() {
    for seed in 0..5 {
        let history = register(plan(seed, 1_000));
        history
            .begin("late", RegisterOp::Read)
            .returned(RegisterOutput::Value(7));
        let verdict = timed("register", &Register(0), &history);
        assert!(is_violation(&verdict), "{verdict:?}");
    }
}
