//! The demo's limiter on both hosts: the same answers, the fields of the IETF draft, and never more
//! requests than the policy allows, for any callers and after any crash.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use host_tests::{Answer, Caller, Client, Host, Kind, demo, eventually};
use serde_json::{Value, json};

const CALLERS: usize = 64;
const ALGORITHMS: [&str; 4] = [
    "fixed_window",
    "sliding_window",
    "sliding_log",
    "token_bucket",
];

fn start(kind: Kind) -> Host {
    Host::start(kind, &demo(env!("CARGO_BIN_EXE_embedded-demo")))
}

fn millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    u64::try_from(since.as_millis()).expect("and not too long after")
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

/// Times before and after a decision.
struct Passed {
    sent: u64,
    heard: u64,
    cost: u64,
}

/// 64 callers send requests until the time is over.
fn press(client: &Client, path: &str, policy: &Value, until: u64, passed: &Mutex<Vec<Passed>>) {
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            scope.spawn(move || {
                let cost = 1 + caller as u64 % 2;
                let mut policy = policy.clone();
                policy["cost"] = json!(cost);
                while millis() < until {
                    let sent = millis();
                    let answer = client.send_json("POST", path, &policy);
                    let heard = millis();
                    match answer.as_ref().map(|answer| answer.status) {
                        Ok(200) => passed.lock().unwrap().push(Passed { sent, heard, cost }),
                        // Refused, or the host is dead or dying.
                        Ok(429 | 503) | Err(_) => std::thread::sleep(Duration::from_millis(10)),
                        Ok(_) => panic!("{answer:?}"),
                    }
                }
            });
        }
    });
}

/// Returns the most decisions that certainly passed within one stretch: those whose whole
/// uncertainty is inside it.
fn most_within(passed: &[Passed], stretch: u64) -> u64 {
    let starts = passed.iter().map(|first| first.sent);
    let sums = starts.map(|start| {
        let inside = passed
            .iter()
            .filter(|one| one.sent >= start && one.heard < start + stretch);
        inside.map(|one| one.cost).sum()
    });
    sums.max().unwrap_or(0)
}

/// The host is killed twice during the work, in windows that span the restart.
#[test]
fn never_more_than_the_policy_says() {
    for kind in Kind::BOTH {
        let mut host = start(kind);
        let (limit, window) = (40, 4_000);
        let passed: Vec<Mutex<Vec<Passed>>> = ALGORITHMS.iter().map(|_| Mutex::default()).collect();
        for round in 0..3 {
            let client = host.client();
            let until = millis() + 2_500;
            std::thread::scope(|scope| {
                for (algorithm, passed) in ALGORITHMS.iter().zip(&passed) {
                    let policy =
                        json!({ "algorithm": algorithm, "limit": limit, "window_ms": window });
                    let path = format!("/limits/pressed-{algorithm}/check");
                    let client = &client;
                    scope.spawn(move || press(client, &path, &policy, until, passed));
                }
                if round < 2 {
                    // It is killed while all callers send requests.
                    std::thread::sleep(Duration::from_millis(1_200));
                    host.kill();
                }
            });
            if round < 2 {
                host.restart();
            }
        }
        for (algorithm, passed) in ALGORITHMS.iter().zip(passed) {
            let passed = passed.into_inner().unwrap();
            let most = most_within(&passed, window);
            let bound = match *algorithm {
                "sliding_window" | "sliding_log" => limit,
                _ => 2 * limit - 1,
            };
            assert!(
                most <= bound,
                "{kind}: {algorithm} let {most} through in one window"
            );
            let total: u64 = passed.iter().map(|one| one.cost).sum();
            assert!(
                total >= limit - 1,
                "{kind}: {algorithm} let {total} through in all"
            );
        }
    }
}

/// An exhausted limit remains exhausted through a restart, for every algorithm.
#[test]
fn a_restart_gives_nothing_back() {
    for kind in Kind::BOTH {
        let mut host = start(kind);
        let ask = |client: &Client, algorithm: &str| {
            let policy = json!({ "algorithm": algorithm, "limit": 3, "window_ms": 86_400_000 });
            client.post(&format!("/limits/{algorithm}/check"), policy)
        };
        for algorithm in ALGORITHMS {
            for remaining in [2, 1, 0] {
                let answer = ask(&host.client(), algorithm);
                assert_eq!(body(&answer)["remaining"], remaining, "{kind} {algorithm}");
            }
        }
        host.kill();
        host.restart();
        for algorithm in ALGORITHMS {
            let answer = ask(&host.client(), algorithm).expect_status(429);
            let refused = body(&answer);
            assert_eq!(
                (&refused["allowed"], &refused["remaining"]),
                (&json!(false), &json!(0))
            );
            assert!(refused["retry_after_ms"].as_u64() > Some(0), "{refused}");
        }
    }
}

