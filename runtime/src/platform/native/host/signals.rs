//! The signals that end the process.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// The signals that ask the process to stop. They are caught from the beginning and awaited later.
pub struct Signals {
    runtime: Runtime,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    pub fn catch() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        #[cfg(unix)]
        let (interrupt, terminate) = {
            use tokio::signal::unix::{SignalKind, signal};
            let _entered = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            )
        };
        Ok(Self {
            runtime,
            #[cfg(unix)]
            interrupt,
            #[cfg(unix)]
            terminate,
        })
    }

    /// Returns at the first signal. The next one ends the process.
    pub fn wait(mut self) {
        self.next();
        std::thread::spawn(move || {
            self.next();
            std::process::exit(130);
        });
    }

    #[cfg(unix)]
    fn next(&mut self) {
        let Self {
            runtime,
            interrupt,
            terminate,
        } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
    }

    #[cfg(not(unix))]
    fn next(&mut self) {
        if let Err(error) = self.runtime.block_on(tokio::signal::ctrl_c()) {
            tracing::error!(%error, "signals cannot be awaited: the host stops");
        }
    }
}
