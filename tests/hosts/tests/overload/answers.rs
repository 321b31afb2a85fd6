//! Clients that request large answers and do not read them.

use std::time::{Duration, Instant};

use host_tests::{Kind, Raw, eventually, is_full_load, load, megabytes};
use serde_json::json;

use super::{PATIENCE, resident, start, watch};

const CLIENTS: usize = 50;
/// How many bytes the host may hold for answers that are not read.
const ALLOWED: u64 = 400 << 20;
/// After this time it must have given up on clients that accept nothing.
const GIVEN_UP: Duration = Duration::from_secs(150);

#[test]
fn unread_answers_are_bounded_and_given_up() {
    let bytes = load(10_000_000, 20_000_000);
    let host = start(Kind::Embedded);
    let client = host.client().within(PATIENCE);
    client
        .post("/bystanders/quick/increment", json!({}))
        .expect_status(200);
    let before = resident(&host);
    let asked = Instant::now();
    let (connections, watched) = watch(&host, || {
        let connections: Vec<Raw> = (0..CLIENTS)
            .map(|number| {
                let mut connection = client.dial().expect("the app listens");
                let path = format!("/bystanders/large-{number}/large?bytes={bytes}");
                connection.ask("GET", &path, None).expect("the app reads");
                connection
            })
            .collect();
        // Waits until the answers have been made, if they are. Other clients are served meanwhile.
        let settled = Instant::now();
        while settled.elapsed() < Duration::from_secs(4) {
            client
                .post("/bystanders/quick/increment", json!({}))
                .expect_status(200);
            std::thread::sleep(Duration::from_millis(100));
        }
        connections
    });
    println!(
        "{CLIENTS} clients do not read {bytes} bytes each: memory {} MB before, {} MB at most, {} MB held",
        megabytes(before),
        megabytes(watched.peak),
        megabytes(resident(&host))
    );
    watched.assert_healthy("answers that nobody reads");
    if is_full_load() {
        let given_up = eventually(GIVEN_UP, || {
            (resident(&host) < before + (100 << 20)).then(|| asked.elapsed())
        });
        println!("the memory was free again after {given_up:?}");
        assert!(
            given_up.is_some(),
            "{} MB are held after {GIVEN_UP:?}",
            megabytes(resident(&host))
        );
    }
    assert!(
        watched.peak < before + ALLOWED,
        "{} MB were held for clients that do not read",
        megabytes(watched.peak - before)
    );
    drop(connections);
    let mut reader = client.dial().expect("the app listens");
    let path = format!("/bystanders/large-0/large?bytes={bytes}");
    let answer = reader
        .exchange("GET", &path, None, PATIENCE)
        .expect("who reads gets the answer");
    assert_eq!((answer.status, answer.body.len()), (200, bytes));
}
