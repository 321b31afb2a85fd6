//! Calls between objects.

use std::time::{Duration, Instant};

use conformance::{Failure, Hop, Outcome};
use host_tests::{Answer, Client};
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "a call that waits 30 s for its turn fails as overloaded, not retryable",
        "P67",
        overloaded,
    )
    .slow(),
    Case::together(
        "two calls that wait for each other's objects end",
        "",
        crossing_calls,
    )
    .slow()
    .remark("no chain leads from one to the other: the bound on waiting ends them"),
    Case::together("calls on one stub keep their order", "P68", order),
    Case::together(
        "a reset reaches the caller as such, and the stub goes on",
        "P67 P68",
        reset,
    )
    .remark("a raw stub stays broken on the platform; ours obtains a new one"),
    Case::together("a call carries up to 32 MiB, there and back", "P65", sizes)
        .remark("that only the marked methods can be called is shown by native_rpc in tests/hosts"),
    Case::together(
        "an error crosses a call intact and shows no stack",
        "P66",
        errors,
    ),
    Case::together("a call cycle fails with the cycle in its text", "", cycles),
    Case::together(
        "a request of a stub says who waits for it, and a client's request does not",
        "",
        chains_of_requests,
    ),
    Case::together(
        "a call that comes back to a shared turn joins it",
        "",
        no_cycle,
    ),
];

fn hop(to: &str, exclusive: bool) -> Hop {
    Hop {
        to: to.to_owned(),
        exclusive,
        after_ms: 0,
    }
}

fn order(client: &Client) {
    let teller = client.at("/peers/order-from");
    teller
        .post("/tell-many", json!({ "to": "order-to", "count": 100 }))
        .done();
    let heard: Vec<u64> = client.get("/peers/order-to/heard").json();
    assert_eq!(heard, (0..100).collect::<Vec<_>>());
}

fn reset(client: &Client) {
    let outcomes: Vec<Outcome> = client
        .post(
            "/peers/reset-from/kill-and-call",
            json!({ "to": "reset-to" }),
        )
        .json();
    let Outcome::Failed {
        kind, retryable, ..
    } = &outcomes[0]
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!((kind.as_str(), *retryable), ("reset", true));
    assert_eq!(outcomes[1], Outcome::Returned("1".to_owned()));
}

fn sizes(client: &Client) {
    let peer = client.at("/peers/sizes-from");
    let there = |bytes: usize| -> Outcome {
        peer.post("/send-to", json!({ "to": "sizes-to", "bytes": bytes }))
            .json()
    };
    let back = |bytes: usize| -> Outcome {
        peer.post("/fetch-from", json!({ "from": "sizes-to", "bytes": bytes }))
            .json()
    };
    let fits = 31 << 20;
    let too_much = 33 << 20;
    for send in [&there as &dyn Fn(usize) -> Outcome, &back] {
        assert_eq!(send(fits), Outcome::Returned(fits.to_string()));
        let refused = send(too_much);
        assert!(
            matches!(
                refused,
                Outcome::Failed {
                    retryable: false,
                    ..
                }
            ),
            "{refused:?}"
        );
        assert_eq!(
            send(5),
            Outcome::Returned("5".to_owned()),
            "the next call works"
        );
    }
}

fn errors(client: &Client) {
    let failure: Failure = client
        .post(
            "/peers/errors-from/withdraw-from",
            json!({ "from": "errors-to", "asked": 50 }),
        )
        .json();
    assert_eq!(
        failure,
        Failure::Short {
            balance: 10,
            asked: 50
        }
    );
    let answer = client
        .post("/peers/errors-to/withdraw", json!({ "asked": 50 }))
        .expect_status(409);
    assert_eq!(
        answer.text(),
        r#"{"error":{"code":"short","message":"the balance is 10, less than 50"}}"#
    );
}

/// A cycle is answered at once. A hang would take 30 s.
#[track_caller]
fn cycle_text(relay: impl FnOnce() -> Answer) -> String {
    let start = Instant::now();
    let answer = relay();
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        start.elapsed()
    );
    assert_eq!(
        (answer.status, answer.error_code().as_deref()),
        (508, Some("call_cycle")),
        "{}",
        answer.text()
    );
    answer.error_message().expect("an error has a message")
}

