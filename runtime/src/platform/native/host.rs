//! The embedded host, from the command line to a graceful shutdown.

mod failure;
mod folder;
mod signals;

use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Parser;
use failure::Failure;
use signals::Signals;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::clock::Clock;
use super::executor::disk::{Disk, Folder};
use super::executor::work::{Command, Inbound};
use super::executor::{Parts, Shard};
use super::kernel::Limits;
use super::network::admission::Admission;
use super::network::assets;
use super::network::outgoing::Outgoing;
use super::network::proxies::Network;
use super::network::server::Server;
use super::random::Random;
use super::store::{Descriptors, Files, Index, IndexWriter};
use crate::app::App;
use crate::turn::user_code;

/// How long running turns may take to finish after a signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long databases may take to close after that, and callers to read that they were cut off.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many connections can wait to be accepted. The system may allow fewer. With the standard
/// library's 128, further simultaneous connections are delayed by a second, until their systems
/// retry.
const BACKLOG: i32 = 4_096;
const POLL: Duration = Duration::from_millis(10);

/// Serves an app of Durable Objects.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
    /// The folder that holds all state
    #[arg(long, default_value = ".anchorhold")]
    data: PathBuf,
    /// A proxy whose `X-Forwarded-For` names the client: an address or a network; may be repeated
    #[arg(long = "trusted-proxy", value_name = "ADDRESS")]
    trusted_proxies: Vec<Network>,
}

/// Runs the embedded host: an HTTP and WebSocket server with one SQLite database per object.
///
/// Takes `--port` (8787; 0 picks a free one), `--host` (127.0.0.1), `--data` (`./.anchorhold`) and
/// `--trusted-proxy` (none; see [`Request::client_address`](crate::Request::client_address)) from the
/// command line. Prints `state in DIR` and `listening on http://HOST:PORT` to standard
/// output once connections are accepted.
///
/// Shuts down gracefully on SIGINT and SIGTERM. Running turns have at most 10 seconds to finish,
/// and sockets are closed with 1001. A turn that has not ended by then is rolled back, and its
/// caller receives 503 `reset`.
///
/// The data folder is readable by its owner only, and remains so. Its file `key` is part of the
/// data: a folder that was used and lost its key is refused. The limit of file descriptors is
/// raised as far as the system allows (`ulimit -Hn`). Half of them are for objects in memory, of
/// which there are at most 256 for each core. The other half is for connections. A build with
/// `panic = "abort"` is refused.
///
/// Warnings and errors are written to standard error. To log more, or to another place, set a
/// `tracing` subscriber before calling this function.
///
/// ```no_run
/// # use anchorhold::App;
/// fn main() -> std::process::ExitCode {
///     anchorhold::serve(|| App::new().assets("public"))
/// }
/// ```
pub fn serve(app: fn() -> App) -> ExitCode {
    let arguments = Arguments::parse();
    log_to_standard_error();
    match run(app, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn log_to_standard_error() {
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(tracing::Level::WARN);
    let log = if io::stderr().is_terminal() {
        log
    } else {
        // Escapes would end up in a file or a log collector.
        log.with_ansi(false)
    };
    // Fails if the application has set a subscriber, which is then used.
    let _ = log.try_init();
}

fn run(app: fn() -> App, arguments: &Arguments) -> Result<(), Failure> {
    if cfg!(panic = "abort") {
        return Err(Failure(
            "this program was built with panic = \"abort\": a panic in one object would end the process, and all others with it. Remove that line from the profile in Cargo.toml, or build with another profile"
                .to_owned(),
        ));
    }
    let put_together = app();
    if let [first, ..] = put_together.mistakes() {
        return Err(Failure(format!("invalid app: {first}")));
    }
    if let Some(folder) = put_together.assets {
        assets::warn_if_missing(folder);
    }
    let root = folder::make(&arguments.data)?;
    let _lock = folder::lock(&root)?;
    // Read before the index is created, because an index marks the folder as used.
    let key = folder::key(&root)?;
    let files =
        Files::new(&root, Descriptors::of_process()).map_err(|error| Failure(error.to_string()))?;
    let files = Arc::new(files);
    let index = Index::open(&files, &root.join("index.sqlite"))
        .map_err(|error| Failure(error.to_string()))?;
    let index = Arc::new(index);
    let index_writer = IndexWriter::start(Arc::clone(&index))
        .map_err(Failure::io("starting the thread of the index in", &root))?;
    let folder = Arc::new(Folder {
        files,
        index,
        index_writer,
        key,
        root: root.clone(),
    });

    let address = SocketAddr::new(arguments.host, arguments.port);
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure(format!(
            "listening on {address}: {error}; choose another --port, or 0 for a free one"
        ))
    })?;
    socket2::SockRef::from(&listener)
        .listen(BACKLOG)
        .map_err(Failure::io("listening in", &root))?;
    let bound = listener
        .local_addr()
        .map_err(Failure::io("listening in", &root))?;
    listener
        .set_nonblocking(true)
        .map_err(Failure::io("listening in", &root))?;

    // From here on a signal lets running turns finish.
    let signals = Signals::catch().map_err(Failure::io("catching signals in", &root))?;
    let shards = Shards::start(app, &folder, &listener, arguments)?;
    println!("state in {}", root.display());
    println!("listening on http://{bound}");
    let _ = io::stdout().flush();

    signals.wait();
    shards.stop();
    Ok(())
}

/// Allows as many objects in memory as there are descriptors for.
fn limits(descriptors: &Descriptors, shards: usize) -> Limits {
    let limits = Limits::default();
    Limits {
        resident_objects: limits
            .resident_objects
            .min(descriptors.objects_of_each(shards)),
        ..limits
    }
}

