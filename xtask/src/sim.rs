//! Long runs of the simulations in `runtime/tests/simulations`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// How many seeds each simulation runs. Each seed runs twice
    #[arg(long, default_value_t = 1_000, conflicts_with = "seed")]
    seeds: u64,
    /// A file of `runtime/tests/simulations` without its extension, such as `lock`. If omitted, all
    #[arg(long)]
    object: Option<String>,
    /// Runs only this seed, which a failure prints
    #[arg(long, requires = "object")]
    seed: Option<u64>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut cargo = command::cargo();
    cargo
        .args(["test", "--profile", "sim", "-p", "anchorhold"])
        .args(["--all-features", "--test", "simulations", "--"])
        .args(options.object.iter().map(|object| format!("{object}::")))
        .arg("--nocapture")
        .env("CARGO_TARGET_DIR", &workspace.target)
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    match options.seed {
        Some(seed) => cargo.env("ANCHORHOLD_SEED", seed.to_string()),
        None => cargo.env("ANCHORHOLD_SEEDS", options.seeds.to_string()),
    };
    let start = Instant::now();
    let mut tests = cargo.spawn().context("cannot run `cargo test`")?;
    let output = tests.stderr.take().context("its output is piped")?;
    let mut totals = Totals::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read the output of the simulations")?;
        totals.add(&line);
        eprintln!("{line}");
    }
    let status = tests.wait().context("cannot wait for `cargo test`")?;
    println!("{totals} in {:.0} s", start.elapsed().as_secs_f32());
    if !status.success() {
        bail!(
            "a simulation failed; its seed is printed above. Repeat it with `cargo xtask sim --object NAME --seed SEED`"
        );
    }
    Ok(())
}

/// The totals of all simulations.
#[derive(Debug, Default, PartialEq)]
struct Totals {
    seeds: u64,
    turns: u64,
    virtual_hours: f64,
    faults: BTreeMap<String, u64>,
}

impl Totals {
    /// Adds the line that a simulation prints at its end. Ignores other lines.
    fn add(&mut self, line: &str) {
        if let Some(sweep) = Self::of_sweep(line) {
            self.seeds += sweep.seeds;
            self.turns += sweep.turns;
            self.virtual_hours += sweep.virtual_hours;
            for (kind, count) in sweep.faults {
                *self.faults.entry(kind).or_default() += count;
            }
        }
    }

    fn of_sweep(line: &str) -> Option<Self> {
        let (sweep, faults) = line.split_once("; faults: ")?;
        let (_, figures) = sweep.split_once(": ")?;
        let mut figures = figures.split(", ");
        let first_word = |text: &str| text.split(' ').next().map(str::to_owned);
        let seeds = first_word(figures.next()?)?.parse().ok()?;
        let turns = first_word(figures.next()?)?.parse().ok()?;
        let virtual_hours = first_word(figures.next()?)?.parse().ok()?;
        let faults = faults
            .split(", ")
            .filter_map(|fault| fault.rsplit_once(' '))
            .map(|(kind, count)| Some((kind.to_owned(), count.parse().ok()?)))
            .collect::<Option<_>>()?;
        Some(Self {
            seeds,
            turns,
            virtual_hours,
            faults,
        })
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.faults {
            writeln!(formatter, "{count:>12}  {kind}")?;
        }
        write!(
            formatter,
            "{} seeds, {} turns, {} faults ({} crashes), {:.1} virtual hours",
            self.seeds,
            self.turns,
            self.faults.values().sum::<u64>(),
            self.faults.get("crash").unwrap_or(&0),
            self.virtual_hours,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_what_each_simulation_reports_at_its_end() {
        let mut totals = Totals::default();
        for line in [
            "lock::tokens_rise: 20 of 30 seeds, 900 turns, 1.0 virtual hours in 5.0 s (4 seeds a second)",
            "lock::tokens_rise: 30 of 30 seeds, 1234 turns, 1.5 virtual hours in 7.5 s (4 seeds a second); faults: crash 3, panic at a write 4",
            "bank::nothing_is_lost: 10 of 10 seeds, 66 turns, 0.5 virtual hours in 1.0 s (10 seeds a second); faults: crash 2",
            "failed with seed 7: left: 1, right: 2",
        ] {
            totals.add(line);
        }
        let faults = [("crash", 5), ("panic at a write", 4)];
        assert_eq!(
            totals,
            Totals {
                seeds: 40,
                turns: 1_300,
                virtual_hours: 2.0,
                faults: faults.map(|(kind, count)| (kind.to_owned(), count)).into(),
            }
        );
        assert!(
            totals
                .to_string()
                .ends_with("40 seeds, 1300 turns, 9 faults (5 crashes), 2.0 virtual hours")
        );
    }
}