fn cycles(client: &Client) {
    let relay = |name: &str, route: &[Hop]| {
        client.post(
            &format!("/peers/{name}/relay-exclusively"),
            json!({ "route": route }),
        )
    };
    let text = cycle_text(|| relay("a", &[hop("a", false)]));
    assert!(
        text.contains(r#"Peer "a".relay_exclusively -> Peer "a".relay"#),
        "{text}"
    );
    let text = cycle_text(|| relay("b", &[hop("c", true), hop("b", true)]));
    let cycle =
        r#"Peer "b".relay_exclusively -> Peer "c".relay_exclusively -> Peer "b".relay_exclusively"#;
    assert!(text.contains(cycle), "{text}");
    // The cycle may begin in the middle.
    let text = cycle_text(|| relay("d", &[hop("e", true), hop("f", false), hop("e", false)]));
    assert!(
        text.contains(r#"Peer "e".relay_exclusively -> Peer "f".relay -> Peer "e".relay"#),
        "{text}"
    );
    // All objects in it are free again.
    for name in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(relay(name, &[]).json::<String>(), name);
    }
}

fn chains_of_requests(client: &Client) {
    let asker = client.at("/peers/asker");
    let ask = |whom: &str| asker.post("/ask-exclusively", json!({ "whom": whom }));
    assert_eq!(ask("asked").json::<u16>(), 200);
    let text = cycle_text(|| {
        let status: u16 = ask("asker").json();
        assert_eq!(status, 508);
        asker.post(
            "/relay-exclusively",
            json!({ "route": [hop("asker", false)] }),
        )
    });
    assert!(text.contains("asker"), "{text}");

    // 64 waiting turns, more than a chain may have: `{"links": [{"id", "turn", "call", "label"}]}`.
    let id = "a".repeat(64);
    let link = format!(
        "84a26964d940{}a47475726e01a463616c6c00a56c6162656ca44576696c",
        id.bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    );
    let chain = format!("81a56c696e6b73dc0040{}", link.repeat(64));
    let headers = [("anchorhold-chain", chain.as_str())];
    let answer = client.send("GET", "/peers/asked/heard", &headers, None);
    assert_eq!(answer.expect("the host answers").status, 200);
}

fn no_cycle(client: &Client) {
    let route =
        json!({ "route": [hop("join-b", true), hop("join-a", false), hop("join-c", false)] });
    assert_eq!(
        client.post("/peers/join-a/relay", route).json::<String>(),
        "join-c"
    );
}

fn overloaded(client: &Client) {
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| {
            client
                .post(
                    "/turns/busy/exclusive",
                    json!({ "label": "long", "pause_ms": 36_000 }),
                )
                .expect_status(200)
        });
        // The turn has begun when the next call must wait. If not, the outcome shows it.
        std::thread::sleep(Duration::from_millis(1_000));
        let outcome: Outcome = client
            .post("/peers/queuer/queue-at", json!({ "to": "busy" }))
            .json();
        let Outcome::Failed {
            kind, retryable, ..
        } = &outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!((kind.as_str(), *retryable), ("overloaded", false));
        taken.join().expect("the long turn ends well");
    });
    assert_eq!(
        client.get("/turns/busy/value").json::<i64>(),
        1,
        "the overloaded call has not run"
    );
}

fn crossing_calls(client: &Client) {
    let relay = |from: &str, to: &str| {
        let route = [Hop {
            after_ms: 500,
            ..hop(to, true)
        }];
        client.post(
            &format!("/peers/{from}/relay-exclusively"),
            json!({ "route": route }),
        )
    };
    let answers = std::thread::scope(|scope| {
        let calls = [("cross-a", "cross-b"), ("cross-b", "cross-a")];
        let calls = calls.map(|(from, to)| scope.spawn(move || relay(from, to)));
        calls.map(|call| call.join().expect("both are answered"))
    });
    assert!(
        answers
            .iter()
            .any(|answer| answer.error_code().as_deref() == Some("overloaded")),
        "{answers:?}"
    );
    for name in ["cross-a", "cross-b"] {
        let answer = client.post(
            &format!("/peers/{name}/relay-exclusively"),
            json!({ "route": [] }),
        );
        assert_eq!(answer.json::<String>(), name);
    }
}
