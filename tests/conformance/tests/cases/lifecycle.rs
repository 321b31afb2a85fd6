//! Waking, failing, panicking, aborting.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use conformance::{Life, Outcome, Start, SwitchState};
use host_tests::{Client, Host, Kind, Received, Signal, eventually};
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "an initialisation that takes over 30 s resets the object",
        "P14",
        slow_start,
    )
    .slow(),
    Case::together("an idle object leaves memory", "P19", idle)
        .slow()
        .only_on(
            Kind::Embedded,
            "workerd keeps an object without sockets for 70 s and more",
        ),
    Case::together(
        "the first event starts the object, the others wait for its initialisation",
        "P16",
        start,
    ),
    Case::together(
        "a turn that waits keeps its object in memory",
        "P20",
        waiting_turn,
    )
    .slow(),
    Case::together(
        "a stub that calls nothing starts nothing",
        "P17",
        unused_stub,
    ),
    Case::together(
        "a failed initialisation reaches every caller, and the next event tries again",
        "P14 P16",
        failed_start,
    ),
    Case::together(
        "a failed turn is rolled back, with what it wrote to storage",
        "P13",
        failed_turn,
    )
    .remark("the platform keeps what a failed handler wrote; here a turn is a transaction"),
    Case::together(
        "an abort drops uncommitted writes and forgets memory",
        "P18",
        abort,
    ),
    Case::together(
        "turns that share a commit fail one by one, and an abort loses nothing acknowledged",
        "P12 P18",
        busy,
    ),
    Case::alone(
        "a panic is an error for its caller, its turn is rolled back, the next call works",
        "",
        panic,
    ),
    Case::alone("a panic after an await is no different", "", late_panic),
    Case::alone(
        "a crash may fall at an await: what came before it is kept, what comes after is not",
        "P12",
        crash_at_await,
    ),
    Case::alone(
        "a stop lets running turns finish and closes sockets with 1001",
        "",
        clean_stop,
    )
    .only_on(Kind::Embedded, "how workerd stops is not ours"),
];

fn life(client: &Client, object: &str) -> Life {
    client.get(&format!("/lives/{object}")).json()
}

fn slow_start(client: &Client) {
    client
        .put("/switches/slow/start", Start::Slow { ms: 45_000 })
        .done();
    let asked = Instant::now();
    let answer = client.get("/starters/slow");
    let waited = asked.elapsed();
    assert!(answer.status >= 500, "{} {}", answer.status, answer.text());
    assert!((29..43).contains(&waited.as_secs()), "it took {waited:?}");
    client.put("/switches/slow/start", Start::Succeed).done();
    assert_eq!(client.get("/starters/slow").json::<u64>(), 1);
}

fn idle(client: &Client) {
    client
        .post("/lives/idle/add", json!({ "by": 5 }))
        .expect_status(200);
    assert_eq!(
        life(client, "idle"),
        Life {
            value: 5,
            lives: 1,
            seen: 1,
            stored: None
        }
    );
    let woken = (0..4).find_map(|_| {
        std::thread::sleep(Duration::from_secs(12));
        Some(life(client, "idle")).filter(|life| life.lives > 1)
    });
    assert_eq!(
        woken,
        Some(Life {
            value: 5,
            lives: 2,
            seen: 1,
            stored: None
        })
    );
}

fn start(client: &Client) {
    client
        .put("/switches/start/start", Start::Slow { ms: 700 })
        .done();
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| assert_eq!(client.get("/starters/start").json::<u64>(), 1));
        }
    });
    assert_eq!(
        client.get("/switches/start").json::<SwitchState>().starts,
        1
    );
}

/// Waits twice as long as an idle object with a socket stays in memory on either host.
fn waiting_turn(client: &Client) {
    let object = client.at("/mortals/awake");
    let _socket = object.connect("/ws");
    let seen = || object.get("/").json::<u64>();
    assert_eq!(seen(), 1);
    object
        .post("/wait", json!({ "ms": 25_000 }))
        .expect_status(200);
    assert_eq!(seen(), 2, "what it has in memory is still there");
}

fn unused_stub(client: &Client) {
    let starts = || client.get("/switches/unused").json::<SwitchState>().starts;
    client.get("/unused-stub?name=unused").done();
    assert_eq!(starts(), 0);
    assert_eq!(client.get("/starters/unused").json::<u64>(), 1);
    assert_eq!(starts(), 1, "a call does start it");
}

fn failed_start(client: &Client) {
    client.put("/switches/failed/start", Start::Fail).done();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let answer = client.get("/starters/failed");
                assert_eq!(
                    (answer.status, answer.error_code().as_deref()),
                    (503, Some("not_today")),
                    "{}",
                    answer.text()
                );
            });
        }
    });
    assert_eq!(
        client.get("/call-starter?name=failed").json::<Outcome>(),
        Outcome::Failed {
            kind: "start".to_owned(),
            message: "the object did not start: the start failed as told".to_owned(),
            retryable: false,
        }
    );
    let tries = client.get("/switches/failed").json::<SwitchState>().starts;
    client.put("/switches/failed/start", Start::Succeed).done();
    assert_eq!(
        client.get("/starters/failed").json::<u64>(),
        1,
        "nothing of the failed starts is kept"
    );
    assert_eq!(
        client.get("/switches/failed").json::<SwitchState>().starts,
        tries + 1
    );
}

