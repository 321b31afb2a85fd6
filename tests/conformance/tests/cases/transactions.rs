//! A turn is a transaction: a case for each row of the table in `docs/guarantees.md`.

use std::time::Duration;

use conformance::{Ending, Traces};
use host_tests::{Client, Received, eventually};
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together("a turn that succeeds keeps all that it wrote", "P12", kept),
    Case::together(
        "a failed atomic turn takes back fields, storage and schedules, not memory",
        "P13",
        failed_atomic_turn,
    ),
    Case::together(
        "a failed async turn takes back fields, and what it wrote since its last await",
        "P12 P13",
        failed_async_turn,
    ),
    Case::together(
        "a failed turn takes back the deletion of everything",
        "P44",
        failed_wipe,
    ),
    Case::together(
        "a failed atomic turn sends no message and keeps the sessions",
        "",
        failed_sends,
    ),
    Case::together(
        "a failed turn is taken back though its handler only read before",
        "",
        failed_reader,
    ),
    Case::together(
        "a failed atomic turn leaves the automatic response as it was",
        "",
        failed_automatic_response,
    ),
    Case::together("a failed atomic turn closes no socket", "", failed_close),
    Case::together(
        "a failed atomic turn begins no call and no work in the background",
        "",
        failed_calls,
    ),
];

const PATIENCE: Duration = Duration::from_secs(10);

const BEFORE: Traces = Traces {
    field: 0,
    entry: None,
    key: None,
    deleted_key: Some(1),
    rows: 0,
    is_scheduled: false,
    is_cancelled: false,
    remembered: 0,
    log: (1, 2),
};

const AFTER: Traces = Traces {
    field: 1,
    entry: Some(1),
    key: Some(1),
    deleted_key: None,
    rows: 1,
    is_scheduled: true,
    is_cancelled: true,
    remembered: 1,
    log: (1, 3),
};

fn prepared(client: &Client, name: &str) -> Client {
    let object = client.at(&format!("/transactions/{name}"));
    object.post("/prepare", json!({})).expect_status(204);
    object
}

fn fail(object: &Client, path: &str) {
    let answer = object.post(path, json!({ "ending": Ending::Fail }));
    let answer = answer.expect_status(409);
    assert_eq!(answer.error_code().as_deref(), Some("as_told"));
}

fn kept(client: &Client) {
    for path in ["/write", "/write-and-wait", "/wait-and-write"] {
        let object = prepared(client, &format!("kept{}", path.replace('/', "-")));
        object
            .post(path, json!({ "ending": Ending::Succeed }))
            .expect_status(204);
        assert_eq!(object.get("/traces").json::<Traces>(), AFTER, "{path}");
    }
}

fn failed_atomic_turn(client: &Client) {
    let object = prepared(client, "atomic");
    fail(&object, "/write");
    let remembered = Traces {
        remembered: 1,
        ..BEFORE
    };
    assert_eq!(object.get("/traces").json::<Traces>(), remembered);
    // What is cached of storage was rolled back, too.
    object
        .post("/write", json!({ "ending": Ending::Succeed }))
        .expect_status(204);
    let again = Traces {
        remembered: 2,
        ..AFTER
    };
    assert_eq!(object.get("/traces").json::<Traces>(), again);
}

/// On workerd a handler that has only read for a while has no savepoint. Its first write is rolled
/// back with the object's memory, and the caller is told to retry.
fn failed_reader(client: &Client) {
    for path in ["/look", "/look-and-wait"] {
        let object = prepared(client, &format!("reader{}", path.replace('/', "-")));
        for _ in 0..20 {
            object
                .post(path, json!({ "writes": false, "ending": Ending::Succeed }))
                .expect_status(204);
        }
        let failing = json!({ "writes": true, "ending": Ending::Fail });
        let first = object.post(path, failing.clone());
        assert!(matches!(first.status, 409 | 503), "{}", first.text());
        let unchanged = Traces {
            remembered: object.get("/traces").json::<Traces>().remembered,
            ..BEFORE
        };
        assert_eq!(object.get("/traces").json::<Traces>(), unchanged, "{path}");
        let again = object.post(path, failing).expect_status(409);
        assert_eq!(again.error_code().as_deref(), Some("as_told"));
        assert_eq!(object.get("/traces").json::<Traces>(), unchanged, "{path}");
        object
            .post(path, json!({ "writes": true, "ending": Ending::Succeed }))
            .expect_status(204);
        let rows = object.get("/traces").json::<Traces>().rows;
        assert_eq!(rows, 1, "{path}");
    }
}

