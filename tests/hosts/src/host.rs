//! A host: one process that serves an app from one data folder. It may be killed and restarted.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::{Application, Client, eventually};

/// How long a host may take to start. This is generous because other tests run at the same time.
const START: Duration = Duration::from_secs(60);
/// How many lines of its log a failed test shows.
const LOG_LINES: usize = 200;
/// How long a host may take to stop.
const STOP: Duration = Duration::from_secs(20);

/// The kind of host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Workerd,
}

impl Kind {
    pub const BOTH: [Self; 2] = [Self::Embedded, Self::Workerd];
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Embedded => "embedded",
            Self::Workerd => "workerd",
        })
    }
}

/// An app on a host.
pub struct Host {
    kind: Kind,
    application: Application,
    folder: TempDir,
    process: Option<Process>,
}

struct Process {
    child: Child,
    base: String,
}

/// How a host ended after it was asked to stop.
#[derive(Debug)]
pub struct Stopped {
    pub status: ExitStatus,
    pub took: Duration,
}

impl Host {
    /// Starts an app on an empty data folder.
    #[must_use]
    pub fn start(kind: Kind, application: &Application) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("data")).expect("a new folder is writable");
        let mut host = Self {
            kind,
            application: application.clone(),
            folder,
            process: None,
        };
        host.restart();
        host
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Restarts the app on the same data folder and a new port.
    ///
    /// # Panics
    /// Panics if the app is running, or if it did not start. The message includes its log.
    pub fn restart(&mut self) {
        self.start_on("0");
    }

    /// Starts another app on the same data folder.
    ///
    /// # Panics
    /// Panics if the app is running, or if the other one did not start. The message includes its
    /// log.
    pub fn restart_as(&mut self, application: &Application) {
        self.application = application.clone();
        self.restart();
    }

    /// Restarts the app on the same data folder and at its previous address, where its clients
    /// expect it.
    ///
    /// # Panics
    /// Panics if the app is running, or if it did not start. The message includes its log.
    pub fn restart_at(&mut self, address: &str) {
        let (_, port) = address.rsplit_once(':').expect("an address has a port");
        self.start_on(port);
    }

    /// Restarts the app so that no file may grow beyond a size, which is like a full disk for the
    /// app.
    ///
    /// # Panics
    /// As [`restart`](Self::restart).
    pub fn restart_on_a_full_disk(&mut self, largest_file_kib: u32) {
        // The signal would end the process. If it is ignored, the write fails with an error.
        self.restart_under(&format!("trap '' XFSZ; ulimit -f {largest_file_kib}"));
    }

    /// Restarts the app with at most this many file descriptors.
    ///
    /// # Panics
    /// As [`restart`](Self::restart).
    pub fn restart_with_descriptors(&mut self, most: u32) {
        self.restart_under(&format!("ulimit -n {most}"));
    }

    /// Restarts the app after a shell command, such as `ulimit -S -n 256`.
    ///
    /// # Panics
    /// As [`restart`](Self::restart).
    pub fn restart_under(&mut self, limit: &str) {
        assert!(self.process.is_none(), "the app runs already");
        let command = self.command();
        let mut limited = Command::new("bash");
        let script = format!("{limit} && exec \"$0\" \"$@\"");
        limited.arg("-c").arg(script);
        limited.arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            limited.current_dir(folder);
        }
        match Process::start(&mut limited, &self.log_path()) {
            Ok(process) => self.process = Some(process),
            Err(message) => panic!("{} did not start: {message}\n{}", self.kind, self.log()),
        }
    }

    /// Restarts the app and kills it after `moment`, whether it listens or not.
    ///
    /// # Panics
    /// Panics if the app is running, or cannot be started.
    pub fn restart_and_kill_after(&mut self, moment: Duration) {
        assert!(self.process.is_none(), "the app runs already");
        let mut command = self.command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.process_group(0).spawn().expect("the app starts");
        // There is no signal for the progress of a start.
        std::thread::sleep(moment);
        let base = String::new();
        Process { child, base }.kill();
    }

    /// Returns the command that would start a second process on the same data folder.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command_on("0")
    }

    /// Returns where the running app listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.running().base
    }

    /// Returns how many bytes the data folder occupies on disk, and how many files it holds.
    #[must_use]
    pub fn disk_use(&self) -> (u64, usize) {
        let mut folders = vec![self.data()];
        let (mut bytes, mut files) = (0, 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) => {
                        bytes += metadata.blocks() * 512;
                        files += 1;
                    }
                    // It was removed meanwhile.
                    Err(_) => {}
                }
            }
        }
        (bytes, files)
    }

    /// Whether the started process is still running.
    ///
    /// # Panics
    /// Panics if the system does not say.
    pub fn is_alive(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_some_and(|process| {
            let ended = process.child.try_wait().expect("a child of ours");
            ended.is_none()
        })
    }

    /// Returns the data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns a client of the running app.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.running().base)
    }

    /// Returns how many bytes of memory the app occupies, including its child processes. Returns
    /// `None` if the system does not report it in `/proc`.
    #[must_use]
    pub fn resident_memory(&self) -> Option<u64> {
        let group = self.running().child.id().to_string();
        let processes = std::fs::read_dir("/proc").ok()?;
        let members = processes.flatten().filter_map(|process| {
            let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
            // Its name, in parentheses, may contain anything. It is followed by state, parent and
            // group.
            let (_, fields) = stat.rsplit_once(") ")?;
            (fields.split(' ').nth(2) == Some(&group)).then(|| process.path().join("status"))
        });
        let kilobytes = members.filter_map(|status| {
            let status = std::fs::read_to_string(status).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        });
        Some(kilobytes.sum::<u64>() * 1024).filter(|bytes| *bytes > 0)
    }

    /// Kills the app with SIGKILL.
    pub fn kill(&mut self) {
        self.process.take().expect("the app runs").kill();
    }

    /// Asks the app to stop with SIGTERM, and waits until it has stopped.
    ///
    /// # Panics
    /// Panics if it does not stop.
    pub fn stop(&mut self) -> Stopped {
        self.signal(Signal::TERM);
        self.wait_for_stop()
    }

    /// Sends a signal to the app.
    ///
    /// # Panics
    /// Panics if the app is not running.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.running().pid(), signal).expect("the app runs");
    }

    /// Waits until the app, which was told to stop, has stopped.
    ///
    /// # Panics
    /// Panics if it does not stop.
    pub fn wait_for_stop(&mut self) -> Stopped {
        let mut process = self.process.take().expect("the app runs");
        let asked = Instant::now();
        let status = eventually(STOP, || process.child.try_wait().expect("a child of ours"));
        match status {
            Some(status) => Stopped {
                status,
                took: asked.elapsed(),
            },
            None => {
                process.kill();
                panic!("{} did not stop\n{}", self.kind, self.log())
            }
        }
    }

    /// Returns what the app has written to standard error, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn start_on(&mut self, port: &str) {
        assert!(self.process.is_none(), "the app runs already");
        match Process::start(&mut self.command_on(port), &self.log_path()) {
            Ok(process) => self.process = Some(process),
            Err(message) => panic!("{} did not start: {message}\n{}", self.kind, self.log()),
        }
    }

    fn command_on(&self, port: &str) -> Command {
        let mut command = match self.kind {
            Kind::Embedded => self.application.on_embedded(),
            Kind::Workerd => self.application.on_workerd(),
        };
        command.args(["--port", port, "--data"]).arg(self.data());
        command
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("the app runs")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("--- end of the log of {}:\n{}", self.kind, last.join("\n"));
        }
    }
}

impl Process {
    fn start(command: &mut Command, log: &PathBuf) -> Result<Self, String> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|error| error.to_string())?;
        let mut child = command
            // An intended panic thus logs one line instead of a backtrace.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // A group is killed with all its children: the task runner's child is workerd.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
        let process = Self {
            child,
            base: String::new(),
        };
        let (send, receive) = mpsc::channel();
        // Reads to the end, so that the app never writes into a full or closed pipe.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on ") {
                    let _ = send.send(address.trim().to_owned());
                }
            }
        });
        match receive.recv_timeout(START) {
            Ok(base) => Ok(Self { base, ..process }),
            Err(error) => {
                process.kill();
                Err(match error {
                    RecvTimeoutError::Timeout => format!("not listening after {START:?}"),
                    RecvTimeoutError::Disconnected => "it ended before it was listening".to_owned(),
                })
            }
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn kill(mut self) {
        // The group may already be gone.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}