fn failed_turn(client: &Client) {
    let object = client.at("/lives/failed-turn");
    object.post("/add", json!({ "by": 1 })).expect_status(200);
    let answer = object
        .post("/add-and-fail", json!({ "by": 10 }))
        .expect_status(409);
    assert_eq!(answer.error_code().as_deref(), Some("as_told"));
    assert_eq!(
        life(client, "failed-turn"),
        Life {
            value: 1,
            lives: 1,
            seen: 1,
            stored: None
        }
    );
}

fn abort(client: &Client) {
    let object = client.at("/lives/abort");
    object.post("/add", json!({ "by": 1 })).expect_status(200);
    let answer = object
        .post("/add-and-abort", json!({ "by": 10 }))
        .expect_status(503);
    assert_eq!(
        answer.error_code().as_deref(),
        Some("reset"),
        "{}",
        answer.text()
    );
    assert_eq!(
        life(client, "abort"),
        Life {
            value: 1,
            lives: 2,
            seen: 1,
            stored: None
        }
    );
}

fn busy(client: &Client) {
    const CALLERS: i64 = 16;
    const ROUNDS: i64 = 25;
    let object = client.at("/lives/busy");
    let (added, unknown) = (AtomicI64::new(0), AtomicI64::new(0));
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (object, added, unknown) = (&object, &added, &unknown);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let by = json!({ "by": 1 });
                    let path = match (caller, round % 5) {
                        (0..4, _) => "/add-and-fail",
                        (4, 4) => "/add-and-abort",
                        _ => "/add",
                    };
                    match object.send_json("POST", path, &by) {
                        Ok(answer) if answer.status == 200 => added.fetch_add(1, Relaxed),
                        Ok(answer) if answer.status == 409 => 0,
                        // An abort, or a call beside one: a reset, or on workerd a connection that
                        // ends if the answer was in flight.
                        Ok(answer) if answer.status == 503 => unknown.fetch_add(1, Relaxed),
                        Err(_) => unknown.fetch_add(1, Relaxed),
                        Ok(answer) => panic!("{path}: {} {}", answer.status, answer.text()),
                    };
                }
            });
        }
    });
    let value = life(client, "busy").value;
    let (added, unknown) = (added.into_inner(), unknown.into_inner());
    assert!(
        (added..=added + unknown).contains(&value),
        "{added} were acknowledged, of {unknown} nobody knows, and the value is {value}"
    );
}

fn panic(host: &mut Host) {
    panic_at(host, "/add-and-panic");
}

fn late_panic(host: &mut Host) {
    panic_at(host, "/add-wait-and-panic");
}

fn panic_at(host: &mut Host, path: &str) {
    let client = host.client();
    let object = client.at("/lives/panic");
    object.post("/add", json!({ "by": 1 })).expect_status(200);
    for lives in 2..5 {
        let answer = object.post(path, json!({ "by": 10 }));
        assert!(
            matches!(answer.status, 500 | 503),
            "{} {}",
            answer.status,
            answer.text()
        );
        assert!(answer.error_code().is_some(), "{}", answer.text());
        assert!(
            !answer.text().contains("as told"),
            "the panic's message stays inside: {}",
            answer.text()
        );
        let life = life(&client, "panic");
        assert_eq!((life.value, life.stored, life.lives), (1, None, lives));
    }
    assert_eq!(object.post("/add", json!({ "by": 1 })).json::<i64>(), 2);
    assert!(
        host.log().contains("as told"),
        "the panic is in the log:\n{}",
        host.log()
    );
}

fn crash_at_await(host: &mut Host) {
    let client = host.client();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let cut_off = client.send_json("POST", "/lives/crash/write-wait-write", &json!({}));
            assert!(cut_off.is_err(), "the host was killed: {cut_off:?}");
        });
        let visible = eventually(Duration::from_secs(20), || {
            client.get("/lives/crash/stored").json::<Option<i64>>()
        });
        assert_eq!(visible, Some(1));
        host.kill();
    });
    host.restart();
    assert_eq!(life(&host.client(), "crash").stored, Some(1));
}

fn clean_stop(host: &mut Host) {
    for (name, signal) in [("int", Signal::INT), ("term", Signal::TERM)] {
        let client = host.client();
        let object = client.at("/turns/stop");
        let seen = |what: &str| object.get(&format!("/seen?what={what}")).json::<bool>();
        let mut socket = client.connect("/sockets/stop/ws?label=a");
        std::thread::scope(|scope| {
            let lingering = scope.spawn(|| {
                let stay = json!({ "me": name, "pause_ms": 700 });
                object.post("/linger", stay).done();
            });
            eventually(Duration::from_secs(20), || {
                seen(&format!("here/{name}")).then_some(())
            })
            .expect("the turn starts");
            host.signal(signal);
            lingering.join().expect("the running turn is answered");
        });
        match socket.receive() {
            Received::Close { code, .. } => assert_eq!(code, 1001, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        let stopped = host.wait_for_stop();
        assert!(stopped.status.success(), "{name}: {stopped:?}");
        host.restart();
        let gone = format!("/turns/stop/seen?what=gone/{name}");
        assert!(
            host.client().get(&gone).json::<bool>(),
            "{name}: the turn was cut short"
        );
    }
}
