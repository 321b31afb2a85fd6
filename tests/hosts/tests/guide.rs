//! Files that the guide shows: the scripts that back up a data folder, and a caller in JavaScript.

use std::path::Path;
use std::process::{Command, Output};

use host_tests::{Client, Host, Kind, demo};
use serde_json::{Value, json};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

fn start() -> Host {
    Host::start(Kind::Embedded, &demo(env!("CARGO_BIN_EXE_embedded-demo")))
}

fn script(name: &str, from: &Path, to: &Path) -> Output {
    let mut shell = Command::new("sh");
    shell.arg(format!("{EXAMPLES}/hosting/{name}"));
    shell.arg(from).arg(to).output().expect("there is a shell")
}

fn increment(client: &Client) -> i64 {
    let answer = client.post("/counters/visits/increment", json!({ "by": 1 }));
    answer.json()
}

#[test]
fn backup_is_refused_while_the_host_runs_and_restores_what_was_there() {
    let mut host = start();
    assert_eq!(increment(&host.client()), 1);
    let (data, archive) = (host.data(), host.data().with_extension("tar.gz"));

    let refused = script("backup.sh", &data, &archive);
    assert!(!refused.status.success() && !archive.exists());
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(message.contains("stop the host"), "{message}");

    host.stop();
    let nowhere = data.with_extension("nowhere");
    for (refused, named) in [
        (script("backup.sh", &nowhere, &archive), &nowhere),
        (script("restore.sh", &archive, &nowhere), &archive),
    ] {
        let message = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{message}");
        let named = named.display().to_string();
        assert!(
            message.starts_with(&named) && message.contains(": name "),
            "{message}"
        );
    }
    assert!(!archive.exists() && !nowhere.exists());
    let saved = script("backup.sh", &data, &archive);
    assert!(saved.status.success(), "{saved:?}");
    host.restart();
    assert_eq!(increment(&host.client()), 2);
    host.stop();

    assert!(!script("restore.sh", &archive, &data).status.success());
    std::fs::remove_dir_all(&data).expect("a folder of ours");
    let restored = script("restore.sh", &archive, &data);
    assert!(restored.status.success(), "{restored:?}");
    host.restart();
    assert_eq!(host.client().get("/counters/visits").json::<i64>(), 1);
    // The same key: new writes reach the same object.
    assert_eq!(increment(&host.client()), 2);
}

#[test]
fn caller_in_javascript_calls_objects_and_reads_their_errors() {
    let caller = format!("{EXAMPLES}/caller/src/index.js");
    let demo = demo(env!("CARGO_BIN_EXE_embedded-demo")).called_by(&caller);
    let host = Host::start(Kind::Workerd, &demo);
    let client = host.client();
    for visits in [1, 2] {
        let answer: Value = client.get("/visit").json();
        assert_eq!(answer, json!({ "visits": visits }));
    }
    assert_eq!(client.get("/counters/visits").json::<i64>(), 2);
    let token = client.get("/lock").json::<Value>()["token"].take();
    assert!(token.is_u64(), "{token}");
    let refused = client.get("/lock").expect_status(409);
    assert!(refused.text().contains("held"), "{}", refused.text());
}
