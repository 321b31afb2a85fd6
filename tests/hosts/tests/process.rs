//! The demo as a process: starting, stopping, and its data folder.

use std::time::Duration;

use host_tests::{Host, Kind, demo, eventually};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(20);

fn start(kind: Kind) -> Host {
    Host::start(kind, &demo(env!("CARGO_BIN_EXE_embedded-demo")))
}

#[test]
fn sigterm_stops_it_and_its_state_is_there_again() {
    for kind in Kind::BOTH {
        let mut host = start(kind);
        assert_eq!(
            host.client()
                .post("/counters/a/increment", json!({ "by": 5 }))
                .json::<i64>(),
            5
        );
        let stopped = host.stop();
        assert!(
            stopped.status.success(),
            "{kind}: {stopped:?}\n{}",
            host.log()
        );
        assert!(
            stopped.took < Duration::from_secs(10),
            "{kind}: {stopped:?}"
        );
        host.restart();
        assert_eq!(host.client().get("/counters/a").json::<i64>(), 5, "{kind}");
    }
}

#[test]
fn turn_that_outlasts_the_stop_is_cut_off_and_its_caller_gets_503() {
    let mut host = start(Kind::Embedded);
    let client = host.client();
    let lease = json!({ "holder": "ann", "ttl_ms": 60_000, "wait_ms": 60_000 });
    client
        .post("/locks/a/acquire", lease.clone())
        .expect_status(200);
    let waiter = std::thread::spawn(move || client.post("/locks/a/acquire", lease));
    let queue = host.client();
    let waits = eventually(PATIENCE, || {
        let state: serde_json::Value = queue.get("/locks/a").json();
        (state["waiting"] == 1).then_some(())
    });
    waits.expect("the second one waits");
    let stopped = host.stop();
    let answer = waiter.join().expect("no panic").expect_status(503);
    assert_eq!(answer.error_code().as_deref(), Some("reset"));
    assert!(stopped.status.success(), "{stopped:?}\n{}", host.log());
    let log = host.log();
    assert!(log.contains("are cut off"), "{log}");
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let host = start(Kind::Embedded);
    let output = host.command().output().expect("the program runs");
    assert!(!output.status.success(), "{output:?}");
    let message = String::from_utf8_lossy(&output.stderr);
    let folder = host
        .data()
        .canonicalize()
        .expect("the data folder is there");
    assert!(
        message.contains(&*folder.to_string_lossy()),
        "the message names the folder: {message}"
    );
    assert_eq!(
        host.client().get("/counters/a").json::<i64>(),
        0,
        "the first one goes on"
    );
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("a bound port").port().to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_embedded-demo"))
        .args(["--port", &port, "--data"])
        .arg(folder.path())
        .output()
        .expect("the program runs");
    assert!(!output.status.success(), "{output:?}");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains(&port), "{message}");
}
