//! Random calls between objects, awaited, given up and handed to the background: a call fails as a
//! cycle where it would wait for a turn that waits for it, and nowhere else.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use anchorhold::Faults;
use anchorhold::prelude::*;
use fastrand::Rng;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::clients::{choices, heal};

const NAMES: [&str; 3] = ["a", "b", "c"];
const ROUNDS: usize = 4;
const DEPTH: u32 = 4;

/// How a turn makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Way {
    Await,
    /// Begins in the turn, and is awaited in the background.
    HandOver,
    /// Begins in the background.
    Behind,
}

/// A turn of an object, and the calls that it makes.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Plan {
    object: usize,
    is_exclusive: bool,
    pause_ms: u64,
    /// For how long a call is awaited, in milliseconds.
    calls: Vec<(Way, u64, Plan)>,
}

impl Plan {
    fn chosen(choices: &mut Rng, depth: u32) -> Self {
        let count = if depth == 0 { 0 } else { choices.u8(0..3) };
        let call = |choices: &mut Rng| {
            let way = match choices.u8(0..5) {
                0 => Way::HandOver,
                1 => Way::Behind,
                _ => Way::Await,
            };
            // Odd, so that patience does not end with a pause.
            let patience = [401, 60_001][choices.usize(0..2)];
            (way, patience, Self::chosen(choices, depth - 1))
        };
        Self {
            object: choices.usize(0..NAMES.len()),
            is_exclusive: choices.bool(),
            pause_ms: choices.u64(0..5) * 200,
            calls: (0..count).map(|_| call(choices)).collect(),
        }
    }
}

/// A turn that runs.
struct Turn {
    object: usize,
    is_exclusive: bool,
    /// The call that it answers.
    call: u64,
}

/// What really runs, and who waits for whom.
#[derive(Default)]
struct World {
    next: u64,
    turns: BTreeMap<u64, Turn>,
    /// The calls that a turn waits for, with that turn.
    awaited: BTreeMap<u64, u64>,
    violation: Option<String>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

impl World {
    fn number() -> u64 {
        WORLD.with_borrow_mut(|world| {
            world.next += 1;
            world.next
        })
    }

