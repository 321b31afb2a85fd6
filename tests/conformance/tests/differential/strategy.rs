//! Random plans.

use conformance::differential::{Spoken, Way};
use proptest::prelude::*;
use proptest::sample::select;

use crate::acts::{self, LABELS, PINGS, Scope};
use crate::plan::{OBJECTS, Plan, Request, Step};
use crate::values::text;

/// The sizes of binary messages, close to those at which frames and limits begin.
const BYTES: [usize; 8] = [0, 1, 3, 126, 70_000, 1 << 20, (1 << 20) + 1, 3 << 20];

/// Returns random plans. One plan of ten may panic.
pub fn plan() -> BoxedStrategy<Plan> {
    prop_oneof![9 => calm(), 1 => panicking()].boxed()
}

fn calm() -> BoxedStrategy<Plan> {
    prop::collection::vec(prop::collection::vec(step(false), 1..12), 1..3)
        .prop_map(|phases| Plan {
            phases,
            panics: false,
        })
        .boxed()
}

fn panicking() -> BoxedStrategy<Plan> {
    prop::collection::vec(step(true), 1..12)
        .prop_map(|steps| Plan {
            phases: vec![steps],
            panics: true,
        })
        .boxed()
}

fn step(panics: bool) -> BoxedStrategy<Step> {
    let label = || select(LABELS.as_slice());
    prop_oneof![
        9 => acts::turn(panics).prop_map(Step::Turn),
        2 => request().prop_map(Step::Request),
        3 => connect(),
        3 => (label(), spoken(panics)).prop_map(|(label, spoken)| Step::Say { label, spoken }),
        1 => (label(), 2..6_usize).prop_map(|(label, count)| Step::SayMany { label, count }),
        1 => (label(), said()).prop_map(|(label, text)| Step::SayText { label, text }),
        1 => (label(), select(BYTES.as_slice()))
            .prop_map(|(label, bytes)| Step::SayBytes { label, bytes }),
        1 => (label(), client_code(), client_reason())
            .prop_map(|(label, code, reason)| Step::HangUp { label, code, reason }),
        1 => label().prop_map(|label| Step::Vanish { label }),
    ]
    .boxed()
}

fn connect() -> BoxedStrategy<Step> {
    let tags = select(vec![
        String::new(),
        "blue".to_owned(),
        "blue,red".to_owned(),
        "%C3%A9%F0%90%80%80".to_owned(),
        "t".repeat(256),
        "t".repeat(257),
        ["t"; 11].join(","),
    ]);
    let padding = prop_oneof![4 => Just(0_usize), 1 => 16_290..16_310_usize];
    (
        select(OBJECTS.as_slice()),
        select(LABELS.as_slice()),
        tags,
        padding,
        prop::bool::weighted(0.1),
    )
        .prop_map(|(object, label, tags, padding, refuse)| Step::Connect {
            object,
            label,
            tags,
            padding,
            refuse,
        })
        .boxed()
}

fn spoken(panics: bool) -> BoxedStrategy<Spoken> {
    (acts::acts(Scope::of(Way::Atomic, panics)), acts::ending())
        .prop_map(|(acts, ending)| Spoken { acts, ending })
        .boxed()
}

