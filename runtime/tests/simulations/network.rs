//! Between the app and its clients, and between objects and the outside world: handlers end with the
//! process, and requests are lost, late and doubled.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use anchorhold::__private::{Runs, run_test};
use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults};

#[durable_object]
struct Till {
    amount: u32,
}

#[durable_object]
impl Till {
    #[rpc]
    fn take(&mut self) {
        self.amount += 1;
    }

    #[rpc]
    fn amount(&self) -> u32 {
        self.amount
    }

    /// What came of a request to the outside world.
    #[rpc]
    async fn report(&self, ctx: &Ctx) -> Result<u16, Error> {
        let request = Request::new("POST", "https://bank.example/report");
        Ok(ctx.fetch(request).await?.status())
    }
}

/// A handler that takes from two tills, one after the other.
fn shop(pause: Duration) -> App {
    App::new()
        .object::<Till>()
        .post("/buy", move |_, env: Env| async move {
            let tills = env.objects::<Till>();
            tills.named("a").take().await?;
            env.sleep(pause).await;
            tills.named("b").take().await?;
            Ok::<_, Error>(Response::empty(204))
        })
}

async fn amount(sim: &Sim, name: &str) -> u32 {
    loop {
        if let Ok(amount) = sim.objects::<Till>().named(name).amount().await {
            return amount;
        }
    }
}

#[anchorhold::test]
async fn handler_of_the_app_ends_with_the_process(sim: Sim) {
    sim.app(shop(Duration::from_secs(5)));
    let bought = sim.fetch(Request::new("POST", "/buy"));
    let crash = async {
        sim.advance(Duration::from_secs(2)).await;
        sim.crash().await;
    };
    let (bought, ()) = tokio::join!(bought, crash);
    assert_eq!(bought.status(), 503);
    let body = String::from_utf8(bought.body().unwrap().to_vec()).unwrap();
    assert!(body.contains("disconnected"), "{body}");
    sim.advance(Duration::from_secs(60)).await;
    assert_eq!((amount(&sim, "a").await, amount(&sim, "b").await), (1, 0));
    // The next process serves.
    assert_eq!(sim.fetch(Request::new("POST", "/buy")).await.status(), 204);
}

#[test]
fn process_ends_at_each_await_of_a_handler() {
    let found = RefCell::new(BTreeSet::new());
    let runs = Runs {
        seed: Some(5),
        exhaustive: true,
        ..Runs::default()
    };
    run_test(runs, "handler", async |sim: Sim| {
        sim.app(shop(Duration::ZERO));
        let status = sim.fetch(Request::new("POST", "/buy")).await.status();
        let taken = (amount(&sim, "a").await, amount(&sim, "b").await);
        found.borrow_mut().insert((status, taken));
    });
    let expected = [(204, (1, 1)), (503, (0, 0)), (503, (1, 0)), (503, (1, 1))];
    assert_eq!(found.into_inner(), BTreeSet::from(expected));
}

/// What a request to the outside world meets, for one kind of fault.
#[test]
fn requests_to_the_outside_world_are_lost_late_and_doubled() {
    let outcomes = |kind| {
        let found = RefCell::new(BTreeSet::new());
        for seed in 0..20 {
            run_test(Some(seed), "outside", async |sim: Sim| {
                let asked = Rc::new(Cell::new(0));
                let count = Rc::clone(&asked);
                sim.answer_outgoing(move |_| {
                    count.set(count.get() + 1);
                    async { Response::empty(200) }
                });
                sim.set_faults(Faults::none().one_in(2, kind));
                let start = sim.now();
                let till = sim.objects::<Till>().named("a");
                let answered = till.report().await.is_ok();
                let is_late = sim.now() > start;
                sim.heal().await;
                sim.advance(Duration::from_secs(5)).await;
                found.borrow_mut().insert((answered, asked.get(), is_late));
            });
        }
        found.into_inner()
    };
    let well = (true, 1, false);
    for (kind, faulty) in [
        (FaultKind::LostCall, (false, 0, false)),
        (FaultKind::SlowCall, (true, 1, true)),
        (FaultKind::RepeatedRequest, (true, 2, false)),
        (FaultKind::LostReply, (false, 1, false)),
        (FaultKind::SlowReply, (true, 1, true)),
    ] {
        assert_eq!(outcomes(kind), BTreeSet::from([well, faulty]), "{kind}");
    }
}
