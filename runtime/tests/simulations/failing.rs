//! Tests that fail on purpose, run as a user runs them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

/// Variables of the environment that a report names or asks for.
const VARIABLES: [&str; 5] = [
    "ANCHORHOLD_SEED",
    "ANCHORHOLD_SEEDS",
    "ANCHORHOLD_FAULTS",
    "ANCHORHOLD_STEP",
    "ANCHORHOLD_TRACE",
];

/// What a run of an ignored test tells, with these variables.
pub fn report_of(test: &str, variables: &[(String, String)]) -> String {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command
        .args(["--include-ignored", "--exact", "--nocapture", test])
        .env("RUST_BACKTRACE", "0");
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    let run = command.envs(variables.iter().cloned()).output().unwrap();
    let report = String::from_utf8(run.stderr).unwrap();
    assert!(report.contains("failed with seed"), "{report}");
    report
}

/// The variables of the command that repeats the reported run.
pub fn variables_of(report: &str) -> Vec<(String, String)> {
    line_with(report, "the same run again: ")
        .split(' ')
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

pub fn line_with<'a>(report: &'a str, text: &str) -> &'a str {
    let mut lines = report.lines();
    lines.find(|line| line.contains(text)).expect(report)
}

/// The events of the reported run: seconds and what happened.
pub fn events_of(report: &str) -> Vec<(f64, &str)> {
    let event = |line: &'_ str| -> Option<f64> { line.get(..9)?.trim().parse().ok() };
    report
        .lines()
        .filter_map(|line| Some((event(line)?, line.get(11..)?)))
        .collect()
}

/// What the panic of `run` says.
pub fn failure_of<R>(run: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else {
        panic!("it passed")
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast_ref::<&str>().expect("a text")).to_owned(),
    }
}
