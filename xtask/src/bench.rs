//! anchorhold beside hand-written workers-rs and TypeScript, measured in turn within one run.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::bundle;
use crate::command;
use crate::tools;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// How often every program is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Measure what the Worker backend chose between instead, in plain JavaScript
    #[arg(long)]
    choices: bool,
}

/// One program at one address, under one load.
struct Subject {
    program: &'static str,
    load: &'static Load,
    port: u16,
}

/// What is asked, and by how many connections at once.
struct Load {
    name: &'static str,
    path: &'static str,
    connections: u32,
}

static MEMORY: Load = Load {
    name: "RPC, in memory",
    path: "/memory/increment",
    connections: 16,
};
static DURABLE: Load = Load {
    name: "durable counter",
    path: "/durable/a/increment",
    connections: 16,
};
static DURABLE_64: Load = Load {
    name: "durable counter, 64 connections",
    path: "/durable/b/increment",
    connections: 64,
};

const ANCHORHOLD: &str = "anchorhold";
const EMBEDDED: &str = "anchorhold, embedded host";
const HAND_WRITTEN: &str = "workers-rs by hand";
const TYPESCRIPT: &str = "TypeScript";

/// Each way to do a thing, and how it is asked for.
static WAYS: [(&str, Load); 7] = [
    (
        "request handed on",
        way("to the object and back", "/hand-on"),
    ),
    (
        "body read, then a call",
        way("to the object and back", "/call"),
    ),
    ("bytes", way("arguments and result of a call", "/bytes")),
    ("text", way("arguments and result of a call", "/text")),
    ("a number", way("arguments and result of a call", "/number")),
    ("shared", way("commits", "/shared-commit")),
    ("each event's own", way("commits", "/own-commit")),
];

