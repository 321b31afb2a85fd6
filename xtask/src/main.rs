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
    /// Installs what the other tasks need into the target folder. They do it themselves, too
    Setup,
    /// Builds an app for Cloudflare Workers into its `build` folder
    Build {
        /// The app's folder, where its Wrangler configuration is
        #[arg(long, default_value = "examples/demo")]
        app: PathBuf,
        /// Builds faster and larger, with assertions and debug names
        #[arg(long)]
        dev: bool,
        /// Lets panics unwind, so that one resets its own object only. Builds the standard library
        /// anew, with a nightly toolchain
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
        /// Where the objects' databases are kept; `.anchorhold/workerd` in the app's folder if not given
        #[arg(long)]
        data: Option<PathBuf>,
        /// Builds faster and larger, with assertions and debug names
        #[arg(long)]
        dev: bool,
        /// Serves what the last build made
        #[arg(long, conflicts_with = "dev")]
        prebuilt: bool,
        /// A Worker in JavaScript to stand in front of the app, bound to the app's objects
        #[arg(long, value_name = "FILE")]
        caller: Option<PathBuf>,
        /// A compatibility flag beside those of the Wrangler configuration
        #[arg(long, value_name = "FLAG")]
        flag: Vec<String>,
    },
    /// Tries the demo's page in a real browser, at the address of a host that runs. The test
    /// `browser` of `tests/hosts` does, on both hosts
    Browser {
        /// For example `http://127.0.0.1:8787`
        address: String,
    },
    /// Takes the pictures of the demo's page that the README shows: `docs/demo.png`, by day, and
    /// `docs/demo-dark.png`
    Screenshots,
    /// Lints the runtime crate with each of its cargo features alone, and with none
    Features,
    /// Runs every check and test; see `xtask/src/steps.rs` for the list
    Test,
    /// Looks for inputs that break the runtime, coverage-guided, for longer than the tests do
    Fuzz(fuzz::Options),
    /// Shows the files of each crate that import each other in a circle
    Layers,
    /// Plants the bugs of `tests/mutants` one by one in a copy of the repository, and says which test
    /// finds each
    Mutants(mutants::Options),
    /// Runs the simulations of the ready-made objects with many seeds, and says what they went through
    Sim(sim::Options),
    /// Measures anchorhold beside workers-rs and TypeScript, and prints the ratios
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
