//! A Worker in JavaScript calls the demo's objects by native Workers RPC.

use host_tests::{Client, Host, Kind, demo};
use serde_json::{Value, json};

fn start() -> Host {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/caller.js");
    Host::start(
        Kind::Workerd,
        &demo(env!("CARGO_BIN_EXE_embedded-demo")).called_by(script),
    )
}

fn call(client: &Client, binding: &str, method: &str, values: Value) -> Value {
    client
        .post(
            "/",
            json!({ "binding": binding, "name": "a", "method": method, "values": values }),
        )
        .json()
}

#[test]
fn results_are_values_of_javascript() {
    let host = start();
    let client = host.client();
    assert_eq!(
        call(&client, "COUNTER", "increment", json!([5])),
        json!({ "value": 5, "type": "number" })
    );
    assert_eq!(
        call(&client, "COUNTER", "increment", json!([-7])),
        json!({ "value": -2, "type": "number" })
    );
    assert_eq!(
        call(&client, "COUNTER", "value", json!([])),
        json!({ "value": -2, "type": "number" })
    );
    let started = call(&client, "SCHEDULED_TASK", "start", json!([60_000, null]));
    assert_eq!(started["value"], Value::Null, "{started}");
    let status = call(&client, "SCHEDULED_TASK", "status", json!([]));
    assert_eq!(status["type"], "object");
    assert_eq!(
        (&status["value"]["running"], &status["value"]["runs"]),
        (&json!(true), &json!(0))
    );
    assert!(status["value"]["next_run"].is_number(), "{status}");
}

#[test]
fn errors_carry_name_message_and_code_and_no_stack_of_ours() {
    let host = start();
    let client = host.client();
    let largest = 9_007_199_254_740_991_i64;
    let filled = (0..1_024).map(|_| call(&client, "COUNTER", "increment", json!([largest])));
    let overflow = filled
        .into_iter()
        .find_map(|answer| answer.get("error").cloned());
    assert_eq!(overflow, None, "1,024 times 2^53 - 1 still fits");
    let error = call(&client, "COUNTER", "increment", json!([largest]))["error"].take();
    assert_eq!(
        (&error["code"], &error["status"], &error["remote"]),
        (&json!("overflow"), &json!(400), &json!(true))
    );
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| message.contains("does not fit in 64 bits")),
        "{error}"
    );
    let stack = error["stack"].as_str().unwrap_or_default();
    assert!(!stack.contains("wasm") && !stack.contains(".rs"), "{stack}");
}

#[test]
fn arguments_that_do_not_fit_are_refused_by_name() {
    let host = start();
    let client = host.client();
    for values in [
        json!([]),
        json!(["5"]),
        json!([1.5]),
        json!([null]),
        json!([{}]),
        json!([true]),
    ] {
        let answer = call(&client, "COUNTER", "increment", values.clone());
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("`by`"), "{values}: {answer}");
    }
    assert_eq!(call(&client, "COUNTER", "value", json!([]))["value"], 0);
}

/// P64, P65 and S9: only methods marked `#[rpc]` can be called.
#[test]
fn nothing_but_the_marked_methods_can_be_called() {
    let host = start();
    let client = host.client();
    for method in [
        "run",
        "checked_add",
        "__description",
        "constructor",
        "free",
        "__destroy_into_raw",
    ] {
        let answer = call(&client, "COUNTER", method, json!([]));
        assert!(answer.get("error").is_some(), "{method}: {answer}");
    }
    assert_eq!(
        call(&client, "COUNTER", "increment", json!([1]))["value"],
        1,
        "the object is unharmed"
    );
}
