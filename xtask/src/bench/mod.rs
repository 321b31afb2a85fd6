//! Compares anchorhold with hand-written workers-rs and TypeScript, measured alternately within one
//! run.

mod processors;
mod programs;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::bundle;
use crate::command;
use crate::tools;
use crate::workspace::Workspace;
use processors::Processors;
use programs::{
    ANCHORHOLD, ANCHORHOLD_BEFORE, CHOICES, EMBEDDED, EMBEDDED_BEFORE, HAND_WRITTEN, Load,
    TYPESCRIPT, choices, programs, versions,
};
use server::Server;

#[derive(clap::Args)]
pub struct Options {
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

/// One program at one address, under one load.
struct Subject {
    program: &'static str,
    load: &'static Load,
    port: u16,
}

#[derive(Serialize)]
struct Row {
    load: &'static str,
    program: &'static str,
    requests_per_second: Vec<f64>,
    median: f64,
}

#[derive(Serialize)]
struct Ratio {
    load: &'static str,
    of: &'static str,
    to: &'static str,
    ratio: f64,
}

#[derive(Serialize)]
struct Report {
    rounds: usize,
    seconds: u32,
    rows: Vec<Row>,
    ratios: Vec<Ratio>,
}

/// Builds and starts every program, loads them alternately, prints and writes the report.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    // wrk answers `-v` with its version and a failing exit code.
    if Command::new("wrk").arg("-v").output().is_err() {
        bail!("wrk is missing: install it (Debian: apt-get install wrk); it makes the load");
    }
    let folder = workspace.target.join("bench");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    let processors = Processors::divided()?;
    let (servers, compared) = processors.for_programs(|| {
        Ok(if options.choices {
            let server = start_script(workspace, &folder, CHOICES, CHOICES)?;
            (vec![server], choices())
        } else if let Some(before) = &options.before {
            (start_versions(workspace, before, &folder)?, versions())
        } else {
            (start_all(workspace, &folder)?, programs())
        })
    })?;
    let port = |program| {
        let server = servers.iter().find(|server| server.program == program);
        server.map(|server| server.port)
    };
    let subjects: Vec<Subject> = compared
        .subjects
        .into_iter()
        .map(|(program, load)| {
            Ok(Subject {
                program,
                load,
                // One program serves all ways.
                port: port(program)
                    .or(port(CHOICES))
                    .with_context(|| format!("{program} does not run"))?,
            })
        })
        .collect::<Result<_>>()?;

    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); subjects.len()];
    // The first round is short and unmeasured: compilers warm up, objects wake, files grow.
    for round in 0..=options.rounds {
        let mut order: Vec<usize> = (0..subjects.len()).collect();
        if round % 2 == 1 {
            // Alternates the order, so that the first program has no advantage.
            order.reverse();
        }
        for index in order {
            let subject = &subjects[index];
            let seconds = if round == 0 { 1 } else { options.seconds };
            let rate = processors
                .for_load(|| measure(subject, seconds, &folder))
                .with_context(|| format!("{}: {}", subject.program, subject.load.name))?;
            if round > 0 {
                figures[index].push(rate);
                eprintln!(
                    "{round}/{}  {:>8.0}/s  {}: {}",
                    options.rounds, rate, subject.load.name, subject.program
                );
            }
        }
    }
    let rows: Vec<Row> = subjects
        .iter()
        .zip(figures)
        .map(|(subject, figures)| Row {
            load: subject.load.name,
            program: subject.program,
            median: median(&figures),
            requests_per_second: figures,
        })
        .collect();
    let ratios = compared
        .ratios
        .into_iter()
        .map(|(load, of, to)| ratio(&rows, load, of, to))
        .collect();
    let report = Report {
        rounds: options.rounds,
        seconds: options.seconds,
        rows,
        ratios,
    };
    print(&report);
    let path = folder.join("report.json");
    fs::write(&path, serde_json::to_string_pretty(&report)?)?;
    println!("\nwritten to {}", path.display());
    Ok(())
}

/// The folder of the programs.
const APPS: &str = "xtask/bench";

/// Starts a program in JavaScript, which needs no build.
fn start_script(
    workspace: &Workspace,
    folder: &Path,
    program: &'static str,
    name: &str,
) -> Result<Server> {
    let data = folder.join(name);
    fs::create_dir_all(&data)?;
    let configuration = format!("{APPS}/{name}/config.capnp");
    let mut command = Command::new(tools::workerd(workspace)?);
    command
        .args(["serve", "--control-fd=1", "--directory-path"])
        .arg(format!("data={}", data.display()))
        .arg(workspace.root.join(configuration));
    Server::start(program, &mut command)
}

