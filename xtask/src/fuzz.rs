//! Runs the fuzz targets of the runtime for longer than the test command does.
//!
//! A target is a test made with `bolero`. When built with `--cfg fuzzing_libfuzzer`, bolero passes
//! its input to libFuzzer, which searches for inputs that reach new code. The counters for this are
//! inserted by a pass of LLVM, which stable Rust can request.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::command;
use crate::workspace::Workspace;

/// Flags for every crate of the test binary. Build scripts and macros are not built with them.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "--cfg=fuzzing_libfuzzer",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
    "-Cdebuginfo=line-tables-only",
];
/// Part of the names of targets. Names of other tests do not contain it.
const MARK: &str = "fuzz::";
/// An input that takes longer than this is a finding.
const SLOWEST: Duration = Duration::from_secs(10);
/// A process that uses more memory than this is a finding, in MiB.
const MEMORY: u32 = 2_048;

#[derive(Args)]
pub struct Options {
    /// Only the targets whose names contain this
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// How many seconds each target runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// # Errors
/// Fails if a target does not build, or if an input has failed.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let binary = build(workspace)?;
    let targets = targets(&binary, options.target.as_deref())?;
    let mut failed = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        eprintln!("\n== {} of {}: {target}", number + 1, targets.len());
        if let Err(error) = fuzz(workspace, &binary, target, options.seconds) {
            eprintln!("error: {error:#}");
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!(
        "inputs were found that fail: {}. They are kept as regressions below `runtime/src`, in `__fuzz__/<target>/crashes`; \
         `cargo nextest run -p anchorhold --all-features --lib <target>` runs them again",
        failed.join(", ")
    )
}

/// Builds the runtime's unit tests for libFuzzer. Returns the path of the binary.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        #[serde(default)]
        executable: Option<PathBuf>,
    }
    let mut cargo = command::cargo();
    cargo
        .args(["test", "--no-run", "--release", "--message-format=json"])
        .args(["-p", "anchorhold", "--all-features", "--lib"])
        // With an explicit target, the flags do not apply to programs that run during the build.
        .args(["--target", &host()?])
        .current_dir(&workspace.root)
        .env("CARGO_TARGET_DIR", workspace.target.join("fuzz"))
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"))
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    let messages = command::output(&mut cargo)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .find_map(|message| message.executable)
        .context("cargo named no test binary")
}

/// Returns the target triple of this machine.
fn host() -> Result<String> {
    let version = command::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

fn targets(binary: &Path, only: Option<&str>) -> Result<Vec<String>> {
    let listed = command::output(Command::new(binary).args(["--list", "--format", "terse"]))?;
    let targets: Vec<String> = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .filter(|name| name.contains(MARK))
        .filter(|name| only.is_none_or(|only| name.contains(only)))
        .map(str::to_owned)
        .collect();
    if targets.is_empty() {
        bail!("no target matches; omit `--target` to run all");
    }
    Ok(targets)
}

fn fuzz(workspace: &Workspace, binary: &Path, target: &str, seconds: u32) -> Result<()> {
    // Inputs found earlier are a start. They are not part of the repository.
    let corpus = workspace
        .target
        .join("fuzz")
        .join("corpus")
        .join(target.replace("::", "."));
    let crashes = crashes(workspace, target)?;
    for folder in [&corpus, &crashes] {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let arguments = [
        corpus.display().to_string(),
        crashes.display().to_string(),
        format!("-artifact_prefix={}/", crashes.display()),
        format!("-max_total_time={seconds}"),
        format!("-timeout={}", SLOWEST.as_secs()),
        format!("-rss_limit_mb={MEMORY}"),
        "-print_final_stats=1".to_owned(),
        "-verbosity=1".to_owned(),
    ];
    if let Some(odd) = arguments.iter().find(|argument| argument.contains(' ')) {
        bail!(
            "bolero splits libFuzzer's arguments at spaces: move the repository out of a folder with one ({odd})"
        );
    }
    let mut fuzzer = Command::new(binary);
    fuzzer
        .args([target, "--exact", "--nocapture", "--test-threads=1"])
        // Bolero resolves its folders relative to the package, in which the test harness runs it.
        .current_dir(workspace.root.join("runtime"))
        .env("BOLERO_LIBFUZZER_ARGS", arguments.join(" "));
    let outcome = command::run(&mut fuzzer);
    // An empty folder would only be noise in `git status`.
    let _ = std::fs::remove_dir(&crashes);
    outcome
}

/// Returns the folder in which bolero looks for inputs that once failed, beside the target's
/// source.
fn crashes(workspace: &Workspace, target: &str) -> Result<PathBuf> {
    let (module, _) = target
        .rsplit_once("::")
        .with_context(|| format!("{target} is in no module"))?;
    let source = workspace
        .root
        .join("runtime/src")
        .join(module.replace("::", "/"));
    let folder = source.parent().context("a source has a folder")?;
    let name = target.replace("::", "__");
    Ok(folder.join("__fuzz__").join(name).join("crashes"))
}
