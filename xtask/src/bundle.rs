//! Builds what Cloudflare Workers run from a crate: `build/index.js` and `build/index_bg.wasm`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::command;
use crate::tools;
use crate::workspace::Workspace;
use crate::wrangler;

/// The files of a bundle, in the app's `build` folder.
pub const SCRIPT: &str = "index.js";
pub const WASM: &str = "index_bg.wasm";

/// A file beside them that identifies their sources.
const MADE_FROM: &str = ".made-from";

/// Builds the bundle, unless the existing one was built from the same sources. The size optimiser
/// takes half a minute even if nothing has changed.
pub fn build(workspace: &Workspace, app: &Path, dev: bool) -> Result<()> {
    wrangler::check_compatibility(app)?;
    tools::add_wasm_target()?;
    let wasm = compile(app, dev)?;
    let programs = Programs::find(workspace, app)?;
    let changed = fs::metadata(&wasm)
        .and_then(|metadata| metadata.modified())
        .with_context(|| format!("cannot read {}", wasm.display()))?;
    let made_from = format!("{wasm:?} {changed:?} {programs:?}");
    let build = app.join("build");
    let is_there = [SCRIPT, WASM].iter().all(|file| build.join(file).is_file());
    if is_there && fs::read_to_string(build.join(MADE_FROM)).is_ok_and(|known| known == made_from) {
        return Ok(());
    }
    command::run(&mut programs.worker_build(app, dev))?;
    fs::write(build.join(MADE_FROM), made_from)
        .with_context(|| format!("cannot write to {}", build.display()))
}

/// Builds the bundle so that panics unwind. `worker-build` installs what it needs of a nightly
/// toolchain.
pub fn build_unwinding(workspace: &Workspace, app: &Path, dev: bool) -> Result<()> {
    wrangler::check_compatibility(app)?;
    let made_from = app.join("build").join(MADE_FROM);
    if made_from.exists() {
        fs::remove_file(&made_from)
            .with_context(|| format!("cannot remove {}", made_from.display()))?;
    }
    // A new app has no lock file yet. An existing lock file is not changed.
    command::output(
        command::cargo()
            .args(["metadata", "--format-version", "1"])
            .current_dir(app),
    )?;
    let mut command = Programs::find(workspace, app)?.worker_build(app, dev);
    command::run(command.arg("--panic-unwind"))
}

/// The programs that build a bundle.
#[derive(Debug)]
struct Programs {
    worker_build: PathBuf,
    wasm_bindgen: PathBuf,
    wasm_opt: PathBuf,
    esbuild: PathBuf,
}

impl Programs {
    /// Finds the programs for an app that has a lock file.
    fn find(workspace: &Workspace, app: &Path) -> Result<Self> {
        Ok(Self {
            worker_build: tools::worker_build(workspace)?,
            wasm_bindgen: tools::wasm_bindgen_for(workspace, &Workspace::of(app)?)?,
            wasm_opt: tools::wasm_opt(workspace)?,
            esbuild: tools::esbuild(workspace)?,
        })
    }

    fn worker_build(&self, app: &Path, dev: bool) -> Command {
        let mut command = command::without_own_variables(Command::new(&self.worker_build));
        command
            .arg(if dev { "--dev" } else { "--release" })
            .env("WASM_BINDGEN_BIN", &self.wasm_bindgen)
            .env("WASM_OPT_BIN", &self.wasm_opt)
            .env("ESBUILD_BIN", &self.esbuild)
            .current_dir(app);
        command
    }
}

/// The relevant part of what cargo reports about a compiled crate.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Compiles as `worker-build` will, and returns the WebAssembly module. The app's own is the last
/// one.
fn compile(app: &Path, dev: bool) -> Result<PathBuf> {
    let output = command::cargo()
        .args(["build", "--lib", "--target=wasm32-unknown-unknown"])
        .arg("--message-format=json-render-diagnostics")
        .args((!dev).then_some("--release"))
        .current_dir(app)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{} does not compile for workerd", app.display());
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter(|artifact| artifact.reason == "compiler-artifact")
        .flat_map(|artifact| artifact.filenames)
        .rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        .with_context(|| {
            format!(
                "{} does not build a WebAssembly module: its Cargo.toml needs\n\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]",
                app.display()
            )
        })
}
