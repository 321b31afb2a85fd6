//! Every way in which an object's code can end its memory, while others wait beside it.
//!
//! On workerd all objects of an isolate share one WebAssembly instance, which a panic or a trap
//! ends. What waits in it is answered with 503 `reset`, at once. On the embedded host other callers
//! are not affected.

use std::time::{Duration, Instant};

use conformance::{Death, Holding};
use host_tests::{Answer, Client, Connection, Host, Kind, Received, eventually};
use serde_json::{Value, json};

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::alone(
        "whatever ends an object's memory, everyone is answered and the next call works",
        "P16 P18 P62",
        deaths,
    )
    .slow(),
    Case::alone(
        "an object that does not start disturbs nobody, and its callers learn why",
        "P16",
        refused_starts,
    ),
    Case::alone(
        "a handler of the app that dies is answered, as is everyone else",
        "",
        deaths_of_the_app,
    )
    .only_on(
        Kind::Workerd,
        "the app's handlers share the memory of the objects",
    ),
    Case::alone(
        "hundreds of aborts lose no memory and disturb nobody",
        "P18",
        aborts,
    )
    .slow(),
    Case::alone(
        "a client that hangs up leaves nothing of its request behind",
        "",
        hang_ups,
    ),
    Case::alone("memory is flat over a long run of failures", "", long_run).slow(),
];

/// All callers are answered within this time.
const BOUND: Duration = Duration::from_secs(10);

/// Longer than any case.
const FOR_EVER_MS: u64 = 600_000;
/// Long enough for all to wait at the same time, even on a busy machine.
const LONG_MS: u64 = 5_000;

const WAITING_OBJECTS: usize = 20;

/// Deaths that end where they happen on both hosts.
const DEATHS: &[Death] = &[Death::Panic, Death::Abort, Death::Drop];

/// Deaths that WebAssembly contains and a process does not.
const TRAPS: &[Death] = &[
    Death::Trap,
    Death::DeepCalls,
    Death::LargeFrames,
    Death::Allocation,
];

fn deaths_of(kind: Kind) -> impl Iterator<Item = Death> {
    let traps = match kind {
        Kind::Workerd => TRAPS,
        Kind::Embedded => &[],
    };
    DEATHS.iter().chain(traps).copied()
}

fn holding(client: &Client) -> Holding {
    client.get("/app/holding").json()
}

/// The waiters beside a death.
struct Beside<'a> {
    client: &'a Client,
    name: &'a str,
    /// Whether the death also ends their memory.
    is_shared: bool,
}

impl Beside<'_> {
    /// Lets `die` happen beside waiters in other objects, in the app and on a socket. Checks their
    /// answers.
    fn run(&self, die: impl FnOnce()) {
        let Self {
            client,
            name,
            is_shared,
        } = *self;
        let ms = if is_shared { FOR_EVER_MS } else { LONG_MS };
        let mut socket = client.connect(&format!("/mortals/socket-{name}/ws"));
        let before = holding(client).waiting;
        std::thread::scope(|scope| {
            let in_objects = (0..WAITING_OBJECTS).map(|number| {
                let path = format!("/mortals/waiter-{name}-{number}/wait");
                scope.spawn(move || (client.post(&path, json!({ "ms": ms })), Instant::now()))
            });
            let in_app = (0..2).map(|_| {
                let stay = json!({ "ms": ms });
                scope.spawn(move || (client.post("/app/stay", stay), Instant::now()))
            });
            let waiters: Vec<_> = in_objects.chain(in_app).collect();
            socket.send(&json!({ "ms": ms }));
            let expected = before + 1 + i64::try_from(waiters.len()).expect("a few");
            eventually(BOUND, || {
                (holding(client).waiting >= expected).then_some(())
            })
            .unwrap_or_else(|| panic!("{name}: {:?} of {expected} wait", holding(client)));
            let start = Instant::now();
            die();
            for waiter in waiters {
                let (answer, at) = waiter.join().expect("a waiter is answered");
                assert!(at < start + BOUND, "{name}: answered after {BOUND:?}");
                match is_shared {
                    true => assert_reset(name, &answer),
                    false => assert_eq!(answer.status, 200, "{name}: {}", answer.text()),
                }
            }
        });
        if is_shared {
            // Its message was lost with the memory, and it is told so.
            let told: Value = socket.receive_json();
            assert_eq!(told["code"], "reset", "{name}: {told}");
        } else {
            assert_echo(&mut socket, ms);
        }
        socket.send(&json!({ "ms": 0 }));
        assert_echo(&mut socket, 0);
    }
}

