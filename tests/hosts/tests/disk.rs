//! A full disk: requests fail with an error that says so, and nothing acknowledged is lost.

use std::collections::BTreeMap;

use host_tests::{Client, Host, Kind, demo};
use serde_json::json;

fn start() -> Host {
    Host::start(Kind::Embedded, &demo(env!("CARGO_BIN_EXE_embedded-demo")))
}

fn new_counter(client: &Client) -> Option<String> {
    let created: serde_json::Value = client.post("/scratch", json!({})).expect_status(201).json();
    created["id"].as_str().map(str::to_owned)
}

#[test]
fn a_full_disk_fails_the_request_and_loses_nothing_acknowledged() {
    // Enough for the databases of some objects, but not for their logs to grow.
    const LARGEST_FILE_KIB: u32 = 64;
    let mut host = start();
    host.client()
        .post("/counters/before/increment", json!({ "by": 7 }))
        .expect_status(200);
    host.stop();
    host.restart_on_a_full_disk(LARGEST_FILE_KIB);

    let client = host.client();
    let mut acknowledged = BTreeMap::new();
    let mut refusals = 0;
    for _ in 0..40 {
        let counter = new_counter(&client).expect("a counter under a random id");
        for _ in 0..20 {
            let path = format!("/scratch/{counter}/increment");
            let answer = client.post(&path, json!({ "by": 1 }));
            if answer.status == 200 {
                acknowledged.insert(counter.clone(), answer.json::<i64>());
                continue;
            }
            refusals += 1;
            assert_eq!(
                (answer.status, answer.error_code().as_deref()),
                (503, Some("storage_unavailable")),
                "{}",
                answer.text()
            );
        }
    }
    assert!(refusals > 0, "the disk was never full");
    assert!(!acknowledged.is_empty(), "the disk was full from the start");
    assert_eq!(
        client.get("/counters/before").json::<i64>(),
        7,
        "what is there can be read"
    );

    host.kill();
    host.restart();
    let client = host.client();
    for (counter, value) in &acknowledged {
        let found: i64 = client.get(&format!("/scratch/{counter}")).json();
        assert_eq!(found, *value, "{counter}");
    }
    let after: i64 = client
        .post("/counters/before/increment", json!({ "by": 1 }))
        .json();
    assert_eq!(after, 8, "with room again it goes on");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_with_its_name() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_embedded-demo"))
        .args(["--port", "0", "--data", "/proc/anchorhold"])
        .output()
        .expect("the program runs");
    assert!(!output.status.success(), "{output:?}");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("/proc/anchorhold"), "{message}");
}

#[test]
fn requests_do_not_fail_for_want_of_descriptors() {
    const OBJECTS: usize = 300;
    let mut host = start();
    host.stop();
    host.restart_with_descriptors(256);
    let client = host.client();
    for round in 1..=3 {
        for object in 0..OBJECTS {
            let path = format!("/counters/of-many-{object}/increment");
            let value: i64 = client
                .post(&path, json!({ "by": 1 }))
                .expect_status(200)
                .json();
            assert_eq!(value, round, "{object}");
        }
    }
    // Many at a time: objects that leave memory are still open when others arrive.
    std::thread::scope(|scope| {
        for worker in 0..16 {
            let client = host.client();
            scope.spawn(move || {
                for object in (worker..OBJECTS).step_by(16) {
                    let path = format!("/counters/of-many-{object}/increment");
                    let answer = client.post(&path, json!({ "by": 1 }));
                    assert_eq!(answer.expect_status(200).json::<i64>(), 4, "{object}");
                }
            });
        }
    });
    host.kill();
    host.restart();
    for object in 0..OBJECTS {
        let path = format!("/counters/of-many-{object}");
        assert_eq!(host.client().get(&path).json::<i64>(), 4, "{object}");
    }
}

#[test]
fn long_log_is_moved_into_its_database_while_the_object_is_used() {
    const INCREMENTS: i64 = 1_500;
    let mut host = start();
    let client = host.client();
    for count in 1..=INCREMENTS {
        let value: i64 = client
            .post("/counters/busy/increment", json!({ "by": 1 }))
            .json();
        assert_eq!(value, count);
    }
    let class = host.data().join("objects/Counter");
    let folder = std::fs::read_dir(class).unwrap().next().unwrap().unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap();
    let lengths: BTreeMap<String, u64> = files
        .map(|file| file.unwrap())
        .map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            (name, file.metadata().unwrap().len())
        })
        .collect();
    let log = lengths.iter().find(|(name, _)| name.ends_with("-wal"));
    let (_, length) = log.expect("the object is in memory, and has a log");
    assert!(*length < 6 * 1024 * 1024, "{lengths:?}");
    host.kill();
    host.restart();
    assert_eq!(
        host.client().get("/counters/busy").json::<i64>(),
        INCREMENTS
    );
}
