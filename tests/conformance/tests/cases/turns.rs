//! Turns: the guarantees for each receiver of a method.

use std::time::Duration;

use conformance::Span;
use host_tests::Client;
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together("exclusive turns exclude each other", "", exclusive),
    Case::together("waiting turns keep their order", "", first_in_first_out),
    Case::together("shared turns interleave at their awaits", "", shared),
    Case::together(
        "an exclusive turn keeps shared and atomic ones out",
        "",
        kept_out,
    ),
];

fn spans(object: &Client) -> Vec<Span> {
    let mut spans: Vec<Span> = object.get("/spans").json();
    spans.sort_by_key(|span| span.start);
    spans
}

#[track_caller]
fn assert_disjoint(spans: &[Span]) {
    for pair in spans.windows(2) {
        assert!(pair[0].end < pair[1].start, "{pair:?} overlap");
    }
}

fn exclusive(client: &Client) {
    let object = client.at("/turns/exclusive");
    std::thread::scope(|scope| {
        for number in 0..10 {
            let object = &object;
            scope.spawn(move || {
                if number % 2 == 0 {
                    object
                        .post("/exclusive", json!({ "label": "e", "pause_ms": 20 }))
                        .expect_status(200)
                } else {
                    object
                        .post("/atomic", json!({ "label": "a" }))
                        .expect_status(200)
                }
            });
        }
    });
    assert_eq!(object.get("/value").json::<i64>(), 10, "no count is lost");
    let spans = spans(&object);
    assert_eq!(spans.len(), 10);
    assert_disjoint(&spans);
}

fn first_in_first_out(client: &Client) {
    client
        .post(
            "/turns/sender/send-many",
            json!({ "to": "receiver", "count": 20, "pause_ms": 5 }),
        )
        .done();
    let spans = spans(&client.at("/turns/receiver"));
    let order: Vec<_> = spans.iter().map(|span| span.label.clone()).collect();
    assert_eq!(
        order,
        (0..20).map(|number| number.to_string()).collect::<Vec<_>>()
    );
    assert_disjoint(&spans);
}

fn shared(client: &Client) {
    let object = client.at("/turns/shared");
    let met = std::thread::scope(|scope| {
        let meet = |me, other| {
            object
                .post("/meet", json!({ "me": me, "other": other }))
                .json::<bool>()
        };
        let first = scope.spawn(move || meet("ann", "bob"));
        let second = meet("bob", "ann");
        (first.join().expect("ann is answered"), second)
    });
    assert_eq!(
        met,
        (true, true),
        "each of them ends only if the other runs meanwhile"
    );
}

fn kept_out(client: &Client) {
    let object = client.at("/turns/kept-out");
    std::thread::scope(|scope| {
        let exclusive = scope.spawn(|| {
            object
                .post(
                    "/meet-exclusively",
                    json!({ "other": "bob", "patience_ms": 2_000 }),
                )
                .json::<bool>()
        });
        // There is no signal that a turn has begun to wait.
        std::thread::sleep(Duration::from_millis(700));
        scope.spawn(|| {
            object
                .post("/meet", json!({ "me": "bob", "other": "bob" }))
                .expect_status(200)
        });
        assert_eq!(
            object
                .post("/atomic", json!({ "label": "a" }))
                .json::<i64>(),
            1
        );
        assert!(
            !exclusive.join().expect("the exclusive turn ends"),
            "bob came in"
        );
    });
}