fn assert_reset(name: &str, answer: &Answer) {
    assert_eq!(
        (answer.status, answer.error_code().as_deref()),
        (503, Some("reset")),
        "{name}: {}",
        answer.text()
    );
}

fn assert_echo(socket: &mut Connection, ms: u64) {
    match socket.receive() {
        Received::Text(text) => {
            let told: Value = serde_json::from_str(&text).expect("the probe sends JSON");
            assert_eq!(told["ms"], ms);
        }
        other => panic!("the socket lives on: {other:?}"),
    }
}

fn ends_everything(kind: Kind, death: Death) -> bool {
    kind == Kind::Workerd && death != Death::Abort
}

fn deaths(host: &mut Host) {
    let client = &host.client();
    for death in deaths_of(host.kind()) {
        for how in ["die", "die-later"] {
            let name = format!("{death:?}-{how}");
            let victim = client.at(&format!("/mortals/{name}"));
            victim.post("/add", json!({ "by": 1 })).expect_status(200);
            let beside = Beside {
                client,
                name: &name,
                is_shared: ends_everything(host.kind(), death),
            };
            beside.run(|| {
                let answer = victim.post(&format!("/{how}"), json!({ "death": death }));
                assert!(
                    matches!(answer.status, 500 | 503) && answer.error_code().is_some(),
                    "{name}: {} {}",
                    answer.status,
                    answer.text()
                );
                let value: i64 = victim.get("/value").json();
                assert_eq!(value, 1, "{name}: the turn was rolled back");
            });
            for object in 0..3 {
                let path = format!("/mortals/waiter-{name}-{object}/add");
                assert_eq!(client.post(&path, json!({ "by": 2 })).json::<i64>(), 2);
            }
        }
    }
}

fn refused_starts(host: &mut Host) {
    let client = &host.client();
    for (start, status, code) in [
        ("refuses", 422, "bad_name"),
        ("aborts", 503, "reset"),
        ("panics", 0, ""),
        ("traps", 0, ""),
    ] {
        let ends_everything = host.kind() == Kind::Workerd && status == 0;
        let beside = Beside {
            client,
            name: start,
            is_shared: ends_everything,
        };
        let counter = client.at("/mortals/memory");
        let seen: u64 = counter.get("/").json();
        beside.run(|| {
            for _ in 0..3 {
                let answer = client.get(&format!("/mortals/{start}-here/"));
                let got = (answer.status, answer.error_code().unwrap_or_default());
                if status == 0 {
                    assert!(matches!(got.0, 500 | 503), "{start}: {got:?}");
                    assert!(!got.1.is_empty(), "{start}: {got:?}");
                } else {
                    assert_eq!(got, (status, code.to_owned()), "{start}");
                }
            }
        });
        if !ends_everything {
            let now: u64 = counter.get("/").json();
            assert_eq!(now, seen + 1, "{start}: others keep their memory");
        }
    }
}

fn deaths_of_the_app(host: &mut Host) {
    let client = &host.client();
    for death in deaths_of(host.kind()).filter(|death| *death != Death::Abort) {
        for ms in [0, 20] {
            let name = format!("app-{death:?}-{ms}");
            let beside = Beside {
                client,
                name: &name,
                is_shared: true,
            };
            beside.run(|| {
                let answer = client.post("/app/stay", json!({ "ms": ms, "death": death }));
                assert_reset(&name, &answer);
                assert!(client.post("/app/stay", json!({ "ms": 1 })).json::<bool>());
            });
        }
    }
}

