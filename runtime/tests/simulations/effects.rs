//! What one turn does to the world outside: other objects, sockets and the network see it in the order
//! of the turn, never before the writes ahead of it are kept for good, and nothing of a turn that
//! failed. What a turn leaves to the background happens, however often it waits.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{Faults, Message};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::clients::{choices, heal, quiet_phase};

const CALLERS: u64 = 3;
const TURNS: usize = 6;
/// What a turn sends one receiver.
const PARTS: u32 = 3;
const MOMENT: Duration = Duration::from_millis(3);

/// How a turn sends.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Way {
    Call,
    Socket,
    Network,
    /// A call from the background that first waits so often.
    Later(u8),
}

/// A part of what a turn sends.
type Part = (u32, u32);

#[durable_object]
struct Sender {
    turns: BTreeSet<u32>,
}

#[durable_object]
impl Sender {
    #[websocket("/ws")]
    fn connect(&self) -> Accept<()> {
        Accept::new(())
    }

    #[rpc]
    fn send(&mut self, ctx: &Ctx, turn: u32, way: Way, succeeds: bool) -> Result<(), Error> {
        self.turns.insert(turn);
        Self::send_parts(ctx, turn, way)?;
        if succeeds {
            Ok(())
        } else {
            Err(Error::conflict("as_told", "as told"))
        }
    }

    /// An `async` turn holds nothing back but what waits for its writes.
    #[rpc]
    async fn ask_outside(&mut self, ctx: &Ctx, turn: u32) -> Result<(), Error> {
        ctx.storage().put(&format!("turn{turn}"), &turn)?;
        ctx.fetch(Request::new("POST", "https://outside.example/written").with_json(&turn)?)
            .await?;
        Ok(())
    }

    fn send_parts(ctx: &Ctx, turn: u32, way: Way) -> Result<(), Error> {
        for part in 0..PARTS {
            let receiver = ctx.objects::<Receiver>().named("a");
            match way {
                Way::Call => {
                    let call = receiver.receive(turn, part);
                    ctx.wait_until(async move { drop(call.await) });
                }
                Way::Socket => {
                    for socket in ctx.sockets::<()>().all() {
                        // One that has ended gets nothing.
                        let _ = socket.send_text(&format!("[{turn},{part}]"));
                    }
                }
                Way::Network => {
                    let request = Request::new("POST", "https://outside.example/part");
                    let answer = ctx.fetch(request.with_json(&(turn, part))?);
                    ctx.wait_until(async move { drop(answer.await) });
                }
                Way::Later(times) => {
                    let env = ctx.env();
                    ctx.wait_until(async move {
                        for _ in 0..times {
                            env.sleep(MOMENT).await;
                        }
                        let _ = receiver.receive_late(turn, part).await;
                    });
                }
            }
        }
        Ok(())
    }

    #[rpc]
    fn turns(&self) -> BTreeSet<u32> {
        self.turns.clone()
    }

    #[rpc]
    fn has_written(&self, ctx: &Ctx, turn: u32) -> Result<bool, StorageError> {
        Ok(ctx.storage().get::<u32>(&format!("turn{turn}"))?.is_some())
    }
}

#[durable_object]
struct Receiver {
    received: Vec<Part>,
    late: Vec<Part>,
}

#[durable_object]
impl Receiver {
    #[rpc]
    fn receive(&mut self, turn: u32, part: u32) {
        self.received.push((turn, part));
    }

    #[rpc]
    fn receive_late(&mut self, turn: u32, part: u32) {
        self.late.push((turn, part));
    }

    #[rpc]
    fn received(&self) -> (Vec<Part>, Vec<Part>) {
        (self.received.clone(), self.late.clone())
    }
}

/// What was seen outside of the host.
#[derive(Default)]
struct Outside {
    parts: RefCell<Vec<Part>>,
    /// The turns whose writes were ahead of what the network saw.
    written: RefCell<BTreeSet<u32>>,
}

/// Has the network note what it gets.
fn watch_network(sim: &Sim) -> Rc<Outside> {
    let outside = Rc::new(Outside::default());
    let seen = Rc::clone(&outside);
    sim.answer_outgoing(move |mut request| {
        let seen = Rc::clone(&seen);
        async move {
            if request.path() == "/part" {
                let part = request.json().await.unwrap();
                seen.parts.borrow_mut().push(part);
            } else {
                let turn = request.json().await.unwrap();
                seen.written.borrow_mut().insert(turn);
            }
            Response::empty(204)
        }
    });
    outside
}

/// The parts of each turn, in the order in which they came.
fn by_turn(received: &[Part]) -> BTreeMap<u32, Vec<u32>> {
    let mut turns: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (turn, part) in received {
        turns.entry(*turn).or_default().push(*part);
    }
    turns
}

fn assert_in_order(receiver: &str, received: &[Part]) {
    for (turn, parts) in by_turn(received) {
        assert!(
            parts.is_sorted_by(|one, next| one < next),
            "{receiver} got the parts of turn {turn} as {parts:?}"
        );
    }
}

