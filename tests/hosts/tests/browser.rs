//! The demo's page in a real browser, on both hosts. `tests/browser/page.mjs` is the test.
//!
//! `cargo xtask setup` installs what it needs.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use host_tests::{Host, Kind, demo};

#[test]
fn the_page_on_the_embedded_host() {
    try_page(Kind::Embedded);
}

#[test]
fn the_page_on_workerd() {
    try_page(Kind::Workerd);
}

/// Runs the script, and carries out its requests to the host.
fn try_page(kind: Kind) {
    let mut host = Host::start(kind, &demo(env!("CARGO_BIN_EXE_embedded-demo")));
    let address = host.address().to_owned();
    let mut script = Command::new(env!("CARGO"))
        .args(["xtask", "browser", &address])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cargo runs");
    let mut answers = script.stdin.take().expect("standard input is piped");
    let lines = BufReader::new(script.stdout.take().expect("standard output is piped")).lines();
    for line in lines.map_while(Result::ok) {
        match line.as_str() {
            "host: kill" => host.kill(),
            "host: restart" => host.restart_at(&address),
            line => {
                println!("{line}");
                continue;
            }
        }
        // If the script has ended, this is detected below.
        let _ = writeln!(answers, "done");
    }
    let status = script.wait().expect("a child of ours");
    assert!(
        status.success(),
        "the page on {kind}; its steps are above. If a tool is missing, run `cargo xtask setup`"
    );
}
