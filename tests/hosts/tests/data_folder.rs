//! The data folder of the embedded host: who may read it, what is part of it, and what a read
//! leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use host_tests::{Host, Kind, demo};
use serde_json::json;

fn start() -> Host {
    Host::start(Kind::Embedded, &demo(env!("CARGO_BIN_EXE_embedded-demo")))
}

/// Returns the files in a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Returns the message of a host that does not start.
fn refusal(host: &Host) -> Output {
    let mut child = host
        .command()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().expect("a child").is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    child.wait_with_output().expect("its output")
}

#[test]
fn asking_objects_leaves_nothing_behind() {
    let mut host = start();
    let client = host.client();
    for number in 0..20 {
        // Rooms have SQL migrations, and all of these have schedules.
        for path in ["counters", "rooms", "locks", "tasks"] {
            let _ = client.get(&format!("/{path}/stranger-{number}"));
        }
    }
    host.stop();
    assert_eq!(files(&host.data().join("objects")), Vec::<PathBuf>::new());

    host.restart();
    let client = host.client();
    let incremented = client.post("/counters/known/increment", json!({ "by": 2 }));
    incremented.expect_status(200);
    host.kill();
    host.restart();
    assert_eq!(host.client().get("/counters/known").json::<i64>(), 2);
    host.stop();
    assert_eq!(files(&host.data().join("objects")).len(), 1);
}

#[test]
fn folder_without_its_key_is_refused_and_says_what_to_do() {
    let mut host = start();
    let client = host.client();
    client
        .post("/counters/known/increment", json!({ "by": 2 }))
        .expect_status(200);
    host.stop();
    let key = host.data().join("key");
    let aside = host.data().join("aside");
    fs::rename(&key, &aside).expect("the key is a file");
    for _ in 0..2 {
        let output = refusal(&host);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(
            message.contains("key") && message.contains("backup"),
            "{message}"
        );
        assert!(!key.exists(), "it is not replaced");
    }
    fs::rename(&aside, &key).expect("the key is a file");
    host.restart();
    assert_eq!(host.client().get("/counters/known").json::<i64>(), 2);
}

#[test]
fn folder_and_key_are_for_their_owner_only() {
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    let mut host = start();
    let (data, key) = (host.data(), host.data().join("key"));
    assert_eq!((mode(&data), mode(&key)), (0o700, 0o600));
    host.stop();
    fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).expect("our own");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).expect("our own");
    host.restart();
    assert_eq!((mode(&data), mode(&key)), (0o700, 0o600));
    assert!(host.log().contains("other users"), "{}", host.log());
    host.stop();

    // A folder that the host creates, and its parent folders.
    let made = host.data().join("above/below");
    let mut child = Command::new(env!("CARGO_BIN_EXE_embedded-demo"))
        .args(["--port", "0", "--data"])
        .arg(&made)
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !made.join("key").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let modes = (mode(&made), mode(&made.join("key")));
    let _ = child.kill();
    let _ = child.wait();
    assert_eq!(modes, (0o700, 0o600));
}

#[test]
fn object_that_cannot_be_looked_for_is_not_taken_for_a_new_one() {
    let mut host = start();
    let client = host.client();
    client
        .post("/counters/known/increment", json!({ "by": 2 }))
        .expect_status(200);
    host.stop();
    let file = files(&host.data().join("objects")).remove(0);
    let folder = file.parent().expect("a folder").to_owned();
    let aside = host.data().join("aside");
    fs::rename(&folder, &aside).expect("a folder");
    // Listing it is an error, like a disk error. It cannot be determined that there is no such
    // file.
    std::os::unix::fs::symlink(&folder, &folder).expect("a link to itself");
    host.restart();
    let answer = host.client().get("/counters/known");
    assert_eq!(
        (answer.status, answer.error_code().as_deref()),
        (503, Some("storage_unavailable")),
        "{}",
        answer.text()
    );
    host.stop();
    fs::remove_file(&folder).expect("a link");
    fs::rename(&aside, &folder).expect("a folder");
    host.restart();
    assert_eq!(host.client().get("/counters/known").json::<i64>(), 2);
}
