//! Deployments: what an app with other classes, or other versions of them, makes of what is stored.

use std::time::Duration;

use anchorhold::prelude::*;
use anchorhold::{FaultKind, Faults};

use crate::clients;

const HOUR: Duration = Duration::from_secs(3_600);

mod first {
    use anchorhold::prelude::*;
    use std::time::Duration;

    #[durable_object]
    pub struct Mailer {
        pub sent: u32,
        pub ticks: u32,
    }

    #[durable_object]
    impl Mailer {
        #[rpc]
        pub fn promise(&mut self, ctx: &Ctx, key: u32) -> Result<(), StorageError> {
            Self::schedules(ctx)
                .send(key)
                .key(key.to_string())
                .after(Duration::from_secs(600))
        }

        #[rpc]
        pub fn start(&mut self) {
            self.ticks = 1;
        }

        #[rpc]
        pub fn sent(&self) -> u32 {
            self.sent
        }

        #[alarm]
        fn send(&mut self, key: u32) {
            self.sent += key;
        }

        #[alarm(every = "1m")]
        fn tick(&mut self) {
            self.ticks += 1;
        }
    }
}

mod second {
    use anchorhold::prelude::*;

    /// With a field more, and a recurrence that is longer.
    #[durable_object]
    pub struct Mailer {
        pub sent: u32,
        pub ticks: u32,
        #[stored(default = 7)]
        pub limit: u32,
    }

    #[durable_object]
    impl Mailer {
        #[rpc]
        pub fn limit(&self) -> (u32, u32) {
            (self.sent, self.limit)
        }

        #[alarm]
        fn send(&mut self, key: u32) {
            self.sent += key * 10;
        }

        #[alarm(every = "1h")]
        fn tick(&mut self) {
            self.ticks += 1;
        }
    }
}

#[durable_object]
struct Other {}

#[durable_object]
impl Other {
    #[rpc]
    fn poke(&self) -> bool {
        true
    }
}

/// Has no recurring alarm: nothing but its promises wakes it.
#[durable_object]
struct Parcels {
    sent: u32,
}

#[durable_object]
impl Parcels {
    #[rpc]
    fn promise(&mut self, ctx: &Ctx, key: u32) -> Result<(), StorageError> {
        Self::schedules(ctx)
            .send(key)
            .key(key.to_string())
            .after(Duration::from_secs(600))
    }

    #[alarm]
    fn send(&mut self, key: u32) {
        self.sent += key;
    }
}

fn with_parcels() -> App {
    App::new().object::<Parcels>().object::<Other>()
}

fn with_mailer() -> App {
    App::new().object::<first::Mailer>().object::<Other>()
}

fn without() -> App {
    App::new().object::<Other>()
}

#[anchorhold::test]
async fn run_of_a_class_that_an_app_lacks_happens_when_one_has_it(sim: Sim) {
    sim.deploy(with_mailer()).await;
    let mailer = sim.objects::<first::Mailer>().named("a");
    mailer.promise(1).await.unwrap();
    sim.deploy(without()).await;
    sim.advance(2 * HOUR).await;
    let pending = sim.pending_runs(&mailer);
    assert!(pending.iter().any(|run| run.alarm == "send"), "{pending:?}");
    sim.deploy(with_mailer()).await;
    sim.advance(HOUR).await;
    // Nothing has called it since.
    sim.inside(&mailer, |mailer: &first::Mailer| {
        assert_eq!(mailer.sent, 1);
    });
}

#[anchorhold::test]
async fn class_that_the_app_lacks_fails_as_configuration(sim: Sim) {
    let before = sim.objects::<first::Mailer>().named("a");
    before.start().await.unwrap();
    sim.deploy(without()).await;
    let after = sim.objects::<first::Mailer>().named("a");
    for mailer in [before, after] {
        let error = mailer.sent().await.expect_err("the app lacks it");
        assert!(matches!(error, CallError::Configuration(_)), "{error}");
    }
    let other = sim.objects::<Other>().named("a");
    assert!(other.poke().await.unwrap());
}

