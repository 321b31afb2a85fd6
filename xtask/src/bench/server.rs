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
    agent: ureq::Agent,
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
            agent: ureq::Agent::new_with_defaults(),
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A client that keeps its connection.
    pub(super) fn agent(&self) -> &ureq::Agent {
        &self.agent
    }

    /// Returns the resident memory of the process and of those that it has started.
    pub(super) fn resident_bytes(&self) -> Result<u64> {
        let own = self.child.id().to_string();
        let children = Command::new("pgrep").args(["-P", &own]).output()?.stdout;
        let children = String::from_utf8_lossy(&children);
        let mut sum = 0;
        for process in children.split_whitespace().chain([own.as_str()]) {
            let status = std::fs::read_to_string(format!("/proc/{process}/status"))
                .with_context(|| format!("cannot read the status of process {process}"))?;
            let kibibytes: u64 = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))
                .and_then(|size| size.split_whitespace().next())
                .and_then(|size| size.parse().ok())
                .context("a status without VmRSS")?;
            sum += kibibytes * 1_024;
        }
        Ok(sum)
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
