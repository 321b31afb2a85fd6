//! The embedded host's entrances with peers that are hostile, slow or disconnected. Everything is
//! bounded, and other clients are not affected.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use host_tests::{Application, Client, Host, Kind, Received, eventually};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);

fn start() -> Host {
    let application = Application::new(
        env!("CARGO_BIN_EXE_embedded-doors"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/demo"),
    );
    Host::start(Kind::Embedded, &application)
}

fn connect(host: &Host) -> TcpStream {
    let stream =
        TcpStream::connect(host.address().trim_start_matches("http://")).expect("the host listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a connected stream");
    stream
}

/// Sends these bytes. Returns what comes back first, until the connection ends or the time is over.
fn send_raw(host: &Host, bytes: &[u8]) -> String {
    let mut stream = connect(host);
    stream.write_all(bytes).expect("the host reads");
    first_bytes(&mut stream)
}

fn first_bytes(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 1_024];
    let count = stream.read(&mut buffer).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

fn assert_serves(client: &Client) {
    client.get("/healthz").expect_status(200);
}

fn assert_memory_below(host: &Host, mib: u64) {
    if let Some(bytes) = host.resident_memory() {
        println!("{} MiB are held", bytes >> 20);
        assert!(bytes < mib << 20, "{} MiB are held", bytes >> 20);
    }
}

#[test]
fn panics_of_the_app_leave_a_host_that_drains() {
    let mut host = start();
    let client = host.client();
    for path in ["/panic", "/scales/panic"] {
        for _ in 0..10 {
            let answer = client.get(path).expect_status(500);
            assert_eq!(answer.error_code().as_deref(), Some("panicked"));
            assert!(!answer.text().contains("on purpose"), "{}", answer.text());
        }
    }
    for _ in 0..10 {
        let mut stream = connect(&host);
        stream
            .write_all(b"GET /panic-when-dropped HTTP/1.1\r\nhost: a\r\n\r\n")
            .expect("the host reads");
        assert_serves(&client);
        drop(stream);
    }
    assert_serves(&client);
    assert!(host.stop().status.success());
    assert!(
        !host.log().contains("are cut off"),
        "nothing kept it from draining"
    );
}

#[test]
fn unread_answers_are_bounded() {
    let host = start();
    let client = host.client();
    let mut unread = Vec::new();
    let mut refused = 0;
    for _ in 0..60 {
        let mut stream = connect(&host);
        stream
            .write_all(b"GET /large?mib=16 HTTP/1.1\r\nhost: a\r\n\r\n")
            .expect("the host reads");
        let head = first_bytes(&mut stream);
        if head.starts_with("HTTP/1.1 503 ") {
            assert!(head.contains("retry-after: 1"), "{head}");
            refused += 1;
        } else {
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            unread.push(stream);
        }
    }
    assert!(refused > 0 && !unread.is_empty(), "{refused} are refused");
    assert_memory_below(&host, 450);
    assert_serves(&client);
    // Other clients are served again after the readers are gone.
    drop(unread);
    eventually(PATIENCE, || {
        let answer = client.send("GET", "/large?mib=16", &[], None).ok()?;
        (answer.status == 200 && answer.body.len() == 16 << 20).then_some(())
    })
    .expect("there is room again");
}

/// Returns the beginning of a client's frame: `opcode`, whether it is the last, its length. The
/// mask is zero.
fn frame_head(opcode: u8, is_last: bool, length: u64) -> Vec<u8> {
    let mut head = vec![opcode | if is_last { 0x80 } else { 0 }, 0x80 | 127];
    head.extend(length.to_be_bytes());
    head.extend([0; 4]);
    head
}

fn upgrade(host: &Host) -> TcpStream {
    let mut stream = connect(host);
    stream
        .write_all(
            b"GET /scales/a/ws HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
              sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .expect("the host reads");
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("the host answers");
        head.push(byte[0]);
    }
    assert!(
        head.starts_with(b"HTTP/1.1 101 "),
        "{}",
        String::from_utf8_lossy(&head)
    );
    stream
}

#[test]
fn pings_of_a_peer_that_hardly_reads_are_bounded() {
    let host = start();
    let mut socket = upgrade(&host);
    let timeout = Some(Duration::from_millis(20));
    socket
        .set_write_timeout(timeout)
        .expect("a connected stream");
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[7; 125]].concat();
    let pings = ping.repeat(2_000);
    let before = host.resident_memory().unwrap_or_default();
    let (mut at, mut sent) = (0, 0);
    let began = Instant::now();
    // It sends as fast as it can, and reads a little, so that the connection never stalls.
    while sent < 64 << 20 && began.elapsed() < Duration::from_secs(3) {
        if let Ok(written) = socket.write(&pings[at..]) {
            at = (at + written) % pings.len();
            sent += written;
        }
        let read = socket.read(&mut [0; 64]);
        assert!(read.is_ok_and(|read| read > 0), "the host still answers");
    }
    println!("{sent} bytes of pings");
    assert_memory_below(&host, (before >> 20) + 16);
    assert_serves(&host.client());
}

