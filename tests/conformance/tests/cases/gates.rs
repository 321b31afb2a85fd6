//! The output gate, tested by killing the host during its work.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use conformance::Ledger;
use host_tests::{Client, Host, eventually};
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[
    Case::alone(
        "what left the object is on disk, and writes of one turn are together",
        "P6 P12",
        crash,
    )
    .remark("answers, socket messages and outgoing calls; killed in five rounds"),
    Case::together(
        "a request to the outside world goes and its answer comes back",
        "P4",
        outgoing,
    ),
    Case::alone(
        "what the outside world was told is on disk",
        "P6",
        outgoing_after_writes,
    ),
];

/// A server that accepts one request. Returns its text, and a way to answer it.
fn one_request(listener: &TcpListener) -> (String, TcpStream) {
    let (stream, _) = listener.accept().expect("a connection");
    let mut lines = BufReader::new(&stream)
        .lines()
        .map(|line| line.expect("text"));
    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    (head.join("\n"), stream)
}

fn outgoing(client: &Client) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (head, mut stream) = one_request(&listener);
            let body = "thanks";
            write!(
                stream,
                "HTTP/1.1 202 Accepted\r\nx-answer: yes\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
            .expect("the object waits");
            head
        });
        let to = format!("http://{address}/hook?a=b");
        let object = client.at("/gates/outgoing");
        let answer: String = object
            .post("/publish", json!({ "number": 7, "to": to }))
            .json();
        assert_eq!(answer, "202 yes thanks");
        let head = server.join().expect("a request came").to_lowercase();
        assert!(
            head.starts_with("post /hook?a=b http/1.1") && head.contains("x-number: 7"),
            "{head}"
        );
    });
    let nobody = format!("http://{address}/");
    drop(listener);
    let object = client.at("/gates/outgoing");
    for (to, status, code) in [
        (nobody.as_str(), 503, "disconnected"),
        ("/only/a/path", 500, "configuration"),
    ] {
        let answer = object.post("/publish", json!({ "number": 8, "to": to }));
        assert_eq!(
            (answer.status, answer.error_code().as_deref()),
            (status, Some(code)),
            "{to}: {}",
            answer.text()
        );
    }
}

fn outgoing_after_writes(host: &mut Host) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = format!("http://{}/", listener.local_addr().expect("a bound port"));
    let client = host.client();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let number = json!({ "number": 9, "to": to });
            let cut_off = client.send_json("POST", "/gates/outgoing/publish", &number);
            assert!(cut_off.is_err(), "the host was killed: {cut_off:?}");
        });
        let _asked = one_request(&listener);
        host.kill();
    });
    host.restart();
    let ledger: Ledger = host.client().get("/gates/outgoing/ledger").json();
    assert_eq!((ledger.first, ledger.second), (vec![9], vec![9]));
}

const ROUNDS: usize = 5;

/// What was received before the host was killed.
#[derive(Default)]
struct Heard {
    numbers: Mutex<BTreeSet<u64>>,
    next: AtomicU64,
}

impl Heard {
    fn fresh_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn note(&self, number: u64) {
        self.numbers
            .lock()
            .expect("nothing panics under the lock")
            .insert(number);
    }

    fn snapshot(&self) -> BTreeSet<u64> {
        self.numbers
            .lock()
            .expect("nothing panics under the lock")
            .clone()
    }
}

fn crash(host: &mut Host) {
    let heard = Heard::default();
    for round in 0..ROUNDS {
        let client = host.client();
        // The rounds kill it at different points of the work.
        let enough = heard.snapshot().len() + 40 + 7 * round;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| write_until_dead(&client, "/write", &heard));
                scope.spawn(|| write_until_dead(&client, "/tell", &heard));
                scope.spawn(|| send_until_dead(&client, &heard));
            }
            let heard_enough = eventually(Duration::from_secs(30), || {
                (heard.snapshot().len() >= enough).then_some(())
            });
            // Done first, because the others would otherwise continue forever.
            host.kill();
            heard_enough.expect("the host answers before it dies");
        });
        host.restart();
        let client = host.client();
        let ledger: Ledger = client.get("/gates/gate/ledger").json();
        let first: BTreeSet<_> = ledger.first.into_iter().collect();
        let second: BTreeSet<_> = ledger.second.into_iter().collect();
        assert_eq!(first, second, "one turn's writes come together");
        assert!(
            ledger.field.iter().all(|number| first.contains(number)),
            "a field is as durable as a write"
        );
        let heard = heard.snapshot();
        assert_eq!(
            heard.difference(&first).count(),
            0,
            "lost after it was acknowledged"
        );
        let witnessed: BTreeSet<u64> = client
            .get("/witnesses/witness")
            .json::<Vec<u64>>()
            .into_iter()
            .collect();
        assert_eq!(
            witnessed.difference(&first).count(),
            0,
            "lost after another object was told"
        );
        assert!(!witnessed.is_empty());
    }
}

fn write_until_dead(client: &Client, path: &str, heard: &Heard) {
    loop {
        let number = heard.fresh_number();
        match client.send_json(
            "POST",
            &format!("/gates/gate{path}"),
            &json!({ "number": number }),
        ) {
            Ok(answer) if answer.status == 200 => heard.note(number),
            Ok(answer) => panic!("{} {}", answer.status, answer.text()),
            Err(_) => break,
        }
    }
}

fn send_until_dead(client: &Client, heard: &Heard) {
    let mut connection = client.connect("/gates/gate/ws");
    loop {
        let number = heard.fresh_number();
        if connection.try_send_text(&number.to_string()).is_err() {
            break;
        }
        match connection.receive() {
            host_tests::Received::Text(text) if text == number.to_string() => heard.note(number),
            host_tests::Received::Text(text) => panic!("{number} was answered with {text}"),
            _ => break,
        }
    }
}
