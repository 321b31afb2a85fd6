//! From a crate to what Cloudflare Workers run: `build/index.js` and `build/index_bg.wasm`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command;
use crate::tools;
use crate::workspace::Workspace;

/// The files that make a bundle, below the app's `build` folder.
pub const SCRIPT: &str = "index.js";
pub const WASM: &str = "index_bg.wasm";

pub fn build(workspace: &Workspace, app: &Path, dev: bool) -> Result<()> {
    tools::add_wasm_target()?;
    command::run(
        Command::new(tools::worker_build(workspace)?)
            .arg(if dev { "--dev" } else { "--release" })
            .env("WASM_BINDGEN_BIN", tools::wasm_bindgen(workspace)?)
            .env("WASM_OPT_BIN", tools::wasm_opt(workspace)?)
            .env("ESBUILD_BIN", tools::esbuild(workspace)?)
            .current_dir(app),
    )
}