/// Parses the two list fields of draft-ietf-httpapi-ratelimit-headers-10, as far as needed for one
/// item.
fn item(field: Option<&str>) -> (String, Vec<(String, u64)>) {
    let field = field.expect("the field is there");
    let (name, parameters) = field.split_once(';').expect("an item with parameters");
    let name = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    let parameters = parameters.split(';').map(|parameter| {
        let (key, value) = parameter.split_once('=').expect("a parameter with a value");
        (key.to_owned(), value.parse().expect("an integer"))
    });
    (name.expect("a string").to_owned(), parameters.collect())
}

#[test]
fn answers_and_fields_are_those_of_the_contract() {
    for kind in Kind::BOTH {
        let host = start(kind);
        let client = host.client();
        for algorithm in ALGORITHMS {
            let policy = json!({ "algorithm": algorithm, "limit": 2, "window_ms": 59_500 });
            let path = format!("/limits/k%2F{algorithm}");
            let query = format!("{path}?algorithm={algorithm}&limit=2&window_ms=59500");
            let check = |cost: u64| {
                let mut policy = policy.clone();
                policy["cost"] = json!(cost);
                client.post(&format!("{path}/check"), policy)
            };
            let fresh = client.get(&query).expect_status(200);
            assert_eq!(
                body(&fresh),
                json!({ "allowed": true, "limit": 2, "window_ms": 59_500, "remaining": 2, "reset_ms": 0, "retry_after_ms": 0, "reason": "within_limit" })
            );
            let first = client
                .post(&format!("{path}/check"), &policy)
                .expect_status(200);
            assert_eq!(
                (&body(&first)["remaining"], &body(&first)["allowed"]),
                (&json!(1), &json!(true))
            );
            assert_eq!(first.header("retry-after"), None);

            let refused = check(2).expect_status(429);
            let decision = body(&refused);
            assert_eq!(decision["reason"], "over_limit");
            assert_eq!(
                item(refused.header("ratelimit-policy")),
                (
                    algorithm.to_owned(),
                    vec![("q".into(), 2), ("w".into(), 60)]
                )
            );
            let (name, parameters) = item(refused.header("ratelimit"));
            let seconds = |field: &str| {
                decision[field]
                    .as_u64()
                    .expect("milliseconds")
                    .div_ceil(1_000)
            };
            assert_eq!(
                (name.as_str(), parameters),
                (
                    algorithm,
                    vec![("r".into(), 1), ("t".into(), seconds("reset_ms"))]
                )
            );
            let retry_after: u64 = refused
                .header("retry-after")
                .expect("a time")
                .parse()
                .expect("in seconds");
            assert_eq!(retry_after, seconds("retry_after_ms"));
            assert!(retry_after >= seconds("reset_ms") && retry_after > 0);

            check(1).expect_status(200);
            check(1).expect_status(429);
            let looked = client.get(&query).expect_status(200);
            assert_eq!(
                (&body(&looked)["allowed"], &body(&looked)["remaining"]),
                (&json!(false), &json!(0))
            );
            client
                .send("DELETE", &path, &[], None)
                .expect("it answers")
                .done();
            check(2).expect_status(200);
        }
        for (field, wrong) in [
            ("limit", json!(0)),
            ("limit", json!(-1)),
            ("limit", json!("5")),
            ("limit", json!(1_000_000_001)),
            ("window_ms", json!(0)),
            ("window_ms", json!(1.5)),
            ("cost", json!(0)),
            ("cost", json!(6)),
            ("algorithm", json!("leaky")),
            ("weight", json!(1)),
        ] {
            let mut policy = json!({ "algorithm": "fixed_window", "limit": 5, "window_ms": 1_000 });
            policy[field] = wrong;
            let answer = client.post("/limits/k/check", &policy).expect_status(400);
            let message = answer.error_message().unwrap_or_default();
            assert!(
                message.contains(&format!("`{field}`")),
                "{kind} {policy}: {message}"
            );
        }
        let long = format!("/limits/{}/check", "k".repeat(257));
        client
            .post(
                &long,
                json!({ "algorithm": "fixed_window", "limit": 5, "window_ms": 1_000 }),
            )
            .expect_status(400);
    }
}

/// A request that is passed to its object unchanged keeps the mount's path: a HEAD, and one whose
/// body has no stated length.
#[test]
fn the_key_is_found_in_requests_of_any_form() {
    for kind in Kind::BOTH {
        let host = start(kind);
        let client = host.client();
        let query = "/limits/a%2Fb?algorithm=fixed_window&limit=5&window_ms=60000";
        let head = client
            .send("HEAD", query, &[], None)
            .expect("it answers")
            .expect_status(200);
        assert_eq!(
            head.header("ratelimit"),
            Some("\"fixed_window\";r=5;t=0"),
            "{kind}"
        );
        let mut chunked = format!(
            "{} /limits/a%2Fb/check HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
            "POST"
        );
        let policy = r#"{"algorithm": "fixed_window", "limit": 5, "window_ms": 60000}"#;
        chunked.push_str(&format!("{:x}\r\n{policy}\r\n0\r\n\r\n", policy.len()));
        let answer = raw(&client, &chunked);
        assert!(answer.starts_with("HTTP/1.1 200"), "{kind}: {answer}");
        assert!(answer.contains("\"remaining\":4"), "{kind}: {answer}");
        assert_eq!(body(&client.get(query))["remaining"], 4);
    }
}