async fn insist<T, E>(sim: &Sim, call: impl AsyncFn() -> Result<T, CallError<E>>) -> T {
    for _ in 0..1_000 {
        if let Ok(value) = call().await {
            return value;
        }
        sim.env().sleep(Duration::from_millis(200)).await;
    }
    panic!("the object does not answer");
}

#[derive(Default)]
struct Ended {
    next: Cell<u32>,
    succeeded: RefCell<BTreeMap<u32, Way>>,
    failed: RefCell<BTreeSet<u32>>,
}

async fn caller(sim: &Sim, number: u64, ended: &Ended) {
    let mut choices = choices(sim, number);
    let sender = sim.objects::<Sender>().named("a");
    for _ in 0..TURNS {
        let turn = ended.next.replace(ended.next.get() + 1);
        if choices.u8(0..4) == 0 {
            // Whether it was answered or not, the network has seen what it has seen.
            let _ = sender.ask_outside(turn).await;
            continue;
        }
        let way = match choices.u8(0..4) {
            0 => Way::Call,
            1 => Way::Socket,
            2 => Way::Network,
            _ => Way::Later(choices.u8(0..4)),
        };
        let succeeds = choices.u8(0..4) > 0;
        match sender.send(turn, way, succeeds).await {
            Ok(()) => drop(ended.succeeded.borrow_mut().insert(turn, way)),
            Err(CallError::Application(_)) => drop(ended.failed.borrow_mut().insert(turn)),
            // It may have taken effect, or not.
            Err(_) => {}
        }
        if choices.bool() {
            sim.env().sleep(MOMENT).await;
        }
    }
}

/// Receives until the test is over. A connection that ends is made anew.
async fn listener(sim: &Sim, received: &RefCell<Vec<Part>>, is_over: &Cell<bool>) {
    let sender = sim.objects::<Sender>().named("a");
    while !is_over.get() {
        let Ok(mut socket) = sim.connect(&sender, "/ws").await else {
            sim.env().sleep(Duration::from_millis(300)).await;
            continue;
        };
        while !is_over.get() {
            let message = tokio::time::timeout(Duration::from_secs(2), socket.receive()).await;
            match message {
                Ok(Some(Message::Text(text))) => {
                    received
                        .borrow_mut()
                        .push(serde_json::from_str(&text).unwrap());
                }
                Ok(Some(other)) => panic!("{other:?}"),
                Ok(None) => break,
                Err(_) => {}
            }
        }
    }
}

/// What a turn sent, whichever way, checked against how it ended.
async fn run(sim: &Sim, is_undisturbed: bool) {
    let outside = watch_network(sim);
    let ended = Ended::default();
    let (shown, is_over) = (RefCell::default(), Cell::new(false));
    let work = async {
        // The listener is there when the turns begin.
        sim.env().sleep(Duration::from_secs(1)).await;
        join_all((0..CALLERS).map(|number| caller(sim, number, &ended))).await;
        heal(sim).await;
        sim.advance(quiet_phase(sim)).await;
        is_over.set(true);
    };
    futures_util::future::join(work, listener(sim, &shown, &is_over)).await;
    let receiver = sim.objects::<Receiver>().named("a");
    let (received, late) = insist(sim, async || receiver.received().await).await;
    let sender = sim.objects::<Sender>().named("a");
    let kept = insist(sim, async || sender.turns().await).await;

    let (parts, shown) = (outside.parts.take(), shown.take());
    assert_in_order("the receiver", &received);
    assert_in_order("the socket", &shown);
    let sent = [
        ("call", &received),
        ("late call", &late),
        ("request", &parts),
        ("message", &shown),
    ];
    for (what, list) in sent {
        for (turn, _) in list {
            assert!(
                kept.contains(turn) && !ended.failed.borrow().contains(turn),
                "a {what} of turn {turn} was seen, and the turn is not kept"
            );
        }
    }
    for turn in outside.written.take() {
        assert!(
            insist(sim, async || sender.has_written(turn).await).await,
            "the network has seen turn {turn}, and its write is gone"
        );
    }
    if is_undisturbed {
        // Requests have connections of their own: of those that are late, one overtakes another.
        assert_in_order("the network", &parts);
        for (turn, way) in &*ended.succeeded.borrow() {
            let list = match way {
                Way::Call => &received,
                Way::Later(_) => &late,
                Way::Network => &parts,
                Way::Socket => &shown,
            };
            let came = by_turn(list).remove(turn).unwrap_or_default();
            assert_eq!(
                came.len(),
                PARTS as usize,
                "turn {turn} sent by {way:?}, and {came:?} came"
            );
        }
    }
}

#[anchorhold::test(seed = 1, seeds = 100)]
async fn effects_of_a_turn_happen_in_its_order(sim: Sim) {
    run(&sim, true).await;
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::all())]
async fn effects_of_a_turn_happen_in_its_order_under_all_faults(sim: Sim) {
    run(&sim, false).await;
}
