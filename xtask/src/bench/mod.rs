//! Compares anchorhold with hand-written workers-rs and TypeScript, measured alternately within one
//! run.

mod figures;
mod loads;
mod picture;
mod processors;
mod programs;
mod report;
mod server;
mod wrk;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use loads::{Pairs, Subject, of_choices, of_programs, of_versions, served_by};
use processors::Processors;
use programs::Programs;
use report::Report;
use server::Server;

#[derive(clap::Args)]
pub struct Options {
    /// Only the loads and figures whose names contain one of these texts
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Prints the names of all loads and figures
    #[arg(long)]
    list: bool,
    /// How many times every program is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Measures the alternatives of the Worker backend's design instead, in plain JavaScript
    #[arg(long)]
    choices: bool,
    /// Compares with an earlier state of anchorhold instead: a folder where it is checked out
    #[arg(long, value_name = "CHECKOUT", conflicts_with = "choices")]
    before: Option<PathBuf>,
}

impl Options {
    fn is_wanted(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|part| name.contains(part.as_str()))
    }

    fn pairs(&self) -> Pairs {
        let mut pairs = if self.choices {
            of_choices()
        } else if self.before.is_some() {
            of_versions()
        } else {
            of_programs()
        };
        pairs.retain(|pair| pair.iter().all(|(_, load)| self.is_wanted(load.name)));
        pairs
    }

    /// The figures are of this state alone.
    fn figures(&self) -> Vec<figures::Measurement> {
        let mut wanted = figures::all();
        wanted
            .retain(|figure| !self.choices && self.before.is_none() && self.is_wanted(figure.name));
        wanted
    }
}

/// Builds and starts every program, loads them alternately, prints and writes the report.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let (pairs, figures) = (options.pairs(), options.figures());
    let subjects = subjects(&pairs);
    if options.list {
        let mut names: Vec<&str> = subjects.iter().map(|(_, load)| load.name).collect();
        names.extend(figures.iter().map(|figure| figure.name));
        let mut printed = std::collections::BTreeSet::new();
        names.retain(|name| printed.insert(*name));
        println!("{}", names.join("\n"));
        return Ok(());
    }
    if subjects.is_empty() && figures.is_empty() {
        bail!(
            "no load or figure has a name that contains {:?}; `cargo xtask bench --list` prints all names",
            options.names
        );
    }
    wrk::check()?;
    let folder = workspace.target.join("bench");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    let processors = Processors::divided()?;
    let programs = Programs {
        workspace,
        before: match &options.before {
            Some(before) => Some(
                before
                    .canonicalize()
                    .with_context(|| format!("no checkout at {}", before.display()))?,
            ),
            None => None,
        },
        data: &folder,
    };
    let rates = measure_rates(options, &programs, &processors, subjects)?;
    let mut values = Vec::new();
    for figure in figures {
        eprintln!("measuring: {}", figure.name);
        values.extend((figure.measure)(&programs, &processors).context(figure.name)?);
    }
    let report = Report::new((options.rounds, options.seconds), &rates, &pairs, values);
    report.print();
    write(&folder, &report)
}

/// Returns each program and load of the pairs once.
fn subjects(pairs: &Pairs) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = Vec::new();
    for (program, load) in pairs.iter().flatten() {
        if !subjects
            .iter()
            .any(|(other, other_load)| other == program && other_load.name == load.name)
        {
            subjects.push((program, load));
        }
    }
    subjects
}

fn measure_rates(
    options: &Options,
    programs: &Programs<'_>,
    processors: &Processors,
    subjects: Vec<Subject>,
) -> Result<Vec<(Subject, Vec<f64>)>> {
    let mut servers: Vec<Server> = Vec::new();
    for (program, _) in &subjects {
        let program = served_by(program);
        if servers.iter().all(|server| server.program != program) {
            servers.push(processors.for_programs(|| programs.start(program))?);
        }
    }
    let mut rates: Vec<(Subject, Vec<f64>)> = subjects
        .into_iter()
        .map(|subject| (subject, Vec::new()))
        .collect();
    for round in 0..=options.rounds {
        let mut order: Vec<usize> = (0..rates.len()).collect();
        if round % 2 == 1 {
            // Alternates the order, so that the first program has no advantage.
            order.reverse();
        }
        for index in order {
            let ((program, load), figures) = &mut rates[index];
            let served_by = served_by(program);
            let port = servers
                .iter()
                .find(|server| server.program == served_by)
                .with_context(|| format!("{program} does not run"))?
                .port;
            let context = || format!("{program}: {}", load.name);
            if round == 0 {
                processors
                    .for_load(|| wrk::warm_up(load, port, programs.data))
                    .with_context(context)?;
                continue;
            }
            let rate = processors
                .for_load(|| wrk::measure(load, port, options.seconds, programs.data))
                .with_context(context)?
                .per_second;
            figures.push(rate);
            eprintln!(
                "{round}/{}  {rate:>8.0}/s  {}: {program}",
                options.rounds, load.name
            );
        }
    }
    Ok(rates)
}

fn write(folder: &Path, report: &Report) -> Result<()> {
    let (figures, picture) = (folder.join("report.json"), folder.join("ratios.svg"));
    fs::write(&figures, serde_json::to_string_pretty(report)?)?;
    fs::write(&picture, picture::draw(&report.ratios))?;
    println!(
        "\nwritten to {} and {}",
        figures.display(),
        picture.display()
    );
    Ok(())
}
