//! An app on workerd, without Wrangler.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::run_folder::RunFolder;
use crate::tools;
use crate::workspace::Workspace;

/// workerd waits for open requests before it ends, and an open socket never ends.
const GRACE: Duration = Duration::from_secs(2);

/// What to serve, and how.
pub struct Options<'a> {
    pub app: &'a Path,
    /// A Worker in JavaScript that runs in front of the app, bound to its objects.
    pub caller: Option<&'a Path>,
    /// Flags in addition to those of the Wrangler configuration.
    pub flags: &'a [String],
    pub port: u16,
    pub data: &'a Path,
}

/// An event of a running workerd.
pub enum Event {
    Listening(u16),
    Stop,
    /// workerd closed its standard output, which it does when it ends.
    Ended,
}

/// Serves until SIGINT or SIGTERM.
pub fn serve(workspace: &Workspace, options: &Options<'_>) -> Result<()> {
    let data = data_folder(options.data)?;
    let (events, received) = channel();
    // Done before the start, so that an early signal is handled.
    pass_on_signals(events.clone())?;
    let folder = RunFolder::create(&workspace.target, options, &data)?;
    let mut server = Server::start(workspace, &folder.configuration(), &[], events)?;
    loop {
        match received.recv() {
            Ok(Event::Listening(port)) => announce(&data, port)?,
            Ok(Event::Stop) => return server.stop().map(|_| ()),
            Ok(Event::Ended) | Err(_) => bail!("workerd ended unexpectedly: {}", server.stop()?),
        }
    }
}

/// Creates the folder of the databases.
pub fn data_folder(path: &Path) -> Result<PathBuf> {
    fs::create_dir_all(path)
        .and_then(|()| path.canonicalize())
        .with_context(|| format!("cannot create {}", path.display()))
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

fn announce(data: &Path, port: u16) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "state in {}", data.display())?;
    writeln!(output, "listening on http://127.0.0.1:{port}")?;
    output.flush()?;
    Ok(())
}

/// A running workerd.
pub struct Server(Child);

impl Server {
    pub fn start(
        workspace: &Workspace,
        configuration: &Path,
        arguments: &[&str],
        events: Sender<Event>,
    ) -> Result<Self> {
        let program = tools::workerd(workspace)?;
        let mut child = Command::new(&program)
            .arg("serve")
            .arg(configuration)
            // workerd reports its port on its standard output.
            .arg("--control-fd=1")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || read_output(output, &events));
        }
        Ok(Self(child))
    }

    pub fn stop(&mut self) -> Result<ExitStatus> {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            // It may have ended already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.0.kill()?;
        Ok(self.0.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already stopped, unless something has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Deserialize)]
struct Report {
    event: String,
    port: u16,
}

fn read_output(output: ChildStdout, events: &Sender<Event>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        match serde_json::from_str::<Report>(&line) {
            Ok(Report { event, port }) if event == "listen" => {
                // If the receiver is gone, this process is about to end.
                let _ = events.send(Event::Listening(port));
            }
            // The Worker's own log.
            _ => eprintln!("{line}"),
        }
    }
    let _ = events.send(Event::Ended);
}