fn failed_async_turn(client: &Client) {
    let object = prepared(client, "before-an-await");
    fail(&object, "/write-and-wait");
    let committed = Traces {
        field: 0,
        entry: None,
        log: (1, 2),
        ..AFTER
    };
    assert_eq!(object.get("/traces").json::<Traces>(), committed);

    let object = prepared(client, "after-an-await");
    fail(&object, "/wait-and-write");
    let remembered = Traces {
        remembered: 1,
        ..BEFORE
    };
    assert_eq!(object.get("/traces").json::<Traces>(), remembered);
}

fn failed_wipe(client: &Client) {
    let object = prepared(client, "wiped");
    object
        .post("/write", json!({ "ending": Ending::Succeed }))
        .expect_status(204);
    fail(&object, "/wipe");
    assert_eq!(object.get("/traces").json::<Traces>(), AFTER);
    // The next turn writes after the existing entries.
    object
        .post("/write", json!({ "ending": Ending::Succeed }))
        .expect_status(204);
    let more = Traces {
        field: 2,
        rows: 2,
        remembered: 2,
        log: (1, 4),
        ..AFTER
    };
    assert_eq!(object.get("/traces").json::<Traces>(), more);

    fail(&object, "/wipe-and-wait");
    let gone = Traces {
        deleted_key: None,
        is_cancelled: true,
        remembered: 2,
        log: (1, 1),
        ..BEFORE
    };
    assert_eq!(object.get("/traces").json::<Traces>(), gone);
    // The next turn finds a new object, and its writes are kept.
    object
        .post("/write", json!({ "ending": Ending::Succeed }))
        .expect_status(204);
    let again = Traces {
        remembered: 3,
        log: (1, 2),
        ..AFTER
    };
    assert_eq!(object.get("/traces").json::<Traces>(), again);
}

fn failed_sends(client: &Client) {
    let object = client.at("/transactions/sends");
    let mut socket = object.connect("/ws");
    let sessions = || object.get("/sessions").json::<Vec<i64>>();
    fail(&object, "/send");
    assert_eq!(sessions(), [0]);
    let told: usize = object.post("/tell", json!({ "text": "marker" })).json();
    assert_eq!(told, 1);
    assert_eq!(socket.receive_json::<String>(), "marker");

    fail(&object, "/send-and-wait");
    assert_eq!(sessions(), [1]);
    assert_eq!(socket.receive_json::<String>(), "sent");

    object
        .post("/send", json!({ "ending": Ending::Succeed }))
        .expect_status(204);
    assert_eq!(sessions(), [2]);
    assert_eq!(socket.receive_json::<String>(), "sent");
}

fn failed_automatic_response(client: &Client) {
    let object = client.at("/transactions/answers-pings");
    let answer_with = |with: &str, ending: Ending| {
        object.post("/answer-pings", json!({ "with": with, "ending": ending }))
    };
    let mut socket = object.connect("/ws");
    answer_with("1", Ending::Succeed).expect_status(204);
    answer_with("2", Ending::Fail).expect_status(409);
    socket.send(&json!("ping"));
    assert_eq!(socket.receive_json::<i64>(), 1);
    answer_with("3", Ending::Succeed).expect_status(204);
    socket.send(&json!("ping"));
    assert_eq!(socket.receive_json::<i64>(), 3);
}

fn failed_close(client: &Client) {
    let object = client.at("/transactions/closes");
    let mut socket = object.connect("/ws");
    fail(&object, "/close");
    let told: usize = object.post("/tell", json!({ "text": "open" })).json();
    assert_eq!(told, 1);
    assert_eq!(socket.receive_json::<String>(), "open");
    fail(&object, "/close-and-wait");
    assert!(
        matches!(socket.receive(), Received::Close { code: 4_000, .. }),
        "an async turn's close has left at its await"
    );
    let mut socket = object.connect("/ws");
    object
        .post("/close", json!({ "ending": Ending::Succeed }))
        .expect_status(204);
    assert!(matches!(
        socket.receive(),
        Received::Close { code: 4_000, .. }
    ));
}

fn failed_calls(client: &Client) {
    let object = client.at("/transactions/calls");
    let count = |name: &str| {
        let other = client.at(&format!("/transactions/{name}"));
        other.get("/traces").json::<Traces>().field
    };
    let call = |path: &str, other: &str, ending: Ending| {
        object.post(path, json!({ "other": other, "ending": ending }))
    };
    call("/call", "not-called", Ending::Fail).expect_status(409);
    for (path, other, ending, status) in [
        ("/call", "called", Ending::Succeed, 204),
        ("/call-and-wait", "called-by-a-failing", Ending::Fail, 409),
    ] {
        call(path, other, ending).expect_status(status);
        eventually(PATIENCE, || (count(other) == 2).then_some(()))
            .unwrap_or_else(|| panic!("{path}: {} of 2 calls came", count(other)));
    }
    // It was begun before the others, so it would have arrived by now.
    assert_eq!(count("not-called"), 0);
}
