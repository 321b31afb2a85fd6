//! The counter on both hosts: with many concurrent callers, within bounds, and through a kill.

use host_tests::{Host, Kind, demo};
use serde_json::{Value, json};

const CALLERS: i64 = 16;
const EACH: i64 = 25;

fn start(kind: Kind) -> Host {
    Host::start(kind, &demo(env!("CARGO_BIN_EXE_embedded-demo")))
}

#[test]
fn callers_at_once_all_count_and_none_gets_past_a_bound() {
    for kind in Kind::BOTH {
        let mut host = start(kind);
        let counter = host.client().at("/counters/seats");
        let bound = CALLERS * EACH / 2;
        counter
            .put("/bounds", json!({ "lower": 0, "upper": bound }))
            .done();
        let mut taken: Vec<i64> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS)
                .map(|_| {
                    scope.spawn(|| {
                        let answers =
                            (0..EACH).map(|_| counter.post("/increment", json!({ "by": 1 })));
                        let taken = answers.filter(|answer| match answer.status {
                            200 => true,
                            400 => {
                                assert_eq!(answer.error_code().as_deref(), Some("out_of_bounds"));
                                false
                            }
                            _ => panic!("{kind}: {answer:?}"),
                        });
                        taken.map(|answer| answer.json::<i64>()).collect::<Vec<_>>()
                    })
                })
                .collect();
            let taken = callers
                .into_iter()
                .flat_map(|caller| caller.join().expect("it ends"));
            taken.collect()
        });
        taken.sort_unstable();
        assert_eq!(
            taken,
            (1..=bound).collect::<Vec<_>>(),
            "{kind}: each value once"
        );
        host.kill();
        host.restart();
        let counter = host.client().at("/counters/seats");
        assert_eq!(counter.get("").json::<i64>(), bound, "{kind}");
        assert_eq!(
            counter.get("/bounds").json::<Value>(),
            json!({ "lower": 0, "upper": bound }),
            "{kind}"
        );
        assert_eq!(
            counter.post("/reset", json!({})).json::<i64>(),
            bound,
            "{kind}"
        );
        assert_eq!(counter.get("").json::<i64>(), 0, "{kind}");
    }
}

#[test]
fn bounds_that_make_no_sense_are_refused_by_name() {
    for kind in Kind::BOTH {
        let host = start(kind);
        let counter = host.client().at("/counters/a");
        counter
            .post("/increment", json!({ "by": 12 }))
            .expect_status(200);
        for (bounds, status, code, named) in [
            (json!({ "lower": 1 }), 400, "bad_request", "`lower`"),
            (json!({ "upper": -1 }), 400, "bad_request", "`upper`"),
            (json!({ "upper": 11 }), 409, "out_of_bounds", "is at 12"),
            (json!({ "most": 11 }), 400, "bad_request", "`most`"),
            (json!({ "upper": "11" }), 400, "bad_request", "`upper`"),
        ] {
            let answer = counter.put("/bounds", &bounds).expect_status(status);
            assert_eq!(
                answer.error_code().as_deref(),
                Some(code),
                "{kind}: {bounds}"
            );
            let message = answer.error_message().unwrap_or_default();
            assert!(message.contains(named), "{kind}: {bounds}: {message}");
        }
        assert_eq!(
            counter.get("/bounds").json::<Value>(),
            json!({ "lower": null, "upper": null }),
            "{kind}"
        );
    }
}