/// Returns the usual number in the suite. `DEATHS=6000` sets it for the published figure.
fn repetitions(usual: usize) -> usize {
    std::env::var("DEATHS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

/// By how much memory may grow: what is lost between two replacements of an instance.
const MOST_PAGES: usize = 320;

fn aborts(host: &mut Host) {
    let client = &host.client();
    let before = holding(client).pages;
    let large = client.at("/mortals/large");
    large
        .post("/grow", json!({ "bytes": 1_000_000 }))
        .expect_status(204);
    let abort = json!({ "death": Death::Abort });
    for round in 0..repetitions(240) {
        let answer = match round % 4 {
            0 => client.post("/mortals/small/die", &abort),
            1 => client.post("/mortals/small/die-later", &abort),
            2 if round % 40 == 2 => large.post("/die", &abort),
            2 => client.post("/mortals/small/die-shared", &abort),
            _ => client.get("/mortals/aborts-at-start/"),
        };
        assert_reset("abort", &answer);
        assert_eq!(answer.error_message().as_deref(), Some("as told"));
        if round % 50 == 0 {
            client.get("/mortals/beside/").expect_status(200);
        }
    }
    let after = holding(client).pages;
    println!(
        "{}: {before} pages before the aborts, {after} after",
        host.kind()
    );
    assert!(after <= before + MOST_PAGES, "{before} to {after} pages");
}

fn hang_ups(host: &mut Host) {
    let client = &host.client();
    let before = holding(client);
    let stay = json!({ "ms": FOR_EVER_MS, "ballast": "x".repeat(100_000) });
    for _ in 0..5 {
        let requests: Vec<_> = (0..20)
            .map(|_| client.post_unanswered("/app/stay", &stay))
            .collect();
        eventually(BOUND, || {
            (holding(client).waiting >= before.waiting + 20).then_some(())
        })
        .unwrap_or_else(|| panic!("{:?}: the handlers wait", holding(client)));
        requests.into_iter().for_each(host_tests::Unanswered::reset);
        eventually(BOUND, || {
            (holding(client).waiting == before.waiting).then_some(())
        })
        .unwrap_or_else(|| panic!("{:?}: the handlers were dropped", holding(client)));
    }
    let after = holding(client);
    assert!(
        after.pages <= before.pages + MOST_PAGES,
        "{before:?} to {after:?}"
    );
}

fn long_run(host: &mut Host) {
    let client = &host.client();
    let rounds = repetitions(400);
    let mut figures = Vec::new();
    for round in 0..rounds {
        if round % (rounds / 8) == 0 {
            figures.push((holding(client).pages, host.resident_memory().unwrap_or(0)));
        }
        let object = client.at(&format!("/mortals/of-many-{}", round % 997));
        match round % 20 {
            0 => {
                let answer = object.post("/die", json!({ "death": Death::Abort }));
                assert_reset("abort", &answer);
            }
            1 => {
                let stay = json!({ "ms": FOR_EVER_MS, "ballast": "x".repeat(20_000) });
                client.post_unanswered("/app/stay", stay).reset();
            }
            2 if round % 500 == 2 => {
                object.post("/die-later", json!({ "death": Death::Panic }));
            }
            3 => {
                object
                    .post("/grow", json!({ "bytes": 20_000 }))
                    .expect_status(204);
            }
            4 => {
                client.get("/mortals/refuses-as-always/").expect_status(422);
            }
            _ => {
                object.post("/add", json!({ "by": 1 })).expect_status(200);
            }
        }
    }
    let last = (holding(client).pages, host.resident_memory().unwrap_or(0));
    for (round, (pages, bytes)) in figures.iter().chain([&last]).enumerate() {
        let (requests, mebibytes) = (round * (rounds / 8), bytes >> 20);
        println!(
            "{}: after {requests} requests {pages} pages, {mebibytes} MiB resident",
            host.kind()
        );
    }
    let warm = figures[figures.len() / 2];
    assert!(last.0 <= warm.0 + MOST_PAGES, "{figures:?}, {last:?}");
    assert!(
        last.1 <= warm.1 + warm.1 / 4 + (64 << 20),
        "{figures:?}, {last:?}"
    );
}