/// Returns a text other than a command. The runtime or the platform answers it.
fn said() -> BoxedStrategy<String> {
    prop_oneof![
        2 => select(PINGS.as_slice()).prop_map(str::to_owned),
        1 => text(),
        1 => Just(r#"{"acts": [], "ending": "Never"}"#.to_owned()),
        1 => Just(r#"{"acts": [], "ending": "Succeed", "more": 1}"#.to_owned()),
    ]
    .boxed()
}

/// Returns codes that a client can send.
fn client_code() -> BoxedStrategy<u16> {
    select([1000, 1001, 1003, 1011, 3000, 4999].as_slice()).boxed()
}

fn client_reason() -> BoxedStrategy<String> {
    select(
        [
            "",
            "bye",
            "\u{e9}\u{10000}",
            "answer 4000",
            "answer 1005",
            "fail",
        ]
        .as_slice(),
    )
    .prop_map(str::to_owned)
    .boxed()
}

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PLAIN: (&str, &str) = ("content-type", "text/plain;charset=UTF-8");

fn request() -> BoxedStrategy<Request> {
    let headers = prop_oneof![
        6 => Just(vec![JSON]),
        1 => Just(vec![]),
        1 => Just(vec![FORM]),
        1 => Just(vec![PLAIN, ("x-told", "a, b")]),
        1 => Just(vec![JSON, ("origin", "https://elsewhere.example")]),
        1 => Just(vec![JSON, ("sec-fetch-site", "cross-site")]),
    ];
    (select(OBJECTS.as_slice()), line(), headers, body())
        .prop_map(|(object, (method, path), headers, body)| Request {
            object,
            method,
            path: path.to_owned(),
            headers,
            body: body.filter(|body| may_carry(method, path, body)),
        })
        .boxed()
}

/// Whether a request can carry a body. The client refuses one for some methods. If no argument
/// binds to a large body, one host reads it and the other refuses it: see "Where the hosts differ"
/// in `docs/platform.md`.
fn may_carry(method: &str, path: &str, body: &str) -> bool {
    let binds = matches!(method, "POST" | "PUT") && !path.starts_with("/raw");
    !matches!(method, "GET" | "HEAD" | "OPTIONS") && (binds || body.len() < 1 << 20)
}

fn line() -> BoxedStrategy<(&'static str, &'static str)> {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    const PATHS: [&str; 40] = [
        "/echo",
        "/echo/a",
        "/echo/a/",
        "/echo/",
        "/echo/%C3%A9%F0%90%80%80",
        "/echo/%00",
        "/echo/%2F",
        "/echo/%ff",
        "/echo/%",
        "/echo/a+b%20c",
        "/%65cho/a",
        "/echo/a?number=5&real=1e3&flag=true",
        "/echo/a?number=9223372036854775807&real=-0",
        "/echo/a?number=9223372036854775808",
        "/echo/a?number=&flag=",
        "/echo/a?number=5&number=6",
        "/echo/a?text=b",
        "/echo/a?unknown=1",
        "/echo/a?number=%35&real=NaN",
        "/echo/a?flag=TRUE",
        "/echo/a?number=256",
        "/nowhere",
        "//echo/a",
        "/echo/../raw",
        "/echo/%2e%2e/raw",
        "/raw",
        "/raw?a=b&a=c&%C3%A9=%F0%90%80%80&empty=&bare",
        "/respond?status=200",
        "/respond?status=204",
        "/respond?status=304",
        "/respond?status=418",
        "/respond?status=101",
        "/respond?status=600",
        "/respond?status=70000",
        "/respond?status=200&name=X-Odd&value=%20a%09b%20",
        "/respond?status=200&name=x%20y&value=a",
        "/respond?status=200&name=x&value=%C3%A9",
        "/respond?status=200&name=content-type&value=a/b",
        "/respond?status=200&name=set-cookie&value=a=b",
        "/ws",
    ];
    (select(METHODS.as_slice()), select(PATHS.as_slice())).boxed()
}

fn body() -> BoxedStrategy<Option<String>> {
    const BODIES: [&str; 21] = [
        "",
        "{}",
        r#"{"text": "a"}"#,
        r#"{"text": "a", "number": 18446744073709551615, "real": 0.1, "list": [-128, 127]}"#,
        r#"{"text": "a", "number": 18446744073709551616}"#,
        r#"{"text": "a", "number": -1}"#,
        r#"{"text": "a", "number": 1.0}"#,
        r#"{"text": "a", "number": null, "real": 1e39, "list": null}"#,
        r#"{"text": "a", "list": [128]}"#,
        r#"{"text": "\ud800\udc00\u0000"}"#,
        r#"{"text": "\ud800"}"#,
        r#"{"text": "a", "text": "b"}"#,
        r#"{"text": 5}"#,
        r#"{"text": "a", "unknown": 1}"#,
        r#"["a"]"#,
        r#""a""#,
        "5",
        "null",
        "{",
        "\u{feff}{}",
        "text=a",
    ];
    prop_oneof![
        1 => Just(None),
        12 => select(BODIES.as_slice()).prop_map(|body| Some(body.to_owned())),
        1 => (1_048_575..1_048_578_usize).prop_map(|bytes| {
            let text = "x".repeat(bytes - r#"{"text":""}"#.len());
            Some(format!(r#"{{"text":"{text}"}}"#))
        }),
    ]
    .boxed()
}