#[test]
fn broken_handshakes_do_not_reach_the_object() {
    let host = start();
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "sec-websocket-version: 13\r\n";
    let upgrade = "upgrade: websocket\r\n";
    let connection = "connection: upgrade\r\n";
    for (line, headers, status) in [
        (
            "GET /scales/b/ws HTTP/1.1",
            [upgrade, version, key, ""],
            400,
        ),
        (
            "GET /scales/b/ws HTTP/1.0",
            [upgrade, connection, version, key],
            400,
        ),
        (
            "GET /scales/b/ws HTTP/1.1",
            [upgrade, connection, version, "sec-websocket-key: x\r\n"],
            400,
        ),
        (
            "HEAD /scales/b/ws HTTP/1.1",
            [upgrade, connection, version, key],
            426,
        ),
        // An invalid upgrade is harmless if there is no WebSocket.
        ("GET /healthz HTTP/1.1", [upgrade, "", "", ""], 200),
        (
            "GET /scales/b/connects HTTP/1.1",
            [upgrade, key, "", ""],
            200,
        ),
        (
            "GET /scales/b/ws HTTP/1.1",
            [connection, version, key, ""],
            426,
        ),
    ] {
        let request = format!("{line}\r\nhost: a\r\n{}\r\n", headers.concat());
        let answer = send_raw(&host, request.as_bytes());
        let status = format!(" {status} ");
        assert!(answer[8..].starts_with(&status), "{request}{answer}");
    }
    let connects: u32 = host.client().get("/scales/b/connects").json();
    assert_eq!(connects, 0);
    let list = [connection, version, key, "upgrade: h2c, websocket\r\n"].concat();
    let request = format!("GET /scales/b/ws HTTP/1.1\r\nhost: a\r\n{list}\r\n");
    assert!(send_raw(&host, request.as_bytes()).starts_with("HTTP/1.1 101 "));
}

#[test]
fn unfinished_socket_messages_are_bounded() {
    let host = start();
    let chunk = vec![0; 1 << 20];
    let mut open = Vec::new();
    let mut refused = Vec::new();
    for number in 0..40 {
        let mut stream = upgrade(&host);
        // The message is in one frame, or in fragments with a ping between them.
        let is_whole = number % 2 == 0;
        let mut sent = Ok(());
        if is_whole {
            sent = sent.and_then(|()| stream.write_all(&frame_head(2, true, 32 << 20)));
        }
        for part in 0..24 {
            if !is_whole {
                let opcode = if part == 0 { 2 } else { 0 };
                sent = sent.and_then(|()| stream.write_all(&frame_head(opcode, false, 1 << 20)));
            }
            sent = sent.and_then(|()| stream.write_all(&chunk));
            if !is_whole {
                sent = sent.and_then(|()| stream.write_all(&[0x89, 0x80, 0, 0, 0, 0]));
            }
        }
        if sent.is_ok() {
            open.push(stream);
        } else {
            refused.push(stream);
        }
    }
    assert_memory_below(&host, 700);
    assert_serves(&host.client());
    // Those that found no room were told.
    let mut latest = open.iter_mut().chain(&mut refused).rev();
    assert!(latest.any(|stream| first_bytes(stream).contains("too many unfinished messages")));
    // Other sockets are served meanwhile.
    let mut small = host.client().connect("/scales/a/ws");
    small.send_text("small");
    assert_eq!(small.receive(), Received::Text("5".to_owned()));
    drop((open, refused));
    let weighed = eventually(PATIENCE, || {
        let mut socket = host.client().connect("/scales/a/ws");
        socket.try_send_text(&"x".repeat(20 << 20)).ok()?;
        (socket.receive() == Received::Text((20 << 20).to_string())).then_some(())
    });
    weighed.expect("there is room again");
}

