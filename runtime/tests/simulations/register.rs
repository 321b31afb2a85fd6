//! A register that clients use at once while everything fails: what they see is linearizable, and
//! each write takes effect once. The same register with a write-behind cache is found out.

use std::cell::RefCell;
use std::time::Duration;

use anchorhold::__private::run_test;
use anchorhold::Faults;
use anchorhold::check::models::{Register as Model, RegisterOp, RegisterOutput};
use anchorhold::check::{Deliveries, History, NotLinearizable};
use anchorhold::prelude::*;
use futures_util::future::join_all;

use crate::clients;

use RegisterOp::{CompareAndSet, Read, Write};
use RegisterOutput::{Swapped, Value, Written};

const CLIENTS: u32 = 4;
const ROUNDS: u32 = 10;

#[durable_object]
struct Register {
    value: u32,
    /// Every value that was written.
    writes: Vec<u32>,
    #[memory]
    unsaved: Option<u32>,
}

#[durable_object]
impl Register {
    #[rpc]
    fn read(&self) -> u32 {
        self.unsaved.unwrap_or(self.value)
    }

    #[rpc]
    fn write(&mut self, value: u32) {
        self.value = value;
        self.writes.push(value);
    }

    #[rpc]
    fn compare_and_set(&mut self, expected: u32, new: u32) -> bool {
        let is_expected = self.read() == expected;
        if is_expected {
            self.value = new;
            self.unsaved = None;
        }
        is_expected
    }

    #[rpc]
    fn writes(&self) -> Vec<u32> {
        self.writes.clone()
    }

    /// Broken: answers before the value is stored. A crash takes it back.
    #[rpc]
    fn write_behind(&mut self, ctx: &Ctx, value: u32) -> Result<(), Error> {
        self.unsaved = Some(value);
        Self::schedules(ctx)
            .save()
            .key("save")
            .after(Duration::from_secs(1))?;
        Ok(())
    }

    #[alarm]
    fn save(&mut self) {
        if let Some(value) = self.unsaved.take() {
            self.value = value;
        }
    }
}

type Calls = History<RegisterOp<u32>, RegisterOutput<u32>>;

/// Clients that each read, write and compare-and-set. Every value is set once.
async fn clients(sim: &Sim, is_broken: bool) -> (Calls, Deliveries<u32>) {
    let history = History::with_clock({
        let sim = sim.clone();
        move || sim.now()
    });
    let writes = Deliveries::exactly_once();
    join_all((0..CLIENTS).map(|number| client(sim, number, is_broken, &history, &writes))).await;
    (history, writes)
}

async fn client(
    sim: &Sim,
    number: u32,
    is_broken: bool,
    history: &Calls,
    writes: &Deliveries<u32>,
) {
    let name = format!("client {number}");
    let mut seen = 0;
    for round in 0..ROUNDS {
        let register = sim.objects::<Register>().named("a");
        let value = number * ROUNDS + round + 1;
        match (number + round) % 4 {
            0 if is_broken => {
                let call = register.write_behind(value);
                let _ = history.call(&name, Write(value), call, |_| Written).await;
            }
            0 => {
                let call = writes.call(value, register.write(value));
                let _ = history
                    .call(&name, Write(value), call, |Ok(())| Written)
                    .await;
            }
            1 => {
                let op = CompareAndSet {
                    expected: seen,
                    new: value,
                };
                let call = register.compare_and_set(seen, value);
                let _ = history
                    .call(&name, op, call, |Ok(swapped)| Swapped(swapped))
                    .await;
            }
            _ => {
                let call = register.read();
                let read = history.call(&name, Read, call, |Ok(value)| Value(value));
                seen = read.await.unwrap_or(seen);
            }
        }
        sim.env().sleep(Duration::from_millis(100)).await;
    }
}

#[anchorhold::test(seed = 1, seeds = 100, faults = Faults::all())]
async fn register_is_linearizable_and_writes_once(sim: Sim) {
    let (history, writes) = clients(&sim, false).await;
    history.check(&Model(0)).unwrap();
    clients::heal(&sim).await;
    let register = sim.objects::<Register>().named("a");
    writes.check(register.writes().await.unwrap()).unwrap();
}

#[test]
fn write_behind_is_found_to_lose_what_it_acknowledged() {
    let found = RefCell::new(None);
    for seed in 0..20 {
        run_test(Some(seed), "write behind", async |sim: Sim| {
            sim.set_faults(Faults::all());
            let (history, _) = clients(&sim, true).await;
            sim.heal().await;
            match history.check(&Model(0)) {
                Err(NotLinearizable::Violation(violation)) => {
                    found.borrow_mut().get_or_insert((seed, violation));
                }
                other => other.unwrap(),
            }
        });
    }
    let (seed, violation) = found.into_inner().unwrap();
    println!("seed {seed}: {violation}");
    let report = violation.to_string();
    assert!(
        report.contains("no order of its operations explains"),
        "{report}"
    );
}
