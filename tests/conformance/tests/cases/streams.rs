//! Streaming responses and server-sent events.

use std::time::{Duration, Instant};

use conformance::{Produced, Received};
use host_tests::{Client, Host, Kind, Raw};
use serde_json::json;

use crate::case::Case;

const PATIENCE: Duration = Duration::from_secs(20);

pub const CASES: &[Case] = &[
    Case::together("a streaming response is sent whole and in order", "", whole),
    Case::together(
        "events of a stream arrive when they are published",
        "",
        events,
    ),
    Case::together(
        "a reader that disconnects ends its stream",
        "",
        disconnected_reader,
    ),
    Case::together(
        "a slow reader of a stream slows its producer",
        "",
        slow_reader,
    ),
    Case::together(
        "a stream that fails breaks the connection",
        "",
        broken_stream,
    ),
    Case::alone(
        "a stream that panics breaks the connection",
        "",
        panicking_stream,
    ),
    Case::together(
        "a reset of the object breaks its streams",
        "",
        reset_with_streams,
    ),
    Case::together(
        "a stream's end waits for the writes before it",
        "P6",
        writing_stream,
    ),
    Case::together("a failed turn sends no stream", "P6", failed_turn),
    Case::together(
        "a stream of another object is passed on or read",
        "",
        passed_on,
    ),
    Case::together("a handler of the app can stream", "", app_stream),
    Case::together(
        "the body of a request streams up to the limit of its route",
        "",
        uploads,
    ),
    Case::together(
        "the body of a request that no handler reads streams into nothing",
        "",
        unread_upload,
    )
    .only_on(
        Kind::Embedded,
        "workerd closes the connection of a client that still sends",
    ),
    Case::together(
        "a slow handler of a streaming request slows its client",
        "",
        slow_upload,
    ),
    Case::together(
        "the body of a request that breaks off ends its stream with an error",
        "",
        broken_upload,
    ),
];

