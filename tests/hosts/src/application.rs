//! An app in the two forms in which it runs.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// An app: its program for the embedded host, and its folder with `wrangler.jsonc` for workerd.
#[derive(Clone, Debug)]
pub struct Application {
    embedded: PathBuf,
    folder: PathBuf,
    caller: Option<PathBuf>,
    flag: Option<String>,
    is_built: bool,
}

impl Application {
    /// Creates an app from the paths of its program and of its folder.
    ///
    /// # Panics
    /// Panics if there is no such folder.
    #[must_use]
    pub fn new(embedded: &str, folder: &str) -> Self {
        let folder = Path::new(folder)
            .canonicalize()
            .unwrap_or_else(|error| panic!("{folder}: {error}"));
        Self {
            embedded: embedded.into(),
            folder,
            caller: None,
            flag: None,
            is_built: false,
        }
    }

    /// Places a JavaScript Worker, bound to the app's objects, in front of it (workerd only).
    #[must_use]
    pub fn called_by(mut self, script: &str) -> Self {
        self.caller = Some(script.into());
        self
    }

    /// Adds a compatibility flag to those of the Wrangler configuration (workerd only).
    #[must_use]
    pub fn with_flag(mut self, flag: &str) -> Self {
        self.flag = Some(flag.to_owned());
        self
    }

    /// Uses the existing bundle in the folder (workerd only).
    #[must_use]
    pub fn built_already(mut self) -> Self {
        self.is_built = true;
        self
    }

    /// Returns the program that serves the app on the embedded host.
    pub(crate) fn on_embedded(&self) -> Command {
        let mut command = Command::new(&self.embedded);
        command
            // The program finds its assets from there.
            .current_dir(&self.folder)
            // Makes freed buffers return to the system. docs/guarantees.md tells operators.
            .env("MALLOC_MMAP_THRESHOLD_", "1048576");
        command
    }

    /// Returns the program that serves the app's bundle on workerd. Builds the bundle first.
    pub(crate) fn on_workerd(&self) -> Command {
        if !self.is_built {
            self.build_bundle();
        }
        let mut command = Command::new(self.xtask());
        command
            .current_dir(workspace())
            .args(["workerd", "--prebuilt", "--app"])
            .arg(&self.folder);
        if let Some(caller) = &self.caller {
            command.arg("--caller").arg(caller);
        }
        if let Some(flag) = &self.flag {
            command.arg("--flag").arg(flag);
        }
        command
    }

    /// Returns the task runner, where `cargo xtask build` has left it. With `cargo run` in between,
    /// it would not receive signals.
    fn xtask(&self) -> PathBuf {
        let target = self
            .embedded
            .ancestors()
            .nth(2)
            .expect("a program lies in target/PROFILE");
        target.join("debug/xtask")
    }

    /// Builds the bundle once for all tests of a run. With nextest, every test is a separate
    /// process, so a locked file records which run has built what.
    fn build_bundle(&self) {
        static BUILT: OnceLock<()> = OnceLock::new();
        BUILT.get_or_init(|| {
            let run =
                std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| std::process::id().to_string());
            let name = self
                .folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            let note = self
                .embedded
                .with_file_name(format!("{name}.bundle-built-by"));
            let mut note = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&note)
                .unwrap_or_else(|error| panic!("{}: {error}", note.display()));
            note.lock().expect("no other lock of this process is held");
            let mut built_by = String::new();
            note.read_to_string(&mut built_by)
                .expect("the note is text");
            if built_by == run {
                return;
            }
            self.run_build();
            note.set_len(0)
                .and_then(|()| note.rewind())
                .and_then(|()| note.write_all(run.as_bytes()))
                .expect("the note can be written");
        });
    }

    fn run_build(&self) {
        let output = Command::new(env!("CARGO"))
            .current_dir(workspace())
            .args(["xtask", "build", "--app"])
            .arg(&self.folder)
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "the bundle of {} could not be built; `cargo xtask build --app {0}` says:\n{}{}",
            self.folder.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