#[anchorhold::test]
async fn next_version_finds_what_the_last_one_stored(sim: Sim) {
    sim.deploy(with_mailer()).await;
    let mailer = sim.objects::<first::Mailer>().named("a");
    mailer.promise(1).await.unwrap();
    mailer.start().await.unwrap();
    sim.advance(Duration::from_secs(300)).await;
    sim.deploy(App::new().object::<second::Mailer>()).await;
    // The first hour ends the recurrence of the first version.
    sim.advance(HOUR).await;
    let next = sim.objects::<second::Mailer>().named("a");
    let ticks = sim.inside(&next, |next: &second::Mailer| next.ticks);
    sim.advance(10 * HOUR).await;
    let now = sim.inside(&next, |next: &second::Mailer| next.ticks);
    assert_eq!(now - ticks, 10, "{ticks} {now}");
    assert_eq!(next.limit().await.unwrap(), (10, 7));
    let error = mailer.sent().await.expect_err("the version is gone");
    assert!(matches!(error, CallError::Configuration(_)), "{error}");
}

#[anchorhold::test]
async fn requests_go_through_the_app_that_was_deployed(sim: Sim) {
    let app = |text: &'static str| {
        App::new().get("/version", move |_, _| async move {
            Ok(Response::text(200, text))
        })
    };
    for version in ["one", "two"] {
        sim.deploy(app(version)).await;
        let response = sim.fetch(Request::new("GET", "/version")).await;
        assert_eq!(response.body(), Some(version.as_bytes()));
    }
}

#[anchorhold::test(seed = 1, seeds = 40, faults = Faults::all().one_in(200, FaultKind::PowerFailure))]
async fn promised_runs_happen_through_bad_deployments(sim: Sim) {
    sim.deploy(with_parcels()).await;
    let parcels = sim.objects::<Parcels>().named("a");
    let mut promised = 0;
    for round in 0..6 {
        let key = 10_u32.pow(round);
        if parcels.promise(key).await.is_ok() {
            promised += key;
        }
        sim.advance(Duration::from_secs(200)).await;
        if round % 2 == 1 {
            sim.deploy(without()).await;
            sim.advance(Duration::from_secs(400)).await;
            sim.deploy(with_parcels()).await;
        }
    }
    sim.heal().await;
    sim.advance(10 * HOUR).await;
    let sent = sim.inside(&parcels, |parcels: &Parcels| parcels.sent);
    for round in 0..6 {
        let digit = |number: u32| number / 10_u32.pow(round) % 10;
        assert!(digit(sent) >= digit(promised), "{promised} {sent}");
    }
}

#[anchorhold::test(seed = 1, seeds = 40, faults = Faults::none().one_in(10, FaultKind::Eviction))]
async fn recurrence_is_that_of_the_deployed_version(sim: Sim) {
    const STRETCH: Duration = Duration::from_secs(20 * 60);
    let mut choices = clients::choices(&sim, 0);
    sim.deploy(with_mailer()).await;
    let first = sim.objects::<first::Mailer>().named("a");
    first.start().await.unwrap();
    let ticks = || -> u32 { sim.field(&first, "ticks").unwrap().unwrap_or(0) };
    for _ in 0..6 {
        let minutely = choices.bool();
        // A changed recurrence takes effect at the next wake.
        if minutely {
            sim.deploy(with_mailer()).await;
            first.sent().await.unwrap();
        } else {
            sim.deploy(App::new().object::<second::Mailer>()).await;
            let second = sim.objects::<second::Mailer>().named("a");
            second.limit().await.unwrap();
        }
        let before = ticks();
        sim.advance(STRETCH).await;
        let ticked = ticks() - before;
        let expected = if minutely { 19..=21 } else { 0..=1 };
        assert!(
            expected.contains(&ticked),
            "{ticked} ticks, every minute: {minutely}"
        );
    }
}

/// By rate: calls fail while the class is missing, and alarms wait for it.
#[anchorhold::test(seed = 1, seeds = 20)]
async fn bad_deployment_is_rolled_back_and_loses_nothing(sim: Sim) {
    sim.set_faults(Faults::none().one_in(3, FaultKind::BadDeployment));
    let parcels = sim.objects::<Parcels>().named("a");
    let (mut promised, mut refused) = (0, 0);
    for round in 0..20 {
        let key = 1 << round;
        match parcels.promise(key).await {
            Ok(()) => promised |= key,
            Err(CallError::Configuration(_)) => refused += 1,
            Err(_) => {}
        }
        sim.env().sleep(Duration::from_secs(30)).await;
    }
    while refused == 0 {
        match parcels.promise(1).await {
            Err(CallError::Configuration(_)) => refused += 1,
            outcome => promised |= u32::from(outcome.is_ok()),
        }
        sim.env().sleep(Duration::from_secs(30)).await;
    }
    sim.heal().await;
    sim.advance(2 * HOUR).await;
    let sent = sim.field(&parcels, "sent").unwrap().unwrap_or(0);
    assert_eq!(
        sent & promised,
        promised,
        "an acknowledged run did not happen"
    );
}
