//! Figures that are not rates of HTTP requests: calls within the process, alarms, memory, starts
//! and bundles.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::processors::Processors;
use super::programs::{ANCHORHOLD, APPS, EMBEDDED, HAND_WRITTEN, Programs, TYPESCRIPT};
use super::report::Figure;
use super::server::Server;
use crate::bundle;

/// One measurement, which may have several figures.
pub(super) struct Measurement {
    pub(super) name: &'static str,
    pub(super) measure: fn(&Programs<'_>, &Processors) -> Result<Vec<Figure>>,
}

pub(super) fn all() -> Vec<Measurement> {
    vec![
        Measurement {
            name: "calls within the process",
            measure: calls,
        },
        Measurement {
            name: "alarms due at once",
            measure: alarms,
        },
        Measurement {
            name: "memory and disk of objects",
            measure: objects,
        },
        Measurement {
            name: "cold start",
            measure: starts,
        },
        Measurement {
            name: "bundle size",
            measure: bundles,
        },
    ]
}

/// 64 callers call one durable counter from a handler of the app.
fn calls(programs: &Programs<'_>, processors: &Processors) -> Result<Vec<Figure>> {
    let server = processors.for_programs(|| programs.start(EMBEDDED))?;
    let call = |each: u32| -> Result<f64> {
        let start = Instant::now();
        let calls: u32 = post(&server, "/calls", &json!({"callers": 64, "each": each}))?;
        Ok(f64::from(calls) / start.elapsed().as_secs_f64())
    };
    call(100)?;
    let mut rates = [call(1_000)?, call(1_000)?, call(1_000)?];
    rates.sort_by(f64::total_cmp);
    Ok(vec![Figure {
        name: "calls within the process",
        program: EMBEDDED,
        value: rates[1],
        unit: "calls a second",
    }])
}

/// As many objects have an alarm at the same time.
const ALARMS: u32 = 10_000;

fn alarms(programs: &Programs<'_>, processors: &Processors) -> Result<Vec<Figure>> {
    let server = processors.for_programs(|| programs.start(EMBEDDED))?;
    let batch = |first: u32, count: u32, due: SystemTime| -> Result<()> {
        let at = u64::try_from(due.duration_since(UNIX_EPOCH)?.as_millis())?;
        let alarms = json!({"first": first, "count": count, "at": at});
        post::<u32>(&server, "/alarms", &alarms).map(drop)
    };
    let start = Instant::now();
    batch(0, BATCH, SystemTime::now() + Duration::from_secs(3_600))?;
    let needed = start.elapsed() * (ALARMS / BATCH) * 2 + Duration::from_secs(5);
    let (due, due_here) = (SystemTime::now() + needed, Instant::now() + needed);
    for first in (0..ALARMS).step_by(BATCH as usize) {
        batch(first, BATCH, due)?;
    }
    let early: u32 = get(&server, "/alarms")?;
    ensure!(
        early == 0,
        "the alarms came due while others were still being set: the machine is busy"
    );
    thread::sleep(due_here.saturating_duration_since(Instant::now()));
    let mut slowest = Duration::ZERO;
    loop {
        let start = Instant::now();
        let runs: u32 = get(&server, "/alarms")?;
        slowest = slowest.max(start.elapsed());
        if runs >= ALARMS {
            break;
        }
        if due_here.elapsed() > Duration::from_secs(300) {
            bail!("{runs} of {ALARMS} alarms ran in 300 s");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(vec![
        Figure {
            name: "10,000 alarms due at once",
            program: EMBEDDED,
            value: due_here.elapsed().as_secs_f64(),
            unit: "s until all have run",
        },
        Figure {
            name: "10,000 alarms due at once",
            program: EMBEDDED,
            value: slowest.as_secs_f64() * 1_000.0,
            unit: "ms, the slowest of other requests",
        },
    ])
}

const BATCH: u32 = 500;

/// As many objects are used once.
const OBJECTS: u32 = 10_000;

fn objects(programs: &Programs<'_>, processors: &Processors) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for program in [EMBEDDED, TYPESCRIPT] {
        let server = processors.for_programs(|| programs.start(program))?;
        let data = programs.data.join(program);
        let use_one = |number: u32| -> Result<()> {
            let path = format!("/durable/counted-{number}/increment");
            post::<Value>(&server, &path, &json!({"by": 1})).map(drop)
        };
        use_one(0)?;
        let (memory, disk) = (server.resident_bytes()?, bytes_on_disk(&data)?);
        for number in 1..=OBJECTS {
            use_one(number)?;
        }
        let each = |bytes: u64| kilobytes(bytes) / f64::from(OBJECTS);
        figures.push(Figure {
            name: "memory for each of 10,000 objects",
            program,
            value: each(server.resident_bytes()?.saturating_sub(memory)),
            unit: "kB, used once",
        });
        figures.push(Figure {
            name: "disk for each of 10,000 objects",
            program,
            value: each(bytes_on_disk(&data)?.saturating_sub(disk)),
            unit: "kB",
        });
    }
    Ok(figures)
}

/// The time from the start of a process to its first answer.
fn starts(programs: &Programs<'_>, processors: &Processors) -> Result<Vec<Figure>> {
    let data = programs.data.join("starts");
    let programs = &Programs {
        workspace: programs.workspace,
        before: None,
        data: &data,
    };
    [EMBEDDED, ANCHORHOLD, TYPESCRIPT]
        .into_iter()
        .map(|program| {
            // Builds what is started.
            drop(processors.for_programs(|| programs.start(program))?);
            let mut times = Vec::new();
            for _ in 0..5 {
                let start = Instant::now();
                let server = processors.for_programs(|| programs.launch(program))?;
                post::<Value>(&server, "/durable/first/increment", &json!({"by": 1}))?;
                times.push(start.elapsed().as_secs_f64() * 1_000.0);
            }
            times.sort_by(f64::total_cmp);
            Ok(Figure {
                name: "start to first answer",
                program,
                value: times[2],
                unit: "ms",
            })
        })
        .collect()
}

/// The wasm of each bundle, compressed as it is uploaded.
fn bundles(programs: &Programs<'_>, _: &Processors) -> Result<Vec<Figure>> {
    let workspace = programs.workspace;
    let apps = Path::new(APPS);
    [
        (ANCHORHOLD, apps.join("anchorhold")),
        (HAND_WRITTEN, apps.join("hand-written")),
        ("the demo", Path::new("examples/demo").to_owned()),
    ]
    .into_iter()
    .map(|(program, app)| {
        let app = workspace.app(&workspace.root.join(app))?;
        bundle::build(workspace, &app, false)?;
        Ok(Figure {
            name: "bundle, compressed",
            program,
            value: kilobytes(compressed_bytes(&app.join("build").join(bundle::WASM))?),
            unit: "kB",
        })
    })
    .collect()
}

fn compressed_bytes(file: &Path) -> Result<u64> {
    let mut gzip = Command::new("gzip")
        .args(["-9", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run `gzip`")?;
    let contents = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut input = gzip.stdin.take().context("its input is piped")?;
    // Its output would fill the pipe, which is read only after the input is written.
    let writer = thread::spawn(move || input.write_all(&contents));
    let output = gzip.wait_with_output()?;
    writer
        .join()
        .map_err(|_| anyhow::anyhow!("the thread that writes to gzip panicked"))??;
    Ok(output.stdout.len() as u64)
}

fn bytes_on_disk(folder: &Path) -> Result<u64> {
    let output = crate::command::output(Command::new("du").args(["-s", "-B1"]).arg(folder))?;
    output
        .split_whitespace()
        .next()
        .and_then(|bytes| bytes.parse().ok())
        .with_context(|| format!("`du` printed {output:?}"))
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000.0
}

fn post<T: DeserializeOwned>(server: &Server, path: &str, body: &Value) -> Result<T> {
    Ok(server
        .agent()
        .post(server.url(path))
        .send_json(body)?
        .body_mut()
        .read_json()?)
}

fn get<T: DeserializeOwned>(server: &Server, path: &str) -> Result<T> {
    Ok(server
        .agent()
        .get(server.url(path))
        .call()?
        .body_mut()
        .read_json()?)
}
