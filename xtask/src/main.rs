//! Set-up, builds, tests and the local workerd of this repository: `cargo xtask help`.

mod bench;
mod browser;
mod bundle;
mod capnp;
mod command;
mod compile_cost;
mod features;
mod fuzz;
#[cfg(test)]
mod guide;
mod layers;
mod mutants;
mod run_folder;
mod sim;
mod steps;
mod suite;
mod tools;
mod workerd;
mod workspace;
mod wrangler;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workerd::Options;
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Set-up, builds, tests and the local workerd of this repository"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what the other tasks need into the target folder. They also do this automatically
    Setup,
    /// Builds an app for Cloudflare Workers into its `build` folder
    Build {
        /// The app's folder, where its Wrangler configuration is
        #[arg(long, default_value = "examples/demo")]
        app: PathBuf,
        /// Builds faster and larger, with assertions and debug names
        #[arg(long)]
        dev: bool,
        /// Lets panics unwind, so that a panic resets only its own object. Rebuilds the standard
        /// library, with a nightly toolchain
        #[arg(long)]
        panic_unwind: bool,
    },
    /// Builds an app and serves it on workerd, without Wrangler
    Workerd {
        /// The app's folder, where its Wrangler configuration is
        #[arg(long, default_value = "examples/demo")]
        app: PathBuf,
        /// The port on 127.0.0.1; 0 picks a free one
        #[arg(long, default_value_t = 8788)]
        port: u16,
        /// The folder of the objects' databases. If not given, `.anchorhold/workerd` in the app's
        /// folder
        #[arg(long)]
        data: Option<PathBuf>,
        /// Builds faster and larger, with assertions and debug names
        #[arg(long)]
        dev: bool,
        /// Serves the last build without building again
        #[arg(long, conflicts_with = "dev")]
        prebuilt: bool,
        /// A Worker in JavaScript that is served in front of the app and bound to its objects
        #[arg(long, value_name = "FILE")]
        caller: Option<PathBuf>,
        /// A compatibility flag in addition to those of the Wrangler configuration
        #[arg(long, value_name = "FLAG")]
        flag: Vec<String>,
    },
    /// Tests the demo's page in a real browser, at the address of a running host. The test
    /// `browser` of `tests/hosts` does this on both hosts
    Browser {
        /// For example `http://127.0.0.1:8787`
        address: String,
    },
    /// Takes the README's screenshots of the demo's page: `docs/demo.png` (light) and
    /// `docs/demo-dark.png`
    Screenshots,
    /// Lints the runtime crate with each of its cargo features alone, and with none
    Features,
    /// Runs every check and test; see `xtask/src/steps.rs` for the list
    Test,
    /// Fuzzes the runtime, guided by coverage, for longer than the tests do
    Fuzz(fuzz::Options),
    /// Prints the files that import each other in a circle, the table of layers, and its violations
    Layers,
    /// Applies the bugs of `tests/mutants` one by one to a copy of the repository, and records
    /// which test finds each bug
    Mutants(mutants::Options),
    /// Runs the simulations with many seeds, and sums up what they went through
    Sim(sim::Options),
    /// Measures anchorhold, workers-rs and TypeScript in one run, and prints the ratios
    Bench(bench::Options),
    /// Measures what `#[durable_object]` costs the compiler, by the number of methods
    CompileCost(compile_cost::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match task {
        Task::Setup => tools::install_all(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Build {
            app,
            dev,
            panic_unwind,
        } => {
            let app = workspace.app(&app)?;
            if panic_unwind {
                bundle::build_unwinding(&workspace, &app, dev)?;
            } else {
                bundle::build(&workspace, &app, dev)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Workerd {
            app,
            port,
            data,
            dev,
            prebuilt,
            caller,
            flag,
        } => {
            let app = workspace.app(&app)?;
            if !prebuilt {
                bundle::build(&workspace, &app, dev)?;
            }
            let options = Options {
                app: &app,
                caller: caller.as_deref(),
                flags: &flag,
                port,
                data: &data.unwrap_or_else(|| app.join(".anchorhold/workerd")),
            };
            workerd::serve(&workspace, &options).map(|()| ExitCode::SUCCESS)
        }
        Task::Browser { address } => {
            browser::test(&workspace, &address).map(|()| ExitCode::SUCCESS)
        }
        Task::Screenshots => browser::screenshots(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Features => features::lint(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Test => suite::run(&workspace),
        Task::Layers => layers::run(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Fuzz(options) => fuzz::run(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Task::Mutants(options) => mutants::run(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Task::Sim(options) => sim::run(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Task::Bench(options) => bench::run(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Task::CompileCost(options) => {
            compile_cost::run(&workspace, &options).map(|()| ExitCode::SUCCESS)
        }
    }
}
