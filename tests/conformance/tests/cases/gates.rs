//! The output gate, by killing the host in the middle of its work.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use conformance::Ledger;
use host_tests::{Client, Host};
use serde_json::json;

use crate::case::Case;

pub const CASES: &[Case] = &[Case::alone(
    "what left the object is on disk, and writes of one turn are together",
    "P6 P12",
    crash,
)
.remark("answers, socket messages and outgoing calls; killed in five rounds")];

const ROUNDS: u64 = 5;

/// What was heard of before the host died.
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
        let before = heard.snapshot().len();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| write_until_dead(&client, "/write", &heard));
                scope.spawn(|| write_until_dead(&client, "/tell", &heard));
                scope.spawn(|| send_until_dead(&client, &heard));
            }
            // The rounds die at different moments of the work.
            std::thread::sleep(Duration::from_millis(300 + 37 * round));
            host.kill();
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
        assert!(
            heard.len() > before + 12,
            "round {round} did too little to show anything"
        );
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