#[test]
fn unfinished_bodies_are_bounded() {
    let host = start();
    let part = vec![b' '; 1_000_000];
    let mut open = Vec::new();
    for _ in 0..400 {
        let mut stream = connect(&host);
        stream
            .write_all(
                b"POST /scales/a/weigh HTTP/1.1\r\nhost: a\r\ncontent-length: 1048576\r\n\r\n",
            )
            .expect("the host reads");
        // It may be refused meanwhile.
        let _ = stream.write_all(&part);
        open.push(stream);
    }
    assert_memory_below(&host, 300);
    assert_serves(&host.client());
    // A message that arrives completely is accepted, because the others have stopped.
    let taken = eventually(PATIENCE, || {
        let answer = host
            .client()
            .send("POST", "/scales/b/weigh", &[], Some(&part));
        (answer.ok()?.status == 200).then_some(())
    });
    assert!(taken.is_some(), "it finds no room");
    let refused = open.iter_mut().rev().any(|stream| {
        let mut head = [0; 12];
        stream.read_exact(&mut head).is_ok() && &head == b"HTTP/1.1 503"
    });
    assert!(refused, "those beyond the limit are answered with 503");
    drop(open);
    eventually(PATIENCE, || {
        let answer = host
            .client()
            .send("POST", "/scales/a/weigh", &[], Some(&part))
            .ok()?;
        (answer.status == 200).then_some(())
    })
    .expect("there is room again");
}

#[test]
fn slow_heads_delay_no_other_request() {
    let host = start();
    let slow: Vec<TcpStream> = (0..800)
        .map(|_| {
            let mut stream = connect(&host);
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ");
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_serves(&host.client());
    }
    drop(slow);
    let long = [
        &b"GET /healthz HTTP/1.1\r\nx-long: "[..],
        &vec![b'x'; 80 << 10],
    ]
    .concat();
    assert!(send_raw(&host, &long).starts_with("HTTP/1.1 431 "));
    assert_serves(&host.client());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let host = start();
    let mut stream = connect(&host);
    let requests = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".repeat(50)
        + "GET /panic HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream
        .write_all(requests.as_bytes())
        .expect("the host reads");
    let mut answers = String::new();
    stream
        .read_to_string(&mut answers)
        .expect("the host answers");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 50);
    assert_eq!(answers.matches("HTTP/1.1 500 ").count(), 1);
}

#[test]
fn request_targets_that_are_no_paths_are_refused() {
    let host = start();
    for (target, status) in [
        ("*", 400),
        ("/\\healthz", 400),
        ("\\healthz", 400),
        ("/x/../healthz", 400),
        ("/x/%2e%2e/healthz", 400),
        ("//healthz", 404),
        ("/healthz/", 404),
        ("/health%7a", 200),
        ("/healthz?x=1", 200),
        ("http://other.example/healthz", 200),
        ("http://other.example/./healthz", 400),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = send_raw(&host, request.as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{target}: {answer}"
        );
    }
    assert_serves(&host.client());
}

#[test]
fn request_has_one_host() {
    let host = start();
    for (version, hosts, status) in [
        ("1.1", "host: a\r\n", 200),
        ("1.1", "", 400),
        ("1.1", "host: a\r\nhost: b\r\n", 400),
        ("1.0", "", 200),
    ] {
        let request = format!("GET /healthz HTTP/{version}\r\n{hosts}connection: close\r\n\r\n");
        let answer = send_raw(&host, request.as_bytes());
        assert_eq!(
            answer.get(9..12),
            Some(status.to_string().as_str()),
            "{answer}"
        );
    }
}

/// A server that accepts every connection and answers none. Reports each connection that its client
/// ends.
fn mute_server() -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!(
        "http://{}/",
        listener.local_addr().expect("a bound listener")
    );
    let (ended, ends) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let ended = ended.clone();
            std::thread::spawn(move || {
                let mut sink = Vec::new();
                let _ = stream.read_to_end(&mut sink);
                let _ = ended.send(());
            });
        }
    });
    (address, ends)
}

