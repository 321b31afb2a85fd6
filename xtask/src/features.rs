//! Lints the runtime crate as an app uses it that enables one of its features, or none.

use anyhow::{Context, Result};

use crate::command;
use crate::workspace::Workspace;

const CRATE: &str = "anchorhold";

pub fn lint(workspace: &Workspace) -> Result<()> {
    let package = workspace.package(CRATE)?;
    let alone = package.features.keys().map(String::as_str);
    for features in alone.chain([""]) {
        let mut clippy = command::cargo();
        clippy
            .args(["clippy", "--quiet", "-p", CRATE, "--no-default-features"])
            .args(["--features", features, "--", "-D", "warnings"])
            .current_dir(&workspace.root);
        command::run(&mut clippy).with_context(|| format!("with the features `{features}`"))?;
    }
    Ok(())
}
