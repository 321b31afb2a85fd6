//! Few file descriptors for many objects.

use host_tests::{Client, Kind, load, megabytes};
use serde_json::json;

use super::{PATIENCE, resident, start, watch};

const THREADS: usize = 16;

/// Writes to and reads from this many objects, continuously over some connections at once.
fn use_objects(client: &Client, objects: usize, passes: i64) -> Vec<String> {
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let failures = &failures;
            scope.spawn(move || {
                let mut connection = client.dial().expect("the app listens");
                for pass in 1..=passes {
                    for object in (thread..objects).step_by(THREADS) {
                        let path = format!("/counters/{object}/increment");
                        let body = json!({ "by": 1 });
                        let answer = connection.exchange("POST", &path, Some(&body), PATIENCE);
                        let failure = match answer {
                            Ok(answer) if answer.status == 200 => {
                                let (value, text) = (answer.text(), pass.to_string());
                                if value == text {
                                    continue;
                                }
                                format!("{path}: {value} instead of {text}")
                            }
                            Ok(answer) => format!("{path}: {} {}", answer.status, answer.text()),
                            Err(error) => error,
                        };
                        failures
                            .lock()
                            .expect("no panic while locked")
                            .push(failure);
                        connection = client.dial().expect("the app listens");
                    }
                }
            });
        }
    });
    failures.into_inner().expect("no panic while locked")
}

fn serve_under(limit: &str) {
    let objects = load(400, 3_000);
    let passes = 3;
    let mut host = start(Kind::Embedded);
    host.kill();
    host.restart_under(limit);
    let client = host.client();
    let (failures, watched) = watch(&host, || use_objects(&client, objects, passes));
    println!(
        "{limit}: {objects} objects, {passes} passes: {} requests failed; {} MB",
        failures.len(),
        megabytes(resident(&host))
    );
    watched.assert_healthy(limit);
    assert!(
        failures.is_empty(),
        "{limit}: {} requests failed, the first: {:?}\n",
        failures.len(),
        failures.first()
    );
}

#[test]
fn no_request_fails_where_the_soft_limit_of_open_files_is_low() {
    serve_under("ulimit -S -n 256");
}

#[test]
fn no_request_fails_where_1024_open_files_are_allowed() {
    serve_under("ulimit -n 1024");
}

/// With so few open files allowed, about 60 connections are accepted.
const FEW: &str = "ulimit -n 256";

#[test]
fn connections_that_ask_nothing_make_room_for_those_that_do() {
    let mut host = start(Kind::Embedded);
    host.kill();
    host.restart_under(FEW);
    let client = host.client().within(PATIENCE);
    let idle: Vec<_> = (0..400).filter_map(|_| client.dial().ok()).collect();
    assert!(idle.len() > 250, "more than there are descriptors");
    let (failures, watched) = watch(&host, || use_objects(&client, 100, 2));
    watched.assert_healthy(FEW);
    assert!(failures.is_empty(), "{failures:?}");
    drop(idle);
    let log = host.log();
    assert!(!log.contains("Too many open files"), "{log}");
}

#[test]
fn sockets_leave_databases_and_requests_their_descriptors() {
    let mut host = start(Kind::Embedded);
    host.kill();
    host.restart_under(FEW);
    let client = host.client().within(PATIENCE);
    let mut open = Vec::new();
    let mut refused = 0;
    for number in 0..200 {
        let hub = client.at(&format!("/hubs/{number}"));
        match hub.open("/ws?topics=a", &[]) {
            Ok(socket) => open.push(socket),
            Err(refusal) => {
                assert_eq!(refusal.status, 503, "{}", refusal.body);
                refused += 1;
            }
        }
    }
    println!("{} sockets are open, {refused} were refused", open.len());
    assert!((50..60).contains(&open.len()) && refused > 140);
    // Connections that are not sockets keep their share.
    client.get("/healthz").expect_status(200);
    drop(open.pop());
    let opened = host_tests::eventually(PATIENCE, || {
        client.at("/hubs/late").open("/ws?topics=a", &[]).ok()
    });
    opened.expect("there is room again");
    let log = host.log();
    assert!(!log.contains("Too many open files"), "{log}");
    assert!(
        log.matches("connections were refused").count() <= 4,
        "{log}"
    );
}
