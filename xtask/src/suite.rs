//! Runs every step and says at the end how each went.

use std::num::NonZero;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::command;
use crate::steps::{STEPS, Step, TESTS, TESTS_SIDE_BY_SIDE};
use crate::tools;
use crate::workspace::Workspace;

pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    tools::install_all(workspace)?;
    let outcomes: Vec<_> = STEPS
        .iter()
        .map(|step| (step, perform(workspace, step)))
        .collect();
    println!();
    for (step, (passed, took)) in &outcomes {
        let verdict = if *passed { "ok" } else { "FAILED" };
        println!("{verdict:<6} {:>5.0} s  {}", took.as_secs_f32(), step.name);
    }
    let all_passed = outcomes.iter().all(|(_, (passed, _))| *passed);
    Ok(if all_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A step that fails does not keep the later ones from telling what they find.
fn perform(workspace: &Workspace, step: &Step) -> (bool, Duration) {
    let line = match step.command {
        TESTS if has_nextest() => TESTS_SIDE_BY_SIDE,
        line => line,
    };
    println!("\n== {}: {line}", step.name);
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    if line == TESTS_SIDE_BY_SIDE {
        // The tests of the hosts, which take most of the time, mostly wait.
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        command.arg(format!("--test-threads={}", cores * 2));
    }
    command
        .current_dir(&workspace.root)
        .env("CARGO_TARGET_DIR", &workspace.target);
    let start = Instant::now();
    let outcome = command::run(&mut command);
    if let Err(error) = &outcome {
        eprintln!("error: {error:#}");
    }
    (outcome.is_ok(), start.elapsed())
}

fn has_nextest() -> bool {
    let mut version = Command::new("cargo");
    version.args(["nextest", "--version"]);
    version.output().is_ok_and(|output| output.status.success())
}
