//! Planted bugs: each patch of `tests/mutants` breaks one guarantee, and at least one test must
//! notice it.

mod copy;
mod hunt;
mod patch;
mod properties;
mod table;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};
use clap::Args;

use crate::workspace::Workspace;
use copy::Copy;
use hunt::Found;
use patch::Patch;
use table::Table;

/// Where the patches are.
pub(crate) const FOLDER: &str = "tests/mutants";

#[derive(Args)]
pub struct Options {
    /// Only the mutants whose names contain this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Only the mutants that have no row in the table
    #[arg(long)]
    new: bool,
    /// How many mutants are built and tested at the same time, each in a separate copy
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: u8,
    /// Runs every test of the runtime for each mutant, even if the first stage has found it already
    #[arg(long)]
    all: bool,
    /// Only checks that every patch applies
    #[arg(long)]
    check: bool,
}

/// Plants each bug in a copy of the repository and runs the tests there.
///
/// # Errors
/// Fails if a patch does not apply or does not build, if the tests fail without a planted bug, or
/// if no test has found a bug.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let table = Table::read(workspace)?;
    let mut patches = patch::all(workspace, options.only.as_deref())?;
    if options.new {
        patches.retain(|patch| !table.knows(patch));
    }
    check(workspace, &patches)?;
    if options.check {
        eprintln!("{} planted bugs apply", patches.len());
        return Ok(());
    }
    let queue = Mutex::new(patches.into_iter().collect::<VecDeque<_>>());
    let table = Mutex::new(table);
    let work = |number: u8| -> Result<Outcome> {
        let copy = Copy::make(workspace, number)?;
        hunt::expect_green(&copy)?;
        let mut outcome = Outcome::default();
        loop {
            let Some(patch) = lock(&queue).pop_front() else {
                return Ok(outcome);
            };
            let name = patch.name.clone();
            match plant(&copy, &patch, options.all) {
                Ok(found) => {
                    eprintln!("{name}: {found}");
                    if found.is_nothing() {
                        outcome.survivors.push(name);
                    }
                    let mut table = lock(&table);
                    table.enter(patch, found);
                    table.write()?;
                }
                Err(error) => {
                    eprintln!("{name}: {error:#}");
                    outcome.broken.push(name);
                }
            }
        }
    };
    let outcome = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        workers
            .into_iter()
            .map(|worker| match worker.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect::<Result<Vec<_>>>()
    })?;
    conclude(outcome)
}

/// The failures of the workers.
#[derive(Default)]
struct Outcome {
    survivors: Vec<String>,
    broken: Vec<String>,
}

fn conclude(outcomes: Vec<Outcome>) -> Result<()> {
    let (mut survivors, mut broken) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        survivors.extend(outcome.survivors);
        broken.extend(outcome.broken);
    }
    if !broken.is_empty() {
        bail!(
            "these patches do not build or could not be tested; renew them: {}",
            broken.join(", ")
        );
    }
    if !survivors.is_empty() {
        bail!("no test has found these bugs: {}", survivors.join(", "));
    }
    Ok(())
}

fn plant(copy: &Copy, patch: &Patch, all: bool) -> Result<Found> {
    copy.apply(patch)?;
    let found = hunt::find(copy, patch, all);
    copy.take_back(patch)?;
    found
}

fn check(workspace: &Workspace, patches: &[Patch]) -> Result<()> {
    let stale: Vec<String> = patches
        .iter()
        .filter_map(|patch| patch.check(&workspace.root).err())
        .map(|error| format!("{error:#}"))
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    bail!(
        "these planted bugs no longer apply; plant each again by hand and save `git diff -U2` under the same header in {FOLDER}:\n{}",
        stale.join("\n")
    )
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The data behind these locks is consistent between two calls.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the folder for copies.
fn scratch(workspace: &Workspace) -> PathBuf {
    workspace.target.join("mutants")
}