fn raw(client: &Client, request: &str) -> String {
    use std::io::{Read, Write};
    let address = client.base().trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).expect("the app listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a stream");
    stream.write_all(request.as_bytes()).expect("the app reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the app answers in text");
    answer
}

/// Calls the first shard as a Worker in JavaScript does.
fn caller() -> impl Fn(&str, Value) -> Value {
    let demo = demo(env!("CARGO_BIN_EXE_embedded-demo"));
    let caller = Caller::start(&demo, "RATE_LIMITER", "0");
    move |method, values| caller.call(method, values)
}

/// workerd's own alarm sweeps, and is removed when nothing is left.
#[test]
fn keys_that_are_used_once_are_swept() {
    let call = caller();
    for batch in 0..5 {
        let checks: Vec<Value> = (0..500)
            .map(|number| json!({ "key": format!("{batch}-{number}"), "algorithm": "token_bucket", "limit": 5, "window_ms": 1_000 }))
            .collect();
        let decided = call("checkAll", json!([checks]));
        assert_eq!(decided["value"]["allowed"], true, "{decided}");
    }
    let status = eventually(Duration::from_secs(40), || {
        let status = call("status", json!([]))["value"].take();
        (status["next_sweep"] == Value::Null).then_some(status)
    });
    assert_eq!(status.expect("it is swept")["usages"], 0);
}

/// A Worker in TypeScript calls in its own way.
#[test]
fn native_rpc() {
    let call = caller();
    let value = |answer: Value| -> Value {
        assert!(answer.get("error").is_none(), "{answer}");
        answer["value"].clone()
    };
    let given = json!({ "key": "ann", "algorithm": "token_bucket", "limit": 3, "window_ms": 60_000, "cost": 2 });
    assert_eq!(value(call("check", json!([given])))["remaining"], 1);
    assert_eq!(value(call("peek", json!([given])))["allowed"], false);
    let refused = value(call(
        "checkAll",
        json!([[given, { "key": "bob", "algorithm": "fixed_window", "limit": 1, "window_ms": 1_000 }]]),
    ));
    assert_eq!(
        (&refused["allowed"], &refused["decisions"][1]["reason"]),
        (&json!(false), &json!("other_refused"))
    );
    value(call("reset", json!(["ann"])));
    assert_eq!(value(call("peek", json!([given])))["remaining"], 3);

    let policy = json!({ "algorithm": "sliding_window", "limit": 1, "window_ms": 60_000 });
    value(call("setPolicy", json!(["api", policy])));
    value(call(
        "setOverride",
        json!(["api", "vip", { "algorithm": "sliding_window", "limit": 9, "window_ms": 60_000 }]),
    ));
    value(call("putOnList", json!(["foe", "deny", 60_000])));
    let named = |key: &str| value(call("check", json!([{ "key": key, "policy": "api" }])));
    assert_eq!(named("ann")["allowed"], true);
    assert_eq!(named("ann")["allowed"], false);
    assert_eq!(named("vip")["remaining"], 8);
    assert_eq!(named("foe")["reason"], "deny_listed");
    assert_eq!(value(call("policies", json!([])))[0]["name"], "api");

    let error = call("check", json!([{ "key": "ann", "policy": "unset" }]))["error"].take();
    assert_eq!(
        (&error["status"], &error["code"]),
        (&json!(404), &json!("not_found"))
    );
    let error = call(
        "check",
        json!([{ "key": "ann", "policy": "api", "weight": 1 }]),
    )["error"]
        .take();
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| message.contains("`weight`")),
        "{error}"
    );
}

/// Arguments of every length around 256 bytes, so that the encoder's buffer grows at each of its
/// steps.
#[test]
fn arguments_of_every_length_arrive_whole() {
    let call = caller();
    let keys: Vec<String> = (220..=256)
        .map(|length| format!("{length:x<length$}"))
        .collect();
    for key in &keys {
        let answer = call("putOnList", json!([key, "deny", null]));
        assert!(answer.get("error").is_none(), "{key}: {answer}");
    }
    let mut stored: Vec<String> = Vec::new();
    loop {
        let page = call("listings", json!([stored.last()]))["value"].take();
        let page = page.as_array().expect("a page of listings").clone();
        if page.is_empty() {
            break;
        }
        stored.extend(
            page.iter()
                .map(|entry| entry["key"].as_str().unwrap_or_default().to_owned()),
        );
    }
    let mut expected = keys;
    expected.sort_unstable();
    assert_eq!(stored, expected);
}
