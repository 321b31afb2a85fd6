//! The programs that are compared, and how each is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::server::Server;
use crate::bundle;
use crate::command;
use crate::tools;
use crate::workspace::Workspace;

pub(super) const ANCHORHOLD: &str = "anchorhold";
pub(super) const EMBEDDED: &str = "anchorhold, embedded host";
pub(super) const HAND_WRITTEN: &str = "workers-rs by hand";
pub(super) const TYPESCRIPT: &str = "TypeScript";
/// The program of the checkout that `--before` names.
pub(super) const ANCHORHOLD_BEFORE: &str = "anchorhold before";
pub(super) const EMBEDDED_BEFORE: &str = "embedded host before";
/// Serves all ways of the Worker backend's design.
pub(super) const CHOICES: &str = "choices";

/// The folder of the programs.
pub(super) const APPS: &str = "xtask/bench";

/// Where programs come from, and where they leave their data.
pub(super) struct Programs<'a> {
    pub(super) workspace: &'a Workspace,
    /// A checkout of an earlier state.
    pub(super) before: Option<PathBuf>,
    pub(super) data: &'a Path,
}

impl Programs<'_> {
    /// Builds and launches a program.
    pub(super) fn start(&self, program: &'static str) -> Result<Server> {
        self.build(program)?;
        self.launch(program)
    }

    fn before(&self) -> Result<&Path> {
        self.before.as_deref().context("no earlier state is named")
    }

    /// The folder of a program's app.
    fn app(&self, program: &str) -> Result<PathBuf> {
        let (root, name) = match program {
            ANCHORHOLD => (self.workspace.root.as_path(), "anchorhold"),
            ANCHORHOLD_BEFORE => (self.before()?, "anchorhold"),
            HAND_WRITTEN => (self.workspace.root.as_path(), "hand-written"),
            TYPESCRIPT => (self.workspace.root.as_path(), "typescript"),
            CHOICES => (self.workspace.root.as_path(), "choices"),
            _ => bail!("there is no program `{program}`"),
        };
        Ok(root.join(APPS).join(name))
    }

    /// Builds a program. Those in JavaScript need no build.
    fn build(&self, program: &str) -> Result<()> {
        let embedded = |root: &Path, target: &Path| {
            command::run(
                command::cargo()
                    .args(["build", "--quiet", "--release", "-p", "bench-anchorhold"])
                    .env("CARGO_TARGET_DIR", target)
                    .current_dir(root),
            )
        };
        match program {
            TYPESCRIPT | CHOICES => Ok(()),
            EMBEDDED => embedded(&self.workspace.root, &self.workspace.target),
            EMBEDDED_BEFORE => embedded(self.before()?, &self.before()?.join("target")),
            _ => bundle::build(self.workspace, &self.app(program)?, false),
        }
    }

    /// Starts a program that is built. Its data folder is empty if it has never run.
    pub(super) fn launch(&self, program: &'static str) -> Result<Server> {
        let data = self.data.join(program);
        let mut command = match program {
            EMBEDDED | EMBEDDED_BEFORE => {
                let target = match program {
                    EMBEDDED => self.workspace.target.clone(),
                    _ => self.before()?.join("target"),
                };
                let mut command = Command::new(target.join("release/bench-anchorhold"));
                command.args(["--port", "0", "--data"]).arg(data);
                command
            }
            TYPESCRIPT | CHOICES => {
                fs::create_dir_all(&data)?;
                let mut command = Command::new(tools::workerd(self.workspace)?);
                command
                    .args(["serve", "--control-fd=1", "--directory-path"])
                    .arg(format!("data={}", data.display()))
                    .arg(self.app(program)?.join("config.capnp"));
                command
            }
            _ => {
                let mut command = Command::new(std::env::current_exe()?);
                command
                    .args(["workerd", "--prebuilt", "--port", "0", "--app"])
                    .arg(self.app(program)?)
                    .arg("--data")
                    .arg(data);
                command
            }
        };
        Server::start(program, &mut command)
    }
}
