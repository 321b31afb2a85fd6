//! Measures what `#[durable_object]` costs the compiler: objects of 1, 10 and 100 methods, in this
//! state and in an earlier one.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::command;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// Also measures an earlier state of anchorhold: a folder where it is checked out
    #[arg(long, value_name = "CHECKOUT")]
    before: Option<PathBuf>,
    /// How many times each object is compiled. The fastest run counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

const SIZES: [usize; 3] = [1, 10, 100];

/// One object's cost.
struct Cost {
    /// The processor time of `cargo check`.
    check: Duration,
    /// The lines of the crate after macro expansion.
    lines: usize,
    /// The time of the compiler's pass that expands macros.
    expansion: Duration,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.target.join("compile-cost");
    let mut versions = vec![("now", workspace.root.clone())];
    if let Some(before) = &options.before {
        let root = before
            .canonicalize()
            .with_context(|| format!("no checkout at {}", before.display()))?;
        versions.push(("before", root));
    }
    println!("version  methods  check, ms  expansion, ms  lines");
    for (name, root) in versions {
        let probe = Probe::new(
            &folder.join(format!("probe-{name}")),
            &root,
            &workspace.target,
        )?;
        let mut costs = Vec::new();
        for methods in SIZES {
            let cost = probe.measure(methods, options.rounds)?;
            let (check, expansion) = (millis(cost.check), millis(cost.expansion));
            println!(
                "{name:8} {methods:7} {check:10.0} {expansion:14.1} {:6}",
                cost.lines
            );
            costs.push(cost);
        }
        for (few, many) in [(0, 1), (1, 2)] {
            println!("{name:8} {}", each_more(&costs, few, many));
        }
    }
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Returns the cost of one more method between two sizes. If the cost is linear, both lines are
/// equal.
#[expect(clippy::cast_precision_loss, reason = "figures to read")]
fn each_more(costs: &[Cost], few: usize, many: usize) -> String {
    let methods = (SIZES[many] - SIZES[few]) as f64;
    let each = |of: &dyn Fn(&Cost) -> f64| (of(&costs[many]) - of(&costs[few])) / methods;
    format!(
        "each from {} to {}: {:.2} ms of check, {:.3} ms of expansion, {:.1} lines",
        SIZES[few],
        SIZES[many],
        each(&|cost| millis(cost.check)),
        each(&|cost| millis(cost.expansion)),
        each(&|cost| cost.lines as f64),
    )
}

/// A crate with one object.
struct Probe {
    folder: PathBuf,
    target: PathBuf,
    wrapper: PathBuf,
}

impl Probe {
    fn new(folder: &Path, root: &Path, target: &Path) -> Result<Self> {
        fs::create_dir_all(folder.join("src"))
            .with_context(|| format!("cannot make {}", folder.display()))?;
        // The profile is the workspace's, so that their dependencies are compiled alike.
        let manifest = format!(
            "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\nanchorhold = {{ path = {:?} }}\n\n[profile.dev]\ndebug = \"line-tables-only\"\n",
            root.join("runtime")
        );
        fs::write(folder.join("Cargo.toml"), manifest)?;
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        // Stable compilers do not print the times of passes or the expansion.
        let wrapper = folder.join("rustc.sh");
        fs::write(&wrapper, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec \"$@\"\n")?;
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            folder: folder.to_owned(),
            target: target.to_owned(),
            wrapper,
        })
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = command::cargo();
        cargo
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "0")
            .env("RUSTC_WORKSPACE_WRAPPER", &self.wrapper);
        cargo
    }

    fn measure(&self, methods: usize, rounds: usize) -> Result<Cost> {
        self.write(methods, 0)?;
        command::run(&mut self.cargo(&["check", "--quiet"]))?;
        let mut check = Duration::MAX;
        for round in 1..=rounds {
            self.write(methods, round)?;
            let before = processor_time()?;
            command::run(&mut self.cargo(&["check", "--quiet"]))?;
            check = check.min(processor_time()?.saturating_sub(before));
        }
        let rustc = ["rustc", "--quiet", "--profile=check", "--"];
        let expanded = [&rustc[..], &["-Zunpretty=expanded"]].concat();
        let lines = command::output(&mut self.cargo(&expanded))?.lines().count();
        let mut expansion = Duration::MAX;
        for round in 1..=rounds {
            self.write(methods, rounds + round)?;
            let passes = [&rustc[..], &["-Ztime-passes", "-Ztime-passes-format=json"]].concat();
            expansion = expansion.min(expansion_time(&mut self.cargo(&passes))?);
        }
        Ok(Cost {
            check,
            lines,
            expansion,
        })
    }

    /// Writes the object. Each round has a different text, so that cargo compiles it again.
    fn write(&self, methods: usize, round: usize) -> Result<()> {
        let mut text = format!(
            "//! Round {round}.\n\nuse anchorhold::prelude::*;\n\n#[durable_object]\npub struct Probe {{\n    value: u64,\n}}\n\n#[durable_object]\nimpl Probe {{\n"
        );
        for number in 0..methods {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", method(number));
        }
        text.push_str("}\n");
        fs::write(self.folder.join("src/lib.rs"), text).context("cannot write the probe")
    }
}

/// Returns a method. The kinds alternate.
fn method(number: usize) -> String {
    match number % 4 {
        0 => format!(
            "    #[rpc]\n    #[post(\"/add{number}\")]\n    fn add_{number}(&mut self, by: u64, note: Option<String>) -> Result<u64, Error> {{\n        let _ = note;\n        self.value += by;\n        Ok(self.value)\n    }}"
        ),
        1 => format!(
            "    #[get(\"/find{number}/{{id}}\")]\n    fn find_{number}(&self, id: u64, text: &str) -> String {{\n        format!(\"{{id}} {{text}}\")\n    }}"
        ),
        2 => format!(
            "    #[rpc]\n    async fn read_{number}(&self, ctx: &Ctx, name: String) -> Result<Option<u64>, StorageError> {{\n        ctx.storage().get(&name)\n    }}"
        ),
        _ => format!(
            "    #[rpc]\n    fn touch_{number}(&mut self) {{\n        self.value += {number};\n    }}"
        ),
    }
}

/// Returns the processor time of all finished child processes.
fn processor_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("cannot read the processor time")?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

fn expansion_time(rustc: &mut Command) -> Result<Duration> {
    const PASS: &str = "\"pass\":\"macro_expand_crate\",\"time\":";
    let output = rustc.output().context("cannot run cargo")?;
    let printed = String::from_utf8_lossy(&output.stderr);
    let seconds = printed
        .lines()
        .find_map(|line| line.split_once(PASS)?.1.split(',').next()?.parse().ok())
        .with_context(|| format!("the compiler says no time of its expansion:\n{printed}"))?;
    Ok(Duration::from_secs_f64(seconds))
}
