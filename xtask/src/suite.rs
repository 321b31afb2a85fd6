//! Runs every step, and reports each result at the end.

use std::fs;
use std::num::NonZero;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command;
use crate::steps::{
    BUNDLES, CHECKS, OUTSIDE, REST, Step, TESTS, TESTS_COMPILED, TESTS_SIDE_BY_SIDE,
    TESTS_SIDE_BY_SIDE_COMPILED,
};
use crate::tools;
use crate::workspace::Workspace;

/// Where a step's output goes.
#[derive(Clone, Copy)]
enum Output {
    /// To the terminal, immediately.
    Shown,
    /// To the terminal only if the step fails, because another step uses it meanwhile.
    Kept,
}

/// The result of a step.
struct Outcome {
    name: &'static str,
    passed: bool,
    took: Duration,
}

pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    tools::install_all(workspace)?;
    share_lock_file(workspace)?;
    let mut outcomes = thread::scope(|scope| {
        let bundles = scope.spawn(|| perform_all(workspace, BUNDLES, Output::Kept));
        let mut outcomes = perform_all(workspace, CHECKS, Output::Shown);
        match bundles.join() {
            Ok(bundles) => outcomes.extend(bundles),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        outcomes
    });
    outcomes.extend(perform_all(workspace, REST, Output::Shown));
    println!();
    for Outcome { name, passed, took } in &outcomes {
        let verdict = if *passed { "ok" } else { "FAILED" };
        println!("{verdict:<6} {:>5.0} s  {name}", took.as_secs_f32());
    }
    Ok(if outcomes.iter().all(|outcome| outcome.passed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Copies the lock file, so that crates outside the workspace have the same versions and find their
/// dependencies compiled.
fn share_lock_file(workspace: &Workspace) -> Result<()> {
    for folder in OUTSIDE {
        let copy = workspace.root.join(folder).join("Cargo.lock");
        fs::copy(workspace.root.join("Cargo.lock"), &copy)
            .with_context(|| format!("cannot write {}", copy.display()))?;
    }
    Ok(())
}

/// Performs all steps. A failing step does not prevent the later ones from running.
fn perform_all(workspace: &Workspace, steps: &[Step], output: Output) -> Vec<Outcome> {
    let perform = |step| perform(workspace, step, output);
    steps.iter().map(perform).collect()
}

fn perform(workspace: &Workspace, step: &Step, output: Output) -> Outcome {
    let line = match step.command {
        TESTS if has_nextest() => TESTS_SIDE_BY_SIDE,
        TESTS_COMPILED if has_nextest() => TESTS_SIDE_BY_SIDE_COMPILED,
        line => line,
    };
    let mut command = command::cargo();
    // Each line begins with `cargo`.
    command.args(line.split_whitespace().skip(1));
    if line == TESTS_SIDE_BY_SIDE {
        // The tests of the hosts take most of the time, and mostly wait.
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        command.arg(format!("--test-threads={}", cores * 2));
    }
    command
        .current_dir(&workspace.root)
        .env("CARGO_TARGET_DIR", &workspace.target);
    let start = Instant::now();
    let ran = match output {
        Output::Shown => {
            println!("\n== {}: {line}", step.name);
            command::run(&mut command)
        }
        Output::Kept => command::output(&mut command).map(drop),
    };
    if let Err(error) = &ran {
        eprintln!("error: {}: {error:#}", step.name);
    }
    Outcome {
        name: step.name,
        passed: ran.is_ok(),
        took: start.elapsed(),
    }
}

fn has_nextest() -> bool {
    let mut version = command::cargo();
    version.args(["nextest", "--version"]);
    version.output().is_ok_and(|output| output.status.success())
}