fn produced(client: &Client, path: &str) -> Produced {
    client
        .get(&format!("{path}/produced"))
        .expect_status(200)
        .json()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn open(client: &Client, path: &str) -> Raw {
    let mut raw = client.dial().unwrap();
    raw.ask("GET", path, None).unwrap();
    raw
}

fn whole(client: &Client) {
    let answer = client
        .get("/streams/whole/chunks?count=1024&size=65536")
        .expect_status(200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(answer.body.len(), 1024 * 65536);
    for (number, chunk) in answer.body.chunks(65536).enumerate() {
        assert_eq!(usize::from(chunk[0]), number % 256);
    }
    let empty = client
        .get("/streams/whole/chunks?count=0&size=1")
        .expect_status(200);
    assert!(empty.body.is_empty());
    let head = client.send("HEAD", "/streams/whole/chunks?count=9&size=1", &[], None);
    assert_eq!(head.unwrap().status, 200);
}

/// A connection that reads the events of an object, which knows it.
fn reads_events(client: &Client) -> Raw {
    let reader = open(client, "/events");
    wait_until("the object has no reader", || {
        produced(client, "").readers == 1
    });
    reader
}

fn events(client: &Client) {
    let client = client.at("/streams/events");
    let mut reader = client.dial().unwrap();
    let head = "last-event-id: 41\r\naccept: text/event-stream";
    reader.ask_with("GET", "/events", head).unwrap();
    let seen = reader.receive_until("retry: 7000\n\n", PATIENCE).unwrap();
    assert!(seen.contains("text/event-stream"), "{seen}");
    assert!(
        seen.contains("data: after 41\nevent: seen\nretry: 7000\n\n"),
        "{seen}"
    );
    let published = client.post("/publish", json!({ "text": "a\nb" }));
    assert_eq!(published.json::<usize>(), 1);
    let event = "data: a\ndata: b\nid: 1\n\n";
    reader.receive_until(event, PATIENCE).unwrap();
}

fn disconnected_reader(client: &Client) {
    let client = client.at("/streams/disconnected");
    let mut reader = open(&client, "/chunks?count=1000000&size=65536");
    reader.receive_until("200 OK", PATIENCE).unwrap();
    drop(reader);
    wait_until("the stream was not dropped", || {
        produced(&client, "").dropped == 1
    });
    let mut reader = reads_events(&client);
    client
        .post("/publish", json!({ "text": "a" }))
        .expect_status(200);
    reader.receive_until("data: a", PATIENCE).unwrap();
    drop(reader);
    wait_until("the reader was not dropped", || {
        // workerd notices only when it sends.
        client
            .post("/publish", json!({ "text": "b" }))
            .expect_status(200);
        produced(&client, "").readers == 0
    });
}

fn slow_reader(client: &Client) {
    const SIZE: u64 = 65_536;
    const COUNT: u64 = 4_096;
    let client = client.at("/streams/slow");
    let mut reader = open(&client, &format!("/chunks?count={COUNT}&size={SIZE}"));
    reader.receive_until("200 OK", PATIENCE).unwrap();
    let mut before = 0;
    wait_until("the producer does not pause", || {
        let now = produced(&client, "").chunks;
        now > 0 && std::mem::replace(&mut before, now) == now
    });
    drop(reader);
    // What the systems on both ends buffer.
    assert!(before * SIZE < 32 << 20, "{before} chunks");
}

/// What arrives of a body that breaks off.
fn broken(client: &Client, path: &str) {
    let mut reader = open(client, path);
    reader.receive_until("first", PATIENCE).unwrap();
    let answer = reader.answer(PATIENCE);
    assert!(answer.is_err(), "{path}: {}", answer.unwrap().text());
    assert!(!answer.unwrap_err().contains("in time"), "{path}");
}

fn broken_stream(client: &Client) {
    broken(client, "/streams/broken/ends?how=error");
    client.get("/streams/broken/produced").expect_status(200);
}

fn panicking_stream(host: &mut Host) {
    let client = host.client();
    let mut beside = reads_events(&client.at("/streams/beside"));
    client
        .post("/streams/beside/publish", json!({ "text": "a" }))
        .expect_status(200);
    beside.receive_until("data: a", PATIENCE).unwrap();
    broken(&client, "/streams/panicking/ends?how=panic");
    client.get("/streams/panicking/produced").expect_status(200);
    client.get("/streams/beside/produced").expect_status(200);
    // On workerd a panic ends the memory that produced the other stream, too.
    if host.kind() == Kind::Workerd {
        let answer = beside.answer(PATIENCE);
        assert!(answer.is_err(), "{}", answer.unwrap().text());
    } else {
        client
            .post("/streams/beside/publish", json!({ "text": "b" }))
            .expect_status(200);
        beside.receive_until("data: b", PATIENCE).unwrap();
    }
}

fn reset_with_streams(client: &Client) {
    let client = client.at("/streams/reset");
    let mut reader = reads_events(&client);
    client
        .post("/publish", json!({ "text": "a" }))
        .expect_status(200);
    reader.receive_until("data: a", PATIENCE).unwrap();
    let aborted = client.post("/abort", json!({}));
    assert_eq!(aborted.error_code().as_deref(), Some("reset"));
    let answer = reader.answer(PATIENCE);
    assert!(answer.is_err(), "{}", answer.unwrap().text());
    assert_eq!(produced(&client, "").readers, 0);
}

fn writing_stream(client: &Client) {
    let client = client.at("/streams/writing");
    let answer = client.get("/ends?how=write").expect_status(200);
    assert_eq!(answer.text(), "first");
    assert!(client.get("/written").json::<bool>());
}

fn failed_turn(client: &Client) {
    let answer = client.get("/streams/failed/fails").expect_status(409);
    assert_eq!(answer.error_code().as_deref(), Some("refused"));
}

fn passed_on(client: &Client) {
    let path = "/streams/relay/passed?path=/chunks?count=100%26size=65536";
    let passed = client.get(path).expect_status(200);
    assert_eq!(passed.body.len(), 6_553_600);
    let path = "/streams/relay/counted?path=/chunks?count=100%26size=65536";
    let counted: usize = client.get(path).expect_status(200).json();
    assert_eq!(counted, 6_553_600);
    broken(client, "/streams/relay/passed?path=/ends?how=error");
    let path = "/streams/relay/counted?path=/ends?how=error";
    assert!(client.get(path).status >= 400);
}

fn app_stream(client: &Client) {
    let mut reader = open(client, "/app-stream");
    reader.receive_until("0;", PATIENCE).unwrap();
    assert_eq!(reader.answer(PATIENCE).unwrap().text(), "0;1;2;");
}

fn post(client: &Client, path: &str, body: &[u8]) -> host_tests::Answer {
    let sent = client.send("POST", path, &[], Some(body));
    sent.unwrap_or_else(|error| panic!("{path} with {} bytes: {error}", body.len()))
}

fn uploads(client: &Client) {
    const SIZE: usize = 64 << 20;
    let body: Vec<u8> = (0..SIZE).map(|at| at.to_le_bytes()[1]).collect();
    let sum = body.iter().map(|byte| u64::from(*byte)).sum();
    let expected = Received { bytes: SIZE, sum };
    for path in ["/streams/uploads/upload", "/streams/relay/relayed"] {
        let received: Received = post(client, path, &body).expect_status(200).json();
        assert_eq!(received, expected, "{path}");
    }
    // A client that sends everything before it reads must not be sent more than is buffered.
    let part = &body[..1 << 20];
    let echoed = post(client, "/streams/uploads/echo", part).expect_status(200);
    assert!(echoed.body == part, "{} bytes came back", echoed.body.len());
    for (path, bytes, status) in [
        ("limited", 64 << 10, 200),
        ("limited", (64 << 10) + 1, 413),
        ("limited-whole", 64 << 10, 200),
        ("limited-whole", (64 << 10) + 1, 413),
    ] {
        let answer = post(client, &format!("/streams/uploads/{path}"), &body[..bytes]);
        assert_eq!(
            answer.status,
            status,
            "{path} with {bytes}: {}",
            answer.text()
        );
        if status == 413 {
            assert_eq!(answer.error_code().as_deref(), Some("too_large"));
        }
    }
    for (length, status) in [(1 << 20, 200), ((2 << 20) - 11, 200), (2 << 20, 413)] {
        let text = serde_json::to_vec(&json!({ "text": "x".repeat(length) })).unwrap();
        let answer = post(client, "/streams/uploads/limited-text", &text);
        assert_eq!(answer.status, status, "{length}: {}", answer.text());
    }
}

fn unread_upload(client: &Client) {
    let body = vec![7; 16 << 20];
    let mut raw = client.dial().unwrap();
    for _ in 0..2 {
        let head = format!("content-length: {}", body.len());
        raw.ask_with("POST", "/streams/unread/unread", &head)
            .unwrap();
        raw.write(&body).unwrap();
        let answer = raw.answer(PATIENCE).unwrap();
        assert_eq!(answer.error_code().as_deref(), Some("forbidden"));
    }
    for path in ["limited", "limited-whole"] {
        let answer = post(client, &format!("/streams/unread/{path}"), &body[..8 << 20]);
        assert_eq!(answer.error_code().as_deref(), Some("too_large"), "{path}");
    }
}

fn slow_upload(client: &Client) {
    const SIZE: usize = 16 << 20;
    let started = Instant::now();
    let body = vec![1; SIZE];
    let mut raw = client.dial().unwrap();
    let head = format!("content-length: {SIZE}");
    raw.ask_with("POST", "/streams/slow-upload/slow-upload", &head)
        .unwrap();
    raw.write(&body).unwrap();
    let sent = started.elapsed();
    let received: Received = raw.answer(2 * PATIENCE).unwrap().json();
    assert_eq!((received.bytes, received.sum), (SIZE, SIZE as u64));
    assert!(sent > started.elapsed() / 10, "it was sent in {sent:?}");
}

fn broken_upload(client: &Client) {
    let client = client.at("/streams/broken-upload");
    let mut raw = client.dial().unwrap();
    raw.ask_with("POST", "/upload", "content-length: 1000000")
        .unwrap();
    raw.write(&[7; 500_000]).unwrap();
    wait_until("nothing arrives", || produced(&client, "").chunks > 0);
    drop(raw);
    client.get("/produced").expect_status(200);
}