fn start_all(workspace: &Workspace, folder: &Path) -> Result<Vec<Server>> {
    let app = |name| workspace.app(&Path::new(APPS).join(name));
    Ok(vec![
        start_worker(workspace, folder, ANCHORHOLD, &app("anchorhold")?)?,
        start_worker(workspace, folder, HAND_WRITTEN, &app("hand-written")?)?,
        start_script(workspace, folder, TYPESCRIPT, "typescript")?,
        start_embedded(folder, EMBEDDED, &workspace.root, &workspace.target)?,
    ])
}

fn start_versions(workspace: &Workspace, before: &Path, folder: &Path) -> Result<Vec<Server>> {
    let before = before
        .canonicalize()
        .with_context(|| format!("no checkout at {}", before.display()))?;
    let app = |root: &Path| root.join(APPS).join("anchorhold");
    let target = before.join("target");
    Ok(vec![
        start_worker(workspace, folder, ANCHORHOLD, &app(&workspace.root))?,
        start_worker(workspace, folder, ANCHORHOLD_BEFORE, &app(&before))?,
        start_embedded(folder, EMBEDDED, &workspace.root, &workspace.target)?,
        start_embedded(folder, EMBEDDED_BEFORE, &before, &target)?,
    ])
}

/// Starts an app on workerd.
fn start_worker(
    workspace: &Workspace,
    folder: &Path,
    program: &'static str,
    app: &Path,
) -> Result<Server> {
    bundle::build(workspace, app, false)?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["workerd", "--prebuilt", "--port", "0", "--app"])
        .arg(app)
        .arg("--data")
        .arg(folder.join(program));
    Server::start(program, &mut command)
}

/// Starts the app of the checkout at `root` on the embedded host.
fn start_embedded(
    folder: &Path,
    program: &'static str,
    root: &Path,
    target: &Path,
) -> Result<Server> {
    command::run(
        command::cargo()
            .args(["build", "--quiet", "--release", "-p", "bench-anchorhold"])
            .env("CARGO_TARGET_DIR", target)
            .current_dir(root),
    )?;
    let mut command = Command::new(target.join("release/bench-anchorhold"));
    command
        .args(["--port", "0", "--data"])
        .arg(folder.join(program));
    Server::start(program, &mut command)
}

fn measure(subject: &Subject, seconds: u32, folder: &Path) -> Result<f64> {
    let script = folder.join("post.lua");
    fs::write(
        &script,
        format!(
            "wrk.method = \"POST\"\nwrk.body = '{}'\nwrk.headers[\"content-type\"] = \"application/json\"\n",
            subject.load.body
        ),
    )?;
    let output = Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{}", subject.load.connections),
            &format!("-d{seconds}s"),
            "-s",
        ])
        .arg(script)
        .arg(format!(
            "http://127.0.0.1:{}{}",
            subject.port, subject.load.path
        ))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text
        .lines()
        .find(|line| line.contains("Non-2xx") || line.contains("Socket errors"))
    {
        bail!("{}", line.trim());
    }
    text.lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"))
        .and_then(|rate| rate.trim().parse().ok())
        .with_context(|| format!("wrk printed no rate:\n{text}"))
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Returns the median of the ratios of each round. Drift of the machine affects both rates of a
/// round alike.
fn ratio(rows: &[Row], load: &'static str, of: &'static str, to: &'static str) -> Ratio {
    let figures = |program: &str| {
        rows.iter()
            .find(|row| row.load == load && row.program == program)
            .map_or(&[][..], |row| &row.requests_per_second)
    };
    let ratios: Vec<f64> = figures(of)
        .iter()
        .zip(figures(to))
        .map(|(of, to)| of / to)
        .collect();
    Ratio {
        load,
        of,
        to,
        ratio: median(&ratios),
    }
}

fn print(report: &Report) {
    println!("\n{:<34} {:<28} {:>10}", "load", "program", "median/s");
    for row in &report.rows {
        println!("{:<34} {:<28} {:>10.0}", row.load, row.program, row.median);
    }
    println!("\n{:<34} {:<52} {:>6}", "load", "ratio", "");
    for ratio in &report.ratios {
        println!(
            "{:<34} {:<52} {:>6.2}",
            ratio.load,
            format!("{} / {}", ratio.of, ratio.to),
            ratio.ratio
        );
    }
}
