//! Tests the demo's page in a real browser: the scripts of `tests/browser`, and what they need.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::tools;
use crate::workspace::Workspace;

/// Runs the tests of the page against a running host. The script requests on standard output that
/// the host is killed and restarted, and reads on standard input that this was done. See
/// `tests/browser/host.mjs`.
pub fn test(workspace: &Workspace, address: &str) -> Result<()> {
    run(script(workspace, "page.mjs")?.arg(address))
}

/// Starts the demo on an empty folder, fills it with conversations, and takes pictures of it.
pub fn screenshots(workspace: &Workspace) -> Result<()> {
    let data = workspace.target.join("screenshots");
    // Messages of an earlier run would be visible in the pictures.
    let _ = std::fs::remove_dir_all(&data);
    let mut demo = Demo::start(workspace, &data)?;
    let address = demo.address()?;
    let folder = workspace.root.join("docs");
    run(script(workspace, "screenshots.mjs")?
        .arg(address)
        .arg(folder))
}

/// Creates a command for Node with a script. The script finds the tools in its environment.
fn script(workspace: &Workspace, name: &str) -> Result<Command> {
    let mut command = Command::new("node");
    command
        .arg(workspace.root.join("tests/browser").join(name))
        .env("PLAYWRIGHT", tools::playwright(workspace)?)
        .env("CHROMIUM", tools::chromium(workspace)?)
        // The folder for pictures of failures.
        .env("PICTURES", workspace.target.join("browser"));
    Ok(command)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .context("node is needed, from nodejs.org or your system's packages")?;
    if !status.success() {
        bail!("the browser script failed: {status}");
    }
    Ok(())
}

/// The demo on the embedded host. It ends when this is dropped.
struct Demo(Child);

impl Demo {
    fn start(workspace: &Workspace, data: &Path) -> Result<Self> {
        command::run(
            command::cargo()
                .args(["build", "-p", "demo"])
                .current_dir(&workspace.root),
        )?;
        let child = Command::new(workspace.target.join("debug/demo"))
            .args(["--port", "0", "--data"])
            .arg(data)
            // The host finds its assets from there.
            .current_dir(workspace.root.join("examples/demo"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run the demo")?;
        Ok(Self(child))
    }

    fn address(&mut self) -> Result<String> {
        let output = self.0.stdout.take().context("standard output is piped")?;
        BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listening on ")?.1.trim().to_owned()))
            .context("the demo ended before it was listening")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
