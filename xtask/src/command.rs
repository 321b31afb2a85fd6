//! Runs other programs.

use std::ffi::OsStr;
use std::fmt::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Returns a command that runs `cargo`.
///
/// `cargo run`, which started this task, sets variables that describe this crate. Build scripts that
/// read them would run again, and every crate above them would be compiled again.
pub fn cargo() -> Command {
    without_own_variables(Command::new("cargo"))
}

/// As [`cargo`], for a program that runs `cargo`.
pub fn without_own_variables(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let is_of_this_crate =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_of_this_crate) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program. Its output goes to standard error, because standard output belongs to the task.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Returns what a program prints.
pub fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        bail!(
            "`{line}` failed: {}\n{}",
            output.status,
            String::from_utf8_lossy(&printed)
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed what is not UTF-8"))
}

fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args().map(OsStr::to_string_lossy) {
        // Writing to a string cannot fail.
        let _ = write!(line, " {argument}");
    }
    line
}
