//! The running programs of the benchmark.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result};

/// One program that serves.
pub(super) struct Server {
    pub(super) program: &'static str,
    child: Child,
    pub(super) port: u16,
}

impl Server {
    pub(super) fn start(program: &'static str, command: &mut Command) -> Result<Self> {
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
        // Read to the end, because the program blocks when its pipe is full.
        thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            program,
            child,
            port,
        })
    }
}

/// Returns the port of `listening on http://127.0.0.1:PORT`, or of workerd's own
/// `{"event":"listen",…,"port":PORT}`.
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
        // A signal that xtask can pass on, because it has a workerd to stop.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGTERM,
            );
        }
        let _ = self.child.wait();
    }
}
