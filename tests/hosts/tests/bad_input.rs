//! Bad input at every entrance of the demo. Both hosts answer with the documented status, never
//! with a 500, and never lose an object.

use host_tests::{Answer, Client, Host, Kind, demo};
use serde_json::json;

/// The start of a request: method, path, body.
type Sent<'a> = (&'a str, &'a str, &'a [u8]);

fn on_both(test: impl Fn(&Client) + Sync) {
    let demo = demo(env!("CARGO_BIN_EXE_embedded-demo"));
    std::thread::scope(|scope| {
        for kind in Kind::BOTH {
            let (demo, test) = (&demo, &test);
            let name = kind.to_string();
            let run = move || test(&Host::start(kind, demo).client());
            std::thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, run)
                .expect("a thread starts");
        }
    });
}

fn send(client: &Client, (method, path, body): Sent) -> Answer {
    let body = (!body.is_empty()).then_some(body);
    client
        .send(method, path, &[("content-type", "application/json")], body)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Sends each request. Checks the status, an error in the documented form, and that the counter is
/// unchanged.
fn assert_refused(client: &Client, status: u16, code: &str, requests: &[Sent]) {
    client
        .post("/counters/witness/increment", json!({ "by": 5 }))
        .expect_status(200);
    let before: i64 = client.get("/counters/witness").json();
    for request in requests {
        let answer = send(client, *request);
        let shown = (
            request.0,
            request.1,
            String::from_utf8_lossy(request.2)
                .chars()
                .take(60)
                .collect::<String>(),
        );
        assert_eq!(
            (answer.status, answer.error_code().as_deref()),
            (status, Some(code)),
            "{shown:?}: {}",
            answer.text()
        );
        let message = answer.error_message().unwrap_or_default();
        assert!(
            !message.is_empty() && !message.contains(".rs"),
            "{shown:?}: {message}"
        );
    }
    assert_eq!(client.get("/counters/witness").json::<i64>(), before);
}

const INCREMENT: &str = "/counters/witness/increment";

#[test]
fn bodies_that_do_not_fit_are_400() {
    let deep = "[".repeat(100_000);
    let deep_field = format!(r#"{{"by": {deep}"#);
    let bodies: &[&[u8]] = &[
        b"",
        b"{",
        b"{}",
        b"[]",
        b"5",
        b"null",
        b"\"by\"",
        b"{\"by\": 5",
        b"{\"by\": 5}}",
        b"{\"by\": 5} trailing",
        b"{\"by\": \"5\"}",
        b"{\"by\": 1.5}",
        b"{\"by\": null}",
        b"{\"by\": true}",
        b"{\"by\": []}",
        b"{\"by\": {}}",
        b"{\"by\": 1e400}",
        b"{\"by\": 9223372036854775808}",
        b"{\"by\": -9223372036854775809}",
        b"{\"By\": 5}",
        b"{\"by\": 5, \"extra\": 1}",
        b"{\"by\": 5, \"__proto__\": {}}",
        b"{'by': 5}",
        b"by=5",
        b"\xff\xfe",
        b"{\"by\": \"\xff\"}",
        b"\xef\xbb\xbf{\"by\": 5}",
        deep.as_bytes(),
        deep_field.as_bytes(),
    ];
    let requests: Vec<_> = bodies
        .iter()
        .map(|body| ("POST", INCREMENT, *body))
        .collect();
    on_both(|client| assert_refused(client, 400, "bad_request", &requests));
}

#[test]
fn messages_name_the_field() {
    on_both(|client| {
        const ACQUIRE: &str = "/locks/witness/acquire";
        for (path, body, named) in [
            (INCREMENT, r#"{"by": "5"}"#, "`by`"),
            (INCREMENT, "{}", "`by` is missing"),
            (
                INCREMENT,
                r#"{"by": 1, "extra": 2}"#,
                "unknown field `extra`",
            ),
            (ACQUIRE, r#"{"holder": "a", "ttl_ms": "5"}"#, "`ttl_ms`"),
            (ACQUIRE, r#"{"holder": 5, "ttl_ms": 5}"#, "`holder`"),
            (ACQUIRE, r#"{"holder": "a"}"#, "missing field `ttl_ms`"),
        ] {
            let message = send(client, ("POST", path, body.as_bytes()))
                .error_message()
                .unwrap_or_default();
            assert!(message.contains(named), "{path} {body}: {message}");
        }
    });
}

#[test]
fn a_body_that_is_one_value_names_the_field_too() {
    on_both(|client| {
        for (body, named) in [
            (r#"{"holder": "a", "ttl_ms": "x"}"#, "`ttl_ms`"),
            (r#"{"holder": 5, "ttl_ms": 1000}"#, "`holder`"),
            (r#"{"ttl_ms": 1000}"#, "missing field `holder`"),
        ] {
            let message = send(
                client,
                ("POST", "/locks/bad-input/acquire", body.as_bytes()),
            )
            .error_message()
            .unwrap_or_default();
            assert!(message.contains(named), "{body}: {message}");
        }
    });
}

#[test]
fn tasks_that_cannot_be_are_400() {
    let bodies: &[&[u8]] = &[
        b"{}",
        b"{\"every_ms\": 0}",
        b"{\"every_ms\": -1}",
        b"{\"every_ms\": 9}",
        b"{\"every_ms\": \"200\"}",
        b"{\"every_ms\": 18446744073709551615}",
        b"{\"every_ms\": 18446744073709551616}",
        b"{\"every_ms\": 200, \"cron\": \"* * * * *\"}",
        b"{\"cron\": \"\"}",
        b"{\"cron\": \"often\"}",
        b"{\"cron\": \"61 * * * *\"}",
        b"{\"cron\": \"* * * * * * * *\"}",
        b"{\"cron\": \"0 0 30 2 *\"}",
        b"{\"cron\": 5}",
    ];
    let requests: Vec<_> = bodies
        .iter()
        .map(|body| ("POST", "/tasks/witness/start", *body))
        .collect();
    on_both(|client| {
        for request in &requests {
            let answer = send(client, *request).expect_status(400);
            assert!(answer.error_message().is_some(), "{}", answer.text());
        }
        assert_eq!(
            client.get("/tasks/witness").json::<serde_json::Value>()["running"],
            false
        );
    });
}

#[test]
fn large_bodies_are_413() {
    let mut large = br#"{"by": 5, "x": ""#.to_vec();
    large.resize(2 << 20, b'x');
    on_both(|client| {
        assert_refused(client, 413, "too_large", &[("POST", INCREMENT, &large)]);
        // Just below the limit, the body is read and found invalid.
        assert_refused(
            client,
            400,
            "bad_request",
            &[("POST", INCREMENT, &large[..1_000_000])],
        );
    });
}

#[test]
fn long_names_are_400() {
    let longest = format!("/counters/{}", "n".repeat(1_024));
    let long = format!("{longest}n");
    let very_long = format!("/counters/{}", "n".repeat(10_000));
    let encoded = format!("/counters/{}", "%61".repeat(1_025));
    on_both(|client| {
        client.get(&longest).expect_status(200);
        assert_refused(
            client,
            400,
            "bad_request",
            &[
                ("GET", &long, b""),
                ("GET", &very_long, b""),
                ("GET", &encoded, b""),
            ],
        );
    });
}

#[test]
fn unknown_paths_are_404() {
    let paths: &[Sent] = &[
        ("POST", "/", b""),
        ("POST", "/nothing", b"{}"),
        ("POST", "/counters", b"{}"),
        ("POST", "/counters/", b"{}"),
        ("POST", "/counters//increment", b"{\"by\": 1}"),
        ("POST", "/counters/witness/increment/", b"{\"by\": 1}"),
        ("POST", "/counters/witness/increment/more", b"{\"by\": 1}"),
        ("POST", "/counters/witness/Increment", b"{\"by\": 1}"),
        ("POST", "/Counters/witness/increment", b"{\"by\": 1}"),
        ("GET", "/counters/witness/nothing", b""),
        ("POST", "/counters/%ff/increment", b"{\"by\": 1}"),
        (
            "POST",
            "/counters/witness%2Fincrement/increment/increment",
            b"{\"by\": 1}",
        ),
        ("GET", "/scratch/x", b""),
        (
            "GET",
            "/scratch/0000000000000000000000000000000000000000000000000000000000000000",
            b"",
        ),
    ];
    on_both(|client| assert_refused(client, 404, "not_found", paths));
}

#[test]
fn encoded_names_are_names_of_other_objects() {
    on_both(|client| {
        client
            .post("/counters/a/increment", json!({ "by": 1 }))
            .expect_status(200);
        for name in [
            "a%2F",
            "a%2Fincrement",
            "%2Fa",
            "a%00",
            "a%20",
            "A",
            "a%2e%2e",
            "%2561",
            "a;x=1",
            "a%3Fx",
        ] {
            let path = format!("/counters/{name}");
            assert_eq!(client.get(&path).json::<i64>(), 0, "{name}");
            assert_eq!(
                client
                    .post(&format!("{path}/increment"), json!({ "by": 7 }))
                    .json::<i64>(),
                7,
                "{name}"
            );
        }
        assert_eq!(
            client.get("/counters/%61").json::<i64>(),
            1,
            "an encoded letter is the letter"
        );
        assert_eq!(client.get("/counters/a").json::<i64>(), 1);
    });
}

#[test]
fn dot_segments_lead_nowhere_else() {
    on_both(|client| {
        for path in [
            "/counters/../healthz",
            "/counters/%2e%2e/increment",
            "/counters/./increment",
            "/../../etc/passwd",
        ] {
            let answer = send(client, ("GET", path, b""));
            assert!(
                answer.status < 500,
                "{path}: {} {}",
                answer.status,
                answer.text()
            );
            assert!(!answer.text().contains("root:"), "{path}");
        }
    });
}

#[test]
fn wrong_methods_are_405_and_name_the_right_ones() {
    on_both(|client| {
        for (method, path, allow) in [
            ("PUT", INCREMENT, "POST, OPTIONS"),
            ("GET", INCREMENT, "POST, OPTIONS"),
            ("DELETE", "/counters/witness", "GET, HEAD, OPTIONS"),
            ("POST", "/counters/witness", "GET, HEAD, OPTIONS"),
            ("PATCH", "/tasks/witness/start", "POST, OPTIONS"),
            ("DELETE", "/healthz", "GET, HEAD, OPTIONS"),
            ("PUT", "/scratch", "POST, OPTIONS"),
        ] {
            let answer = send(client, (method, path, b""));
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(allow)),
                "{method} {path}: {}",
                answer.text()
            );
            assert_eq!(answer.error_code().as_deref(), Some("method_not_allowed"));
        }
    });
}

#[test]
fn unknown_query_parameters_are_400() {
    on_both(|client| {
        let requests: &[Sent] = &[
            ("GET", "/counters/witness?x=1", b""),
            ("GET", "/tasks/witness?runs", b""),
        ];
        assert_refused(client, 400, "bad_request", requests);
    });
}