    /// Whether a turn that waits for `call` keeps such a turn of this object from starting.
    fn is_cycle(call: u64, object: usize, is_exclusive: bool) -> bool {
        WORLD.with_borrow(|world| {
            let mut call = call;
            while let Some(turn) = world
                .awaited
                .get(&call)
                .and_then(|turn| world.turns.get(turn))
            {
                if turn.object == object && (is_exclusive || turn.is_exclusive) {
                    return true;
                }
                call = turn.call;
            }
            false
        })
    }
}

/// A turn that runs, until this is dropped.
struct Running(u64);

impl Running {
    fn begin(plan: &Plan, call: u64) -> Self {
        let turn = World::number();
        let running = Turn {
            object: plan.object,
            is_exclusive: plan.is_exclusive,
            call,
        };
        WORLD.with_borrow_mut(|world| world.turns.insert(turn, running));
        Self(turn)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        WORLD.with_borrow_mut(|world| world.turns.remove(&self.0));
    }
}

/// A call that its turn waits for, until this is dropped.
struct Awaited(u64);

impl Awaited {
    fn begin(call: u64, turn: u64) -> Self {
        WORLD.with_borrow_mut(|world| world.awaited.insert(call, turn));
        Self(call)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        WORLD.with_borrow_mut(|world| world.awaited.remove(&self.0));
    }
}

thread_local! {
    /// Whether nothing but the calls themselves can fail.
    static IS_UNDISTURBED: Cell<bool> = const { Cell::new(false) };
}

type Answer = Result<(), CallError>;

/// Checks a call that was answered, or given up. What is no cycle at the beginning of a call never
/// becomes one, because turns only stop waiting for it.
fn check(plan: &Plan, call: u64, could_be_cycle: bool, answer: Option<&Answer>) {
    let is_told = matches!(answer, Some(Err(CallError::CallCycle(_))));
    let is_cycle = World::is_cycle(call, plan.object, plan.is_exclusive);
    let is_undisturbed = IS_UNDISTURBED.get();
    let is_expected = matches!(
        answer,
        None | Some(Ok(()) | Err(CallError::CallCycle(_) | CallError::Overloaded(_)))
    );
    let violation = if is_told && !could_be_cycle {
        "no turn waits for it"
    } else if is_cycle && matches!(answer, Some(Ok(()))) {
        "it ran beside a turn that waits for it"
    } else if is_cycle && !is_told && is_undisturbed {
        "it waits for itself"
    } else if !is_expected && is_undisturbed {
        "nothing has failed"
    } else {
        return;
    };
    // A panic here would be the turn's.
    WORLD.with_borrow_mut(|world| {
        let text = format!("{violation}, and it is answered {answer:?}: {plan:?}");
        world.violation.get_or_insert(text);
    });
}

fn begin(env: &Env, plan: &Plan, call: u64) -> impl Future<Output = Answer> + use<> {
    let node = env.objects::<Node>().named(NAMES[plan.object]);
    let (exclusive, shared) = if plan.is_exclusive {
        (Some(node.exclusive(plan.clone(), call)), None)
    } else {
        (None, Some(node.shared(plan.clone(), call)))
    };
    async move {
        match (exclusive, shared) {
            (Some(answer), _) => answer.await,
            (_, Some(answer)) => answer.await,
            (None, None) => Ok(()),
        }
    }
}

/// Waits for a call, and checks what comes of it.
async fn checked(env: &Env, plan: Plan, patience_ms: u64) {
    let call = World::number();
    let answer = begin(env, &plan, call);
    let patience = Duration::from_millis(patience_ms);
    let answer = env.timeout(patience, answer).await;
    check(&plan, call, false, answer.as_ref());
}

/// Runs a turn and makes its calls.
async fn run_turn(ctx: &Ctx, plan: Plan, call: u64) {
    let running = Running::begin(&plan, call);
    let env = ctx.env();
    for (way, patience_ms, plan) in plan.calls {
        let patience = Duration::from_millis(patience_ms);
        match way {
            Way::Await => {
                let call = World::number();
                let _awaited = Awaited::begin(call, running.0);
                let could_be_cycle = World::is_cycle(call, plan.object, plan.is_exclusive);
                let answer = env.timeout(patience, begin(&env, &plan, call)).await;
                check(&plan, call, could_be_cycle, answer.as_ref());
            }
            Way::HandOver => {
                let call = World::number();
                let awaited = Awaited::begin(call, running.0);
                let could_be_cycle = World::is_cycle(call, plan.object, plan.is_exclusive);
                let answer = begin(&env, &plan, call);
                let env = ctx.env();
                ctx.wait_until(async move {
                    drop(awaited);
                    let answer = env.timeout(patience, answer).await;
                    check(&plan, call, could_be_cycle, answer.as_ref());
                });
            }
            Way::Behind => {
                let env = ctx.env();
                ctx.wait_until(async move { checked(&env, plan, patience_ms).await });
            }
        }
    }
    ctx.sleep(Duration::from_millis(plan.pause_ms)).await;
}

#[durable_object]
struct Node {
    turns: u32,
}

#[durable_object]
impl Node {
    #[rpc]
    async fn exclusive(&mut self, ctx: &Ctx, plan: Plan, call: u64) {
        self.turns += 1;
        run_turn(ctx, plan, call).await;
    }

    #[rpc]
    async fn shared(&self, ctx: &Ctx, plan: Plan, call: u64) {
        run_turn(ctx, plan, call).await;
    }
}

async fn run(sim: &Sim, is_undisturbed: bool) {
    IS_UNDISTURBED.set(is_undisturbed);
    WORLD.take();
    let mut choices = choices(sim, 0);
    for _ in 0..ROUNDS {
        let roots: Vec<Plan> = (0..2).map(|_| Plan::chosen(&mut choices, DEPTH)).collect();
        let env = sim.env();
        let calls = roots.into_iter().map(|plan| checked(&env, plan, 60_001));
        join_all(calls).await;
        sim.advance(Duration::from_secs(choices.u64(0..100))).await;
    }
    heal(sim).await;
    let violation = WORLD.with_borrow_mut(|world| world.violation.take());
    assert_eq!(violation, None);
}

#[anchorhold::test(seed = 1, seeds = 100)]
async fn call_fails_as_a_cycle_only_where_it_would_wait_for_itself(sim: Sim) {
    run(&sim, true).await;
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::all())]
async fn call_fails_as_a_cycle_only_where_it_would_wait_for_itself_under_all_faults(sim: Sim) {
    run(&sim, false).await;
}
