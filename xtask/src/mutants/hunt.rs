//! Determines which tests notice a planted bug.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::copy::Copy;
use super::patch::Patch;
use super::properties;

/// Tests that run together, as arguments of `cargo nextest run`.
#[derive(Clone, Copy)]
struct Stage<'a> {
    arguments: &'a str,
    /// How many seeds each simulation runs, if different from the test command.
    seeds: Option<&'a str>,
}

/// Stages in the order in which they run, quick and general ones first. A stage always runs
/// completely. The next one runs only if none of its tests has failed.
const STAGES: &[Stage<'_>] = &[
    // Objects under all faults: general, and the quickest to build. Simulations find most of their
    // bugs within a few seeds.
    Stage {
        arguments: "-p anchorhold --all-features --test simulations",
        seeds: Some("30"),
    },
    // The kernel, the store, the shard, the fuzz targets.
    Stage {
        arguments: "-p anchorhold --all-features --lib",
        seeds: Some("30"),
    },
    // Objects, and everything that a user of the public API can see.
    Stage {
        arguments: "-p anchorhold --all-features --tests -E not kind(lib)",
        seeds: None,
    },
];
/// All of them at once.
const ALL: Stage<'_> = Stage {
    arguments: "-p anchorhold --all-features --tests",
    seeds: None,
};
/// nextest's exit code for failed tests. Other codes mean that it could not run them.
const TESTS_FAILED: i32 = 100;
/// Parts of the names of tests that were not written for a single bug, such as property tests. They
/// try inputs from random seeds, fuzzing or a model.
const GENERAL: &[&str] = &[
    "simulations",
    "fuzz::",
    "model",
    "random",
    // Another module `history` has tests of single cases.
    "no_history_breaks",
    "conformance",
];

/// The result for one planted bug.
pub struct Found {
    /// The tests that failed.
    pub by: Vec<String>,
    /// The first of them that was not written for a single bug.
    pub general: Option<String>,
    /// The time from planting the patch to the end of the stage that found it, including the build.
    pub took: Duration,
}

impl Found {
    pub fn is_nothing(&self) -> bool {
        self.by.is_empty()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by.as_slice() {
            [] => formatter.write_str("NOT FOUND")?,
            [only] => write!(formatter, "found by {only}")?,
            [first, others @ ..] => {
                write!(formatter, "found by {first} and {} more", others.len())?;
            }
        }
        write!(formatter, ", {:.0} s", self.took.as_secs_f32())
    }
}

/// Runs the tests with the bug planted.
///
/// # Errors
/// Fails if the patched code does not build.
pub fn find(copy: &Copy, patch: &Patch, all: bool) -> Result<Found> {
    let start = Instant::now();
    let runtime = if all { &[ALL] } else { STAGES };
    let also = patch.also.as_deref().map(|arguments| Stage {
        arguments,
        seeds: None,
    });
    let stages = runtime.iter().copied().chain(also);
    let mut by = Vec::new();
    for stage in stages {
        by = failures(copy, stage)?;
        if !by.is_empty() {
            break;
        }
    }
    let properties = properties::below(&copy.tree().join("runtime"))?;
    let is_general = |test: &String| {
        GENERAL.iter().any(|part| test.contains(part))
            || test
                .rsplit([' ', ':'])
                .next()
                .is_some_and(|name| properties.contains(name))
    };
    Ok(Found {
        general: by.iter().find(|test| is_general(test)).cloned(),
        by,
        took: start.elapsed(),
    })
}

/// # Errors
/// Fails if a test fails without a planted bug. Its result with a bug would then be meaningless.
pub fn expect_green(copy: &Copy) -> Result<()> {
    for stage in STAGES {
        let failed = failures(copy, *stage)?;
        if !failed.is_empty() {
            bail!(
                "these tests fail without any planted bug; fix them first: {}",
                failed.join(", ")
            );
        }
    }
    Ok(())
}

/// Returns the tests that fail twice. A test that passes on the second try was disturbed by
/// something else on this machine.
fn failures(copy: &Copy, stage: Stage<'_>) -> Result<Vec<String>> {
    let mut nextest = copy.cargo();
    nextest
        .args(["nextest", "run", "--no-fail-fast", "--retries", "1"])
        .args(["--profile", "mutants", "--color", "never"])
        .args(["--status-level", "none", "--final-status-level", "fail"])
        .args(["--success-output", "never", "--failure-output", "never"])
        .args(arguments(stage.arguments));
    if let Some(seeds) = stage.seeds {
        nextest.env("ANCHORHOLD_SEEDS", seeds);
    }
    let output = run(&mut nextest)?;
    let printed = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(Vec::new()),
        Some(TESTS_FAILED) => {
            let failed: Vec<String> = printed.lines().filter_map(failed_test).collect();
            if failed.is_empty() {
                bail!("nextest reported failed tests without their names:\n{printed}");
            }
            Ok(failed)
        }
        _ => bail!(
            "the tests cannot be built or run: {}\n{printed}",
            output.status
        ),
    }
}

fn run(nextest: &mut Command) -> Result<std::process::Output> {
    nextest
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .context("cannot run `cargo nextest`; `cargo install cargo-nextest --locked` installs it")
}

/// Returns the words of a stage's arguments. The expression after `-E` is one word.
fn arguments(stage: &str) -> Vec<&str> {
    match stage.split_once(" -E ") {
        Some((words, expression)) => words.split_whitespace().chain(["-E", expression]).collect(),
        None => stage.split_whitespace().collect(),
    }
}

/// Returns the test named in a line, for example
/// `TRY 2 FAIL [   0.012s] (1/9) anchorhold::lock tokens_increase`.
fn failed_test(line: &str) -> Option<String> {
    const VERDICTS: &[&str] = &["FAIL", "TIMEOUT", "SIG", "ABORT", "ABRT", "TMT", "LEAK"];
    let (verdict, rest) = line.trim_start().split_once('[')?;
    if !VERDICTS.iter().any(|word| verdict.contains(word)) {
        return None;
    }
    let (_, test) = rest.split_once(']')?;
    let mut words = test.split_whitespace().rev();
    let (name, binary) = (words.next()?, words.next()?);
    Some(format!("{binary} {name}"))
}

#[cfg(test)]
mod tests {
    use super::{arguments, failed_test};

    #[test]
    fn failed_tests_are_read_from_the_lines_of_nextest() {
        for (line, test) in [
            (
                "  TRY 2 FAIL [   0.010s] ( 3/392) anchorhold::lock tokens_increase",
                Some("anchorhold::lock tokens_increase"),
            ),
            (
                "     TIMEOUT [  60.009s] anchorhold turn::tests::order",
                Some("anchorhold turn::tests::order"),
            ),
            (
                "     SIGABRT [   0.009s] (1/1) anchorhold wire::tests::deep",
                Some("anchorhold wire::tests::deep"),
            ),
            (
                "  TRY 2 ABRT [   0.034s] ( 37/295) anchorhold fuzz::values::values",
                Some("anchorhold fuzz::values::values"),
            ),
            ("     Summary [  39.354s] 392 tests run: 392 passed", None),
            ("        PASS [   0.016s] anchorhold::lock a", None),
        ] {
            assert_eq!(failed_test(line).as_deref(), test, "{line}");
        }
    }

    #[test]
    fn expression_of_a_stage_is_one_argument() {
        assert_eq!(
            arguments("-p a -E not (b or c)"),
            ["-p", "a", "-E", "not (b or c)"]
        );
    }
}
