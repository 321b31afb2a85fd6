//! Objects of other crates, declared in unusual ways (`tests/objects`). Each behaves as an object
//! should.

use std::time::Duration;

use conformance::LIBRARIES;
use host_tests::{Client, Received, eventually};
use serde_json::{Value, json};

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::together(
        "an object of any library answers its routes, and a failed turn is rolled back",
        "",
        routes,
    ),
    Case::together(
        "an object of any library is called through its stub",
        "",
        stubs,
    ),
    Case::together(
        "an object of any library whose init fails refuses its callers",
        "",
        refused,
    ),
    Case::together(
        "an object of any library has alarms, and a failed run is rolled back",
        "",
        alarms,
    )
    .slow(),
    Case::together(
        "an object of any library has sockets, and a failed message is rolled back",
        "",
        sockets,
    ),
    Case::together(
        "a crate of edition 2021 uses names that edition 2024 reserves",
        "",
        reserved_name,
    ),
];

/// How long something without a signal may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns an object of each library that no other case uses, with the library's name.
fn accounts(client: &Client, name: &str) -> impl Iterator<Item = (&'static str, Client)> {
    LIBRARIES
        .into_iter()
        .map(move |library| (library, client.at(&format!("/accounts/{library}/{name}"))))
}

fn routes(client: &Client) {
    for (library, account) in accounts(client, "routes") {
        let statement = |balance: i64, last: Option<i64>| json!({ "name": "routes", "balance": balance, "last": last, "reminders": [], "left": 0 });
        let seen = || account.get("/").json::<Value>();
        assert_eq!(seen(), statement(10, None), "{library}");

        let withdrawn = account.post("/withdraw", json!({ "by": 3 }));
        assert_eq!(withdrawn.json::<i64>(), 7, "{library}");
        assert_eq!(seen(), statement(7, Some(3)), "{library}");

        let failed = account
            .post("/withdraw", json!({ "by": 8 }))
            .expect_status(409);
        assert_eq!(failed.error_code().as_deref(), Some("insufficient"));
        assert_eq!(seen(), statement(7, Some(3)), "{library}: rolled back");

        let misfit = account
            .post("/withdraw", json!({ "by": "three" }))
            .expect_status(400);
        let message = misfit.error_message().expect("an error has a message");
        assert!(message.contains("`by`"), "{library}: {message}");
    }
}

fn stubs(client: &Client) {
    for (library, account) in accounts(client, "stubs") {
        let call = |by: i64| client.post(&format!("/withdrawals/{library}"), ("stubs", by));
        assert_eq!(call(4).json::<i64>(), 6, "{library}");
        let failed = call(7).expect_status(409);
        assert_eq!(failed.error_code().as_deref(), Some("insufficient"));
        let statement: Value = account.get("/").json();
        assert_eq!(
            (&statement["balance"], &statement["last"]),
            (&json!(6), &json!(4)),
            "{library}: rolled back"
        );
    }
}

fn refused(client: &Client) {
    for (library, account) in accounts(client, "refused") {
        let refusal = account.get("/").expect_status(503);
        assert_eq!(
            refusal.error_code().as_deref(),
            Some("refused"),
            "{library}"
        );
    }
}

fn alarms(client: &Client) {
    for (_, account) in accounts(client, "alarms") {
        let text = json!({ "text": "fails at first" });
        account.post("/remind", text).done();
    }
    for (library, account) in accounts(client, "alarms") {
        let reminders = eventually(PATIENCE, || {
            let statement: Value = account.get("/").json();
            let reminders = statement["reminders"].clone();
            (reminders != json!([])).then_some(reminders)
        });
        assert_eq!(reminders, Some(json!(["fails at first, 1"])), "{library}");
    }
}

fn sockets(client: &Client) {
    for (library, account) in accounts(client, "sockets") {
        let refusal = account.open("/ws?user=", &[]).err();
        assert_eq!(
            refusal.map(|refusal| refusal.status),
            Some(400),
            "{library}"
        );
        let mut connection = account.connect("/ws?user=ann");
        connection.send(&json!({ "by": 1 }));
        let answer: Value = connection.receive_json();
        assert_eq!(answer, json!(["ann", 9]), "{library}");

        connection.send(&json!({ "by": 10 }));
        let answer: Value = connection.receive_json();
        assert_eq!(answer["code"], "insufficient", "{library}: {answer}");
        connection.send(&json!({ "by": 2 }));
        let answer: Value = connection.receive_json();
        assert_eq!(answer, json!(["ann", 7]), "{library}: rolled back");

        connection.close(1000, "");
        let closed = Received::Close {
            code: 1000,
            reason: String::new(),
        };
        assert_eq!(connection.receive(), closed, "{library}");
        let left = eventually(PATIENCE, || {
            let statement: Value = account.get("/").json();
            (statement["left"] == 1).then_some(())
        });
        assert!(
            left.is_some(),
            "{library}: the object is told of the socket's end"
        );
    }
}

fn reserved_name(client: &Client) {
    let account = client.at("/accounts/edition-2021/reserved");
    assert_eq!(account.post("/gen/2", json!({})).json::<u64>(), 2);
    let by_call = ("reserved", 1);
    assert_eq!(
        client
            .post("/withdrawals/edition-2021", by_call)
            .json::<i64>(),
        9
    );
    assert_eq!(account.post("/gen/2", json!({})).json::<u64>(), 5);
}