/// The threads of a running host.
struct Shards {
    inboxes: Arc<[UnboundedSender<Inbound>]>,
    reports: mpsc::Receiver<Report>,
    threads: Vec<JoinHandle<()>>,
}

/// What a shard's thread reports to the main thread.
enum Report {
    Started,
    NotStarted(io::Error),
    Drained,
}

impl Shards {
    fn start(
        app: fn() -> App,
        folder: &Arc<Folder>,
        listener: &TcpListener,
        arguments: &Arguments,
    ) -> Result<Self, Failure> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let (inboxes, receivers): (Vec<_>, Vec<_>) =
            (0..count).map(|_| unbounded_channel()).unzip();
        let inboxes: Arc<[_]> = inboxes.into();
        let admission = Arc::new(Admission::new(folder.files.descriptors(), count));
        let trusted_proxies: Arc<[_]> = arguments.trusted_proxies.as_slice().into();
        let (report, reports) = mpsc::channel();
        let mut threads = Vec::with_capacity(count);
        for (number, inbox) in receivers.into_iter().enumerate() {
            let seat = Seat {
                app,
                number,
                folder: Arc::clone(folder),
                admission: Arc::clone(&admission),
                trusted_proxies: Arc::clone(&trusted_proxies),
                listener: listener
                    .try_clone()
                    .map_err(|error| Failure(error.to_string()))?,
                inboxes: Arc::clone(&inboxes),
                inbox,
                report: report.clone(),
                limits: limits(folder.files.descriptors(), count),
            };
            let thread = std::thread::Builder::new().name(format!("shard-{number}"));
            let thread = thread
                .spawn(move || seat.run())
                .map_err(|error| Failure(error.to_string()))?;
            threads.push(thread);
        }
        for _ in 0..count {
            match reports.recv() {
                Ok(Report::NotStarted(error)) => {
                    return Err(Failure(format!("a shard did not start: {error}")));
                }
                Ok(Report::Started | Report::Drained) => {}
                Err(_) => return Err(Failure("a shard did not start".to_owned())),
            }
        }
        Ok(Self {
            inboxes,
            reports,
            threads,
        })
    }

    /// Drains all shards first, because running turns may call objects on any shard. Then ends all.
    fn stop(self) {
        self.tell(|| Inbound::Drain);
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        for _ in 0..self.threads.len() {
            if self
                .reports
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .is_err()
            {
                tracing::warn!(
                    "turns that did not finish within {} s are cut off",
                    DRAIN_TIMEOUT.as_secs()
                );
                break;
            }
        }
        self.tell(|| Inbound::Stop);
        let deadline = Instant::now() + CLOSE_TIMEOUT + Duration::from_secs(1);
        for thread in self.threads {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(POLL);
            }
        }
    }

    fn tell(&self, message: impl Fn() -> Inbound) {
        for inbox in self.inboxes.iter() {
            // A shard that is gone need not be told.
            let _ = inbox.send(message());
        }
    }
}

/// What a shard's thread is started with.
struct Seat {
    app: fn() -> App,
    number: usize,
    folder: Arc<Folder>,
    admission: Arc<Admission>,
    trusted_proxies: Arc<[Network]>,
    listener: TcpListener,
    inboxes: Arc<[UnboundedSender<Inbound>]>,
    inbox: UnboundedReceiver<Inbound>,
    report: mpsc::Sender<Report>,
    limits: Limits,
}

impl Seat {
    fn run(self) {
        let report = self.report.clone();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        let ran = runtime.and_then(|runtime| runtime.block_on(self.serve()));
        if let Err(error) = ran {
            // The main thread waits for this report while it starts.
            let _ = report.send(Report::NotStarted(error));
        }
    }

    async fn serve(self) -> io::Result<()> {
        let Self {
            app,
            number,
            folder,
            admission,
            trusted_proxies,
            listener,
            inboxes,
            mut inbox,
            report,
            limits,
        } = self;
        let app = user_code::call(app)
            .map_err(|_| io::Error::other("the function that makes the app panicked"))?;
        let disk = Disk::folder(folder, number, &inboxes[number])?;
        let parts = Parts {
            number,
            inboxes,
            disk,
            clock: Clock::system(),
            random: Random::System,
            outgoing: Outgoing::network()?,
            simulation: None,
            limits,
        };
        let shard = Shard::new(parts, &app.objects);
        shard.start_tasks();
        let server = Server::new(Rc::clone(&shard), app, admission, trusted_proxies);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::task::spawn_local(Rc::clone(&server).accept(listener));
        let _ = report.send(Report::Started);

        if shard.receive(&mut inbox).await == Command::Drain {
            server.drain();
            shard.drain();
            tokio::task::spawn_local(report_when_quiet(
                Rc::clone(&shard),
                Rc::clone(&server),
                report,
            ));
            while shard.receive(&mut inbox).await != Command::Stop {}
        }
        close(&shard, &server, &mut inbox).await;
        Ok(())
    }
}

async fn report_when_quiet(shard: Rc<Shard>, server: Rc<Server>, report: mpsc::Sender<Report>) {
    while !(server.is_quiet() && shard.is_quiet() && !shard.has_sockets()) {
        tokio::time::sleep(POLL).await;
    }
    let _ = report.send(Report::Drained);
}

/// Ends the remaining turns, tells their callers, and closes the databases.
async fn close(shard: &Rc<Shard>, server: &Server, inbox: &mut UnboundedReceiver<Inbound>) {
    let deadline = Instant::now() + CLOSE_TIMEOUT;
    shard.evict_all();
    shard.cut_off_all();
    while (shard.evict_all() > 0 || !server.is_quiet()) && Instant::now() < deadline {
        // Only results of closing arrive now.
        let _ = tokio::time::timeout(POLL, shard.receive(inbox)).await;
    }
}
