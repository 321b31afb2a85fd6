//! Transfers between accounts, each an object. A transfer is promised by the account that pays, and
//! carried out by its alarm until the other account has taken it: once, by its number.

use std::cell::Cell;
use std::time::Duration;

use anchorhold::__private::run_test;
use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults};

const ACCOUNTS: [&str; 3] = ["ann", "bob", "cyd"];
const OPENING: i64 = 100;

#[durable_object]
struct Account {
    #[stored(default = OPENING)]
    balance: i64,
    /// Transfers that the other account has not confirmed: to whom, and how much.
    outgoing: StoredMap<u64, (String, i64)>,
    next: u64,
}

#[durable_object]
impl Account {
    #[rpc]
    fn pay(&mut self, ctx: &Ctx, to: &str, amount: i64) -> Result<u64, Error> {
        if amount > self.balance {
            return Err(Error::conflict("balance", "not enough money"));
        }
        self.balance -= amount;
        self.next += 1;
        let number = self.next;
        self.outgoing.insert(&number, &(to.to_owned(), amount))?;
        Self::schedules(ctx)
            .deliver(number)
            .key(number.to_string())
            .after(Duration::ZERO)?;
        Ok(number)
    }

    /// Shared: an exclusive turn would wait for the other account, which may wait for this one.
    #[alarm]
    async fn deliver(&self, ctx: &Ctx, number: u64) -> Result<(), Error> {
        let Some((to, amount)) = self.outgoing.get(&number)? else {
            return Ok(());
        };
        let from = ctx.name().unwrap_or_default();
        let other = ctx.objects::<Account>().named(&to);
        let key = number.to_string();
        match other.take(&format!("{from}/{number}"), amount).await {
            Ok(()) => Self::schedules(ctx)
                .settle(number)
                .key(key)
                .after(Duration::ZERO)?,
            Err(_) => Self::schedules(ctx)
                .deliver(number)
                .key(key)
                .after(Duration::from_secs(1))?,
        }
        Ok(())
    }

    #[alarm]
    fn settle(&mut self, number: u64) -> Result<(), Error> {
        self.outgoing.remove(&number)?;
        Ok(())
    }

    #[rpc]
    fn take(&self, ctx: &Ctx, transfer: &str, amount: i64) -> Result<(), Error> {
        let key = format!("inbox/{transfer}");
        if ctx.storage().get::<i64>(&key)?.is_none() {
            ctx.storage().put(&key, &amount)?;
        }
        Ok(())
    }

    /// All the money that is here: the balance, what came in, and what is on its way out.
    #[rpc]
    fn total(&self, ctx: &Ctx) -> Result<(i64, i64, i64), Error> {
        let inbox = ctx
            .storage()
            .list::<i64>(&anchorhold::List::all().prefix("inbox/"))?;
        let outgoing = self.outgoing.entries(None, 10_000)?;
        Ok((
            self.balance,
            inbox.iter().map(|(_, amount)| amount).sum(),
            outgoing.iter().map(|(_, (_, amount))| amount).sum(),
        ))
    }
}

async fn total(sim: &Sim, name: &str) -> (i64, i64, i64) {
    let account = sim.objects::<Account>().named(name);
    for _ in 0..100 {
        if let Ok(total) = account.total().await {
            return total;
        }
    }
    panic!("{name} does not answer though nothing fails");
}

#[anchorhold::test(seed = 1, seeds = 300, faults = Faults::all())]
async fn money_is_neither_made_nor_lost(sim: Sim) {
    let mut acknowledged = 0;
    for round in 0..12_i64 {
        let from = ACCOUNTS[usize::try_from(round).unwrap() % 3];
        let to = ACCOUNTS[usize::try_from(round / 2 + 1).unwrap() % 3];
        if from == to {
            continue;
        }
        let paid = sim
            .objects::<Account>()
            .named(from)
            .pay(to, 7 + round)
            .await;
        acknowledged += i64::from(paid.is_ok());
        if round % 4 == 3 {
            sim.advance(Duration::from_secs(3)).await;
        }
    }
    sim.heal().await;
    sim.advance(Duration::from_secs(7_200)).await;
    let mut money = 0;
    for name in ACCOUNTS {
        let (balance, inbox, outgoing) = total(&sim, name).await;
        assert_eq!(outgoing, 0, "{name}: every promised transfer was delivered");
        money += balance + inbox;
    }
    assert_eq!(
        money,
        OPENING * 3,
        "{acknowledged} transfers were acknowledged"
    );
}

async fn one_transfer(sim: &Sim) {
    let ann = sim.objects::<Account>().named("ann");
    let mut paid = false;
    while !paid {
        // A crash takes the reply along; whether the transfer was promised is seen by the balance.
        paid = ann.pay("bob", 10).await.is_ok() || total(sim, "ann").await.0 < OPENING;
    }
    sim.advance(Duration::from_secs(300)).await;
    let (ann, bob) = (total(sim, "ann").await, total(sim, "bob").await);
    assert_eq!((ann, bob), ((90, 0, 0), (100, 10, 0)));
}

#[test]
fn transfer_survives_a_crash_at_every_step() {
    let steps = Cell::new(0);
    run_test(Some(1), "undisturbed", async |sim: Sim| {
        one_transfer(&sim).await;
        steps.set(sim.steps());
    });
    assert!(steps.get() > 20, "{} steps", steps.get());
    for step in 0..steps.get() {
        for kind in [FaultKind::Crash, FaultKind::Panic, FaultKind::FailedCommit] {
            run_test(Some(1), "disturbed", async |sim: Sim| {
                sim.inject_at(step, kind);
                one_transfer(&sim).await;
            });
        }
    }
}

#[test]
fn every_kind_of_fault_happens_and_loses_no_money() {
    for kind in [
        FaultKind::Crash,
        FaultKind::Panic,
        FaultKind::PanicAtWrite,
        FaultKind::FailedCommit,
        FaultKind::FullDisk,
        FaultKind::SlowDisk,
        FaultKind::LateAlarm,
        FaultKind::RepeatedAlarm,
        FaultKind::SlowCall,
        FaultKind::SlowReply,
        FaultKind::LostCall,
        FaultKind::LostReply,
        FaultKind::Eviction,
        FaultKind::ClockStep,
        FaultKind::BadDeployment,
    ] {
        let happened = Cell::new(0);
        for seed in 0..5 {
            run_test(Some(seed), "one kind", async |sim: Sim| {
                sim.set_faults(Faults::none().one_in(4, kind));
                let mut promised = 0;
                for _ in 0..6 {
                    let paid = sim.objects::<Account>().named("ann").pay("bob", 10).await;
                    promised += i64::from(paid.is_ok());
                    sim.advance(Duration::from_secs(1)).await;
                }
                sim.heal().await;
                sim.advance(Duration::from_secs(7_200)).await;
                let (balance, _, outgoing) = total(&sim, "ann").await;
                let (_, inbox, _) = total(&sim, "bob").await;
                assert_eq!((outgoing, inbox), (0, OPENING - balance), "{kind}");
                assert!(
                    inbox >= 10 * promised,
                    "{kind}: an acknowledged transfer is lost"
                );
                let mark = format!("!! {kind}");
                let found = sim
                    .trace()
                    .iter()
                    .filter(|line| line.ends_with(&mark))
                    .count();
                happened.set(happened.get() + found);
            });
        }
        assert!(happened.get() > 0, "{kind} never happened");
    }
}
