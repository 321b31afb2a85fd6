//! An app on workerd, without Wrangler or Node.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::bundle::{SCRIPT, WASM};
use crate::capnp::{self, ASSETS_SCRIPT, CALLER_SCRIPT, Run};
use crate::tools;
use crate::workspace::Workspace;
use crate::wrangler::Configuration;

/// workerd lets open requests end before it does, and an open socket never ends.
const GRACE: Duration = Duration::from_secs(2);

/// What to serve, and how.
pub struct Options<'a> {
    pub app: &'a Path,
    /// A Worker in JavaScript that stands in front of the app, bound to its objects.
    pub caller: Option<&'a Path>,
    pub port: u16,
    pub data: &'a Path,
}

/// Serves until SIGINT or SIGTERM.
pub fn serve(workspace: &Workspace, options: &Options<'_>) -> Result<()> {
    let program = tools::workerd(workspace)?;
    fs::create_dir_all(options.data)
        .and_then(|()| options.data.canonicalize())
        .with_context(|| format!("cannot create {}", options.data.display()))
        .and_then(|data| {
            let run = RunFolder::create(&workspace.target, options, &data)?;
            supervise(&program, &run, &data)
        })
}

/// The configuration and a copy of the bundle, so that a later build does not change what runs.
struct RunFolder(PathBuf);

impl RunFolder {
    fn create(target: &Path, options: &Options<'_>, data: &Path) -> Result<Self> {
        let configuration = Configuration::read(options.app)?;
        let folder = Self(target.join("workerd").join(std::process::id().to_string()));
        fs::create_dir_all(&folder.0).with_context(|| format!("cannot create {}", folder.0.display()))?;
        for file in [SCRIPT, WASM] {
            let from = options.app.join("build").join(file);
            fs::copy(&from, folder.0.join(file))
                .with_context(|| format!("{} is missing: `cargo xtask build` makes it", from.display()))?;
        }
        if let Some(caller) = options.caller {
            fs::copy(caller, folder.0.join(CALLER_SCRIPT))
                .with_context(|| format!("cannot read {}", caller.display()))?;
        }
        let assets = configuration.assets.as_ref().map(|assets| options.app.join(&assets.directory));
        if assets.is_some() {
            fs::write(folder.0.join(ASSETS_SCRIPT), include_str!("assets.js"))?;
        }
        let text = capnp::write(&Run {
            configuration: &configuration,
            port: options.port,
            data,
            assets: assets.as_deref(),
            has_caller: options.caller.is_some(),
        })?;
        fs::write(folder.configuration(), text)?;
        Ok(folder)
    }

    fn configuration(&self) -> PathBuf {
        self.0.join("config.capnp")
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // Left behind at worst, in the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

enum Event {
    Listening(u16),
    Stop,
    /// workerd closed its standard output, which it does when it ends.
    Ended,
}

fn supervise(program: &Path, run: &RunFolder, data: &Path) -> Result<()> {
    let (events, received) = channel();
    // Before the start: a signal that comes early must find somebody.
    pass_on_signals(events.clone())?;
    let mut child = Command::new(program)
        .arg("serve")
        .arg(run.configuration())
        // Reports the port it got on its standard output.
        .arg("--control-fd=1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || read_output(output, &events));
    }
    let outcome = follow(&received, data);
    let status = stop(&mut child)?;
    outcome.with_context(|| format!("workerd ended: {status}"))
}

fn pass_on_signals(events: Sender<Event>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if events.send(Event::Stop).is_err() {
                break;
            }
        }
    });
    Ok(())
}

#[derive(Deserialize)]
struct Listening {
    port: u16,
}

fn read_output(output: ChildStdout, events: &Sender<Event>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        match serde_json::from_str::<Listening>(&line) {
            Ok(Listening { port }) if line.starts_with("{\"event\":\"listen\"") => {
                // Nobody listens any more: this process is about to end.
                let _ = events.send(Event::Listening(port));
            }
            // The Worker's own log.
            _ => eprintln!("{line}"),
        }
    }
    let _ = events.send(Event::Ended);
}

/// Ends well when asked to stop, and badly when workerd ends by itself.
fn follow(received: &Receiver<Event>, data: &Path) -> Result<()> {
    loop {
        match received.recv() {
            Ok(Event::Listening(port)) => {
                let mut output = std::io::stdout().lock();
                writeln!(output, "state in {}", data.display())?;
                writeln!(output, "listening on http://127.0.0.1:{port}")?;
                output.flush()?;
            }
            Ok(Event::Stop) => return Ok(()),
            Ok(Event::Ended) | Err(_) => bail!("it was not asked to"),
        }
    }
}

fn stop(child: &mut Child) -> Result<ExitStatus> {
    if let Ok(pid) = i32::try_from(child.id()) {
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    Ok(child.wait()?)
}
