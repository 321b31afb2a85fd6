//! From a crate to what Cloudflare Workers run: `build/index.js` and `build/index_bg.wasm`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command;
use crate::tools::{self, WASM_TARGET};
use crate::workspace::Workspace;

/// The files that make a bundle, below the app's `build` folder.
pub const SCRIPT: &str = "index.js";
pub const WASM: &str = "index_bg.wasm";

/// Asks wasm-bindgen's macros for the code that worker-build expects.
const FLAVOUR: (&str, &str) = ("WASM_BINDGEN_USE_JS_SYS", "1");

pub fn build(workspace: &Workspace, app: &Path, dev: bool) -> Result<()> {
    tools::add_wasm_target()?;
    let worker_build = tools::worker_build(workspace)?;
    let wasm_bindgen = tools::wasm_bindgen(workspace)?;
    let wasm_opt = tools::wasm_opt(workspace)?;
    let esbuild = tools::esbuild(workspace)?;
    // Compiled first, for all to see. What worker-build prints after that is its bundler's warnings
    // about its generator.
    let mut compile = Command::new("cargo");
    compile.args(["build", "--lib", "--target", WASM_TARGET]).env(FLAVOUR.0, FLAVOUR.1);
    if !dev {
        compile.arg("--release");
    }
    command::run(compile.current_dir(app))?;
    command::run_quietly(
        Command::new(worker_build)
            .arg(if dev { "--dev" } else { "--release" })
            .env("WASM_BINDGEN_BIN", wasm_bindgen)
            .env("WASM_OPT_BIN", wasm_opt)
            .env("ESBUILD_BIN", esbuild)
            .current_dir(app),
    )
}