#[test]
fn outgoing_requests_that_are_given_up_end_at_once() {
    const TIMES: u32 = 600;
    let host = start();
    let client = host.client();
    let (address, ends) = mute_server();
    let given_up: u32 = client
        .post(
            "/scales/a/give-up",
            serde_json::json!({ "address": address, "times": TIMES }),
        )
        .json();
    assert_eq!(given_up, TIMES);
    // What they occupy would prevent assets, and requests that are answered.
    client.get("/index.html").expect_status(200);
    let answer: String = client
        .get(&format!("/scales/b/ask?address={}/healthz", host.address()))
        .json();
    assert_eq!(answer, "200 ok");
    for number in 0..TIMES / 2 {
        assert!(
            ends.recv_timeout(PATIENCE).is_ok(),
            "{number} connections were ended"
        );
    }
}

#[test]
fn unread_socket_messages_are_bounded() {
    let host = start();
    let fill = [&[0x81, 0x80 | 7, 0, 0, 0, 0][..], b"fill 15"].concat();
    let unread: Vec<TcpStream> = (0..80)
        .map(|_| {
            let mut stream = upgrade(&host);
            stream.write_all(&fill).expect("the host reads");
            stream
        })
        .collect();
    for _ in 0..10 {
        let mut socket = host.client().connect("/scales/a/ws");
        socket.send_text("small");
        assert_eq!(
            socket.receive(),
            Received::Text("5".to_owned()),
            "small messages still pass"
        );
    }
    assert_memory_below(&host, 500);
    drop(unread);
    eventually(PATIENCE, || {
        let mut socket = host.client().connect("/scales/a/ws");
        socket.send_text("fill 15");
        (0..15)
            .all(|_| matches!(socket.receive_within(PATIENCE), Some(Received::Binary(_))))
            .then_some(())
    })
    .expect("there is room again");
}

#[test]
fn close_of_a_client_is_answered_without_a_close_handler() {
    let host = start();
    let mut socket = host.client().connect("/scales/a/ws");
    socket.send_text("four");
    assert_eq!(socket.receive(), Received::Text("4".to_owned()));
    socket.close(4_001, "bye");
    let answer = Received::Close {
        code: 4_001,
        reason: "bye".to_owned(),
    };
    assert_eq!(socket.receive(), answer);

    // A Close without a code is answered by one without a code.
    let mut stream = upgrade(&host);
    stream
        .write_all(&[0x88, 0x80, 0, 0, 0, 0])
        .expect("the host reads");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("the host ends the connection");
    assert_eq!(answer, [0x88, 0]);
}

#[test]
fn requests_behind_a_panic_never_see_what_it_left_half_done() {
    let host = start();
    let clients: Vec<Client> = (0..4).map(|_| host.client()).collect();
    // Otherwise the first connection of each client would fall between.
    for client in &clients {
        client.get("/healthz").expect_status(200);
    }
    for round in 0..3 {
        let path = format!("/slow-starts/{round}");
        std::thread::scope(|scope| {
            let [first, behind @ ..] = clients.as_slice() else {
                panic!("there are clients");
            };
            let panics = format!("{path}/change-and-panic");
            scope.spawn(move || first.post(&panics, json!({})).expect_status(500));
            // It waits for the start, and those that follow wait behind it.
            std::thread::sleep(Duration::from_millis(100));
            for client in behind {
                let path = &path;
                scope.spawn(move || {
                    let answer = client.get(path);
                    match answer.status {
                        200 => assert_eq!(answer.json::<i64>(), 0),
                        status => assert_eq!(status, 503, "{}", answer.text()),
                    }
                });
            }
        });
    }
}

#[test]
fn only_a_trusted_proxy_states_the_clients_address() {
    let mut host = start();
    let address = |host: &Host| {
        let forwarded = [("x-forwarded-for", "10.0.0.9, 192.0.2.7")];
        let answer = host.client().send("GET", "/address", &forwarded, None);
        answer.expect("an answer").text()
    };
    assert_eq!(address(&host), "127.0.0.1");
    for (option, expected) in [("127.0.0.0/8", "192.0.2.7"), ("192.0.2.0/24", "127.0.0.1")] {
        host.stop();
        host.restart_under(&format!("set -- \"$@\" --trusted-proxy {option}"));
        assert_eq!(address(&host), expected, "{option}");
    }
}

#[test]
fn page_of_another_origin_is_refused_after_its_body_has_arrived() {
    let host = start();
    let origin = [("origin", "https://evil.example")];
    for size in [0, 1 << 20, 3 << 20] {
        let body = vec![b' '; size];
        for _ in 0..10 {
            let answer = host
                .client()
                .send("POST", "/scales/a/weigh", &origin, Some(&body));
            assert_eq!(answer.map(|answer| answer.status), Ok(403), "{size} bytes");
        }
    }
}
