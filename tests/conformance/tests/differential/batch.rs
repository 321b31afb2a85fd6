//! Runs many plans on both hosts at once.

use std::sync::Mutex;

use conformance::Step as StorageStep;
use conformance::differential::{Act, Ending, Ring, SOON, Spoken, Way, When};
use host_tests::{Application, Client, Host, Kind, Received, eventually};
use serde_json::json;

use crate::plan::Plan;
use crate::run::{PATIENCE, Run};
use crate::transcript::Transcript;

/// How many plans run at the same time on one host.
const AT_A_TIME: usize = 6;

/// Both hosts, on separate data folders.
pub struct Hosts([Host; 2]);

/// A plan with the name of its objects.
pub type Named<'a> = (String, &'a Plan);

impl Hosts {
    pub fn start(application: &Application) -> Self {
        Self(Kind::BOTH.map(|kind| Host::start(kind, application)))
    }

    /// Returns what clients saw of each plan, on both hosts. Names must not repeat.
    pub fn run(&mut self, plans: &[Named<'_>]) -> Vec<[Transcript; 2]> {
        let [embedded, workerd] = &mut self.0;
        std::thread::scope(|scope| {
            let one = scope.spawn(|| run(embedded, plans));
            let other = run(workerd, plans);
            let one = one.join().expect("a run notes what fails");
            one.into_iter()
                .zip(other)
                .map(|(one, other)| [one, other])
                .collect()
        })
    }
}

fn run(host: &mut Host, plans: &[Named<'_>]) -> Vec<Transcript> {
    let runs: Vec<_> = plans
        .iter()
        .map(|(name, plan)| (*plan, Mutex::new(Run::new(name))))
        .collect();
    let phases = plans.iter().map(|(_, plan)| plan.phases.len()).max();
    for phase in 0..phases.unwrap_or(0) {
        if phase > 0 {
            host.kill();
            host.restart();
        }
        let client = host.client();
        warm_up(&client);
        let calm = runs.iter().filter(|(plan, _)| !plan.panics);
        let queue = Mutex::new(calm);
        std::thread::scope(|scope| {
            for _ in 0..AT_A_TIME {
                scope.spawn(|| {
                    loop {
                        let next = queue.lock().expect("nothing panics under it").next();
                        let Some((plan, run)) = next else { break };
                        let mut run = run.lock().expect("each is taken once");
                        run.phase(&client, plan, phase);
                    }
                });
            }
        });
        for (plan, run) in runs.iter().filter(|(plan, _)| plan.panics) {
            run.lock()
                .expect("each is taken once")
                .phase(&client, plan, phase);
        }
    }
    runs.into_iter()
        .map(|(_, run)| run.into_inner().expect("each is taken once").transcript)
        .collect()
}

/// On workerd a handler has its savepoint after its first write, until the isolate ends. Before
/// that, its failed turn may be answered with a reset (see `docs/guarantees.md`).
pub fn warm_up(client: &Client) {
    let object = client.at("/differential/warm-up");
    let write = || {
        Act::Storage(StorageStep::Put {
            key: "k".to_owned(),
            value: json!(1),
        })
    };
    for way in [Way::Atomic, Way::Look, Way::Exclusive, Way::Shared] {
        let body = json!({ "acts": [write()], "ending": Ending::Succeed });
        object.post(way.path(), body).expect_status(200);
    }
    let ring = Act::Ring {
        key: SOON[0].to_owned(),
        when: When::After(0),
        ring: Ring {
            acts: vec![write()],
            failures: 0,
            aborts: false,
        },
    };
    let mut socket = object.connect("/ws?label=warm-up");
    socket.send(&Spoken {
        acts: vec![write(), ring],
        ending: Ending::Succeed,
    });
    assert_eq!(socket.receive_json::<String>(), "welcome");
    assert!(matches!(socket.receive(), Received::Text(_)));
    socket.close(1000, "");
    assert!(matches!(socket.receive(), Received::Close { .. }));
    eventually(PATIENCE, || {
        object.get("/settled").json::<bool>().then_some(())
    })
    .expect("the run comes");
}
