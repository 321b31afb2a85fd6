//! Clients that send their requests one byte at a time.

use std::time::{Duration, Instant};

use host_tests::{Client, Kind, Raw, is_full_load, load, megabytes, raise_open_files};
use serde_json::json;

use super::{PATIENCE, resident, start, watch};

/// How long the host may let a client take for one request. This is this test's own generous limit.
const CUT_OFF: Duration = Duration::from_secs(150);
const BYTES_OF_A_CONNECTION: u64 = 128 * 1024;

/// Opens connections, each with the beginning of a request.
fn begin(client: &Client, count: usize, beginning: &str) -> Vec<Raw> {
    (0..count)
        .map(|number| {
            let mut connection = client
                .dial()
                .unwrap_or_else(|error| panic!("connection {number}: {error}"));
            connection
                .write(beginning.as_bytes())
                .expect("a new connection");
            connection
        })
        .collect()
}

/// Sends one more byte over each open connection. Returns how many are open.
fn trickle(connections: &mut [Raw], byte: &[u8]) -> usize {
    let open = connections
        .iter_mut()
        .filter_map(|connection| (!connection.is_ended()).then_some(connection));
    open.filter_map(|connection| connection.write(byte).ok())
        .count()
}

#[test]
fn requests_that_trickle_in_delay_no_other_and_are_cut_off() {
    let count = load(150, 800).min(raise_open_files().saturating_sub(1_000) / 2);
    let host = start(Kind::Embedded);
    let client = host.client().within(PATIENCE);
    let before = resident(&host);
    let time = if is_full_load() {
        CUT_OFF
    } else {
        Duration::from_secs(5)
    };
    let ((open, took), watched) = watch(&host, || {
        let mut heads = begin(
            &client,
            count,
            "GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ",
        );
        let mut bodies = begin(
            &client,
            count,
            "POST /bystanders/slow/wait HTTP/1.1\r\nhost: a\r\n\
             content-type: application/json\r\ncontent-length: 100000\r\n\r\n",
        );
        let started = Instant::now();
        loop {
            let open = (trickle(&mut heads, b"x"), trickle(&mut bodies, b" "));
            if open == (0, 0) || started.elapsed() >= time {
                return (open, started.elapsed());
            }
            let value: u64 = client.post("/bystanders/quick/increment", json!({})).json();
            assert!(value > 0);
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    println!(
        "{count} slow heads and {count} slow bodies: {open:?} open after {took:?}; memory {} MB \
         before, {} MB at most",
        megabytes(before),
        megabytes(watched.peak)
    );
    watched.assert_healthy("requests that trickle in");
    let allowed = before + 2 * count as u64 * BYTES_OF_A_CONNECTION + (32 << 20);
    assert!(watched.peak < allowed, "{} MB", megabytes(watched.peak));
    if is_full_load() {
        assert_eq!(open, (0, 0), "heads and bodies still open after {took:?}");
    }
}

/// A connection without a request is also closed.
#[test]
fn connections_without_a_request_delay_no_other_and_are_closed() {
    let count = load(300, 2_000).min(raise_open_files().saturating_sub(1_000));
    let host = start(Kind::Embedded);
    let client = host.client().within(PATIENCE);
    let (open, watched) = watch(&host, || {
        let mut idle = begin(&client, count, "");
        let value: u64 = client.post("/bystanders/quick/increment", json!({})).json();
        assert_eq!(value, 1);
        if !is_full_load() {
            return 0;
        }
        let started = Instant::now();
        loop {
            idle.retain(|connection| !connection.is_ended());
            if idle.is_empty() || started.elapsed() > CUT_OFF {
                println!("idle connections are gone after {:?}", started.elapsed());
                return idle.len();
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    watched.assert_healthy("connections without a request");
    assert_eq!(open, 0, "connections still open after {CUT_OFF:?}");
}