const fn way(name: &'static str, path: &'static str) -> Load {
    Load {
        name,
        path,
        connections: 16,
    }
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

/// Builds and starts every program, loads them in turn, prints and writes the report.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    // wrk answers `-v` with its version and a failure.
    if Command::new("wrk").arg("-v").output().is_err() {
        bail!("wrk is missing: install it (Debian: apt-get install wrk); it makes the load");
    }
    let folder = workspace.target.join("bench");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    let (servers, compared) = if options.choices {
        let server = start_script(workspace, &folder, CHOICES, CHOICES)?;
        (vec![server], choices())
    } else {
        (start_all(workspace, &folder)?, programs())
    };
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
                // All ways are served by one program.
                port: port(program)
                    .or(port(CHOICES))
                    .with_context(|| format!("{program} does not run"))?,
            })
        })
        .collect::<Result<_>>()?;

    let script = folder.join("post.lua");
    fs::write(
        &script,
        "wrk.method = \"POST\"\nwrk.body = '{\"by\":1}'\nwrk.headers[\"content-type\"] = \"application/json\"\n",
    )?;
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); subjects.len()];
    // One short round first, unmeasured: compilers warm up, objects wake, files grow.
    for round in 0..=options.rounds {
        for (subject, figures) in subjects.iter().zip(&mut figures) {
            let seconds = if round == 0 { 1 } else { options.seconds };
            let rate = measure(subject, seconds, &script)
                .with_context(|| format!("{}: {}", subject.program, subject.load.name))?;
            if round > 0 {
                figures.push(rate);
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

/// What is measured, and which of it is set beside which.
struct Compared {
    subjects: Vec<(&'static str, &'static Load)>,
    ratios: Vec<(&'static str, &'static str, &'static str)>,
}

fn programs() -> Compared {
    let subjects = [
        (ANCHORHOLD, &MEMORY),
        (HAND_WRITTEN, &MEMORY),
        (TYPESCRIPT, &MEMORY),
        (ANCHORHOLD, &DURABLE),
        (HAND_WRITTEN, &DURABLE),
        (TYPESCRIPT, &DURABLE),
        (EMBEDDED, &DURABLE_64),
        (TYPESCRIPT, &DURABLE_64),
    ];
    let ratios = [
        (MEMORY.name, ANCHORHOLD, HAND_WRITTEN),
        (MEMORY.name, ANCHORHOLD, TYPESCRIPT),
        (DURABLE.name, ANCHORHOLD, HAND_WRITTEN),
        (DURABLE.name, ANCHORHOLD, TYPESCRIPT),
        (DURABLE_64.name, EMBEDDED, TYPESCRIPT),
    ];
    Compared {
        subjects: subjects.into(),
        ratios: ratios.into(),
    }
}

/// Every way beside the last one to do the same thing.
fn choices() -> Compared {
    let ratios = WAYS.iter().filter_map(|(way, load)| {
        let (last, _) = WAYS.iter().rfind(|(_, other)| other.name == load.name)?;
        (way != last).then_some((load.name, *way, *last))
    });
    Compared {
        subjects: WAYS.iter().map(|(way, load)| (*way, load)).collect(),
        ratios: ratios.collect(),
    }
}

/// The program behind all the ways.
const CHOICES: &str = "choices";

/// A program in JavaScript, which needs nothing built.
fn start_script(
    workspace: &Workspace,
    folder: &Path,
    program: &'static str,
    name: &str,
) -> Result<Server> {
    let data = folder.join(name);
    fs::create_dir_all(&data)?;
    let configuration = format!("xtask/bench/{name}/config.capnp");
    let mut command = Command::new(tools::workerd(workspace)?);
    command
        .args(["serve", "--control-fd=1", "--directory-path"])
        .arg(format!("data={}", data.display()))
        .arg(workspace.root.join(configuration));
    Server::start(program, &mut command)
}

fn start_all(workspace: &Workspace, folder: &Path) -> Result<Vec<Server>> {
    let mut servers = Vec::new();
    for (program, app) in [(ANCHORHOLD, "anchorhold"), (HAND_WRITTEN, "hand-written")] {
        let app_folder = workspace.app(&Path::new("xtask/bench").join(app))?;
        bundle::build(workspace, &app_folder, false)?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["workerd", "--prebuilt", "--port", "0", "--app"])
            .arg(app_folder);
        servers.push(Server::start(
            program,
            command.arg("--data").arg(folder.join(app)),
        )?);
    }

    servers.push(start_script(workspace, folder, TYPESCRIPT, "typescript")?);

    command::run(
        Command::new("cargo")
            .args(["build", "--quiet", "--release", "-p", "bench-anchorhold"])
            .current_dir(&workspace.root),
    )?;
    let mut command = Command::new(workspace.target.join("release/bench-anchorhold"));
    command
        .args(["--port", "0", "--data"])
        .arg(folder.join("embedded"));
    servers.push(Server::start(EMBEDDED, &mut command)?);
    Ok(servers)
}

fn measure(subject: &Subject, seconds: u32, script: &Path) -> Result<f64> {
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

/// The median of the ratios round by round: what drifts in the machine drifts in both.
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

/// One program that serves.
struct Server {
    program: &'static str,
    child: Child,
    port: u16,
}

impl Server {
    fn start(program: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = child
            .stdout
            .take()
            .context("a program without standard output")?;
        let mut lines = BufReader::new(output).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| announced_port(&line))
            .with_context(|| format!("{program} did not start"))?;
        // Somebody must go on reading, or the program stops when the pipe is full.
        thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            program,
            child,
            port,
        })
    }
}

/// From `listening on http://127.0.0.1:PORT`, or from workerd's own `{"event":"listen",…,"port":PORT}`.
fn announced_port(line: &str) -> Option<u16> {
    if !line.starts_with("listening on") && !line.starts_with("{\"event\":\"listen\"") {
        return None;
    }
    line.trim_end_matches('}')
        .rsplit(':')
        .next()?
        .trim()
        .parse()
        .ok()
}

impl Drop for Server {
    fn drop(&mut self) {
        // With a signal that it can pass on: xtask has a workerd of its own to stop.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGTERM,
            );
        }
        let _ = self.child.wait();
    }
}
