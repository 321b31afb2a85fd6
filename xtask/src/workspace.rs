//! The locations of the repository and its crates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::command;

/// The repository and its target folder.
#[derive(Deserialize)]
pub struct Workspace {
    #[serde(rename = "workspace_root")]
    pub root: PathBuf,
    /// Follows `CARGO_TARGET_DIR`.
    #[serde(rename = "target_directory")]
    pub target: PathBuf,
    packages: Vec<Package>,
}

/// A crate of the repository.
#[derive(Deserialize)]
pub struct Package {
    name: String,
    pub features: BTreeMap<String, Vec<String>>,
}

impl Workspace {
    pub fn find() -> Result<Self> {
        Self::of(Path::new("."))
    }

    /// Returns the workspace of a crate, which may be outside the repository.
    pub fn of(folder: &Path) -> Result<Self> {
        let metadata = command::output(
            command::cargo()
                .args(["metadata", "--format-version=1", "--no-deps"])
                .current_dir(folder),
        )?;
        serde_json::from_str(&metadata).context("cannot read what `cargo metadata` printed")
    }

    /// Returns an app's folder, given relative to the working directory or to the repository.
    pub fn app(&self, path: &Path) -> Result<PathBuf> {
        let candidates = [PathBuf::from(path), self.root.join(path)];
        match candidates
            .iter()
            .find(|folder| folder.join("Cargo.toml").is_file())
        {
            Some(folder) => folder
                .canonicalize()
                .with_context(|| format!("cannot open {}", folder.display())),
            None => bail!(
                "no app at {}: a folder with a Cargo.toml is expected",
                path.display()
            ),
        }
    }

    pub fn package(&self, name: &str) -> Result<&Package> {
        let mut packages = self.packages.iter();
        packages
            .find(|package| package.name == name)
            .with_context(|| format!("the repository has no crate `{name}`"))
    }

    /// Returns the version of a package in the lock file.
    pub fn locked_version(&self, package: &str) -> Result<String> {
        let path = self.root.join("Cargo.lock");
        let lock = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let name = format!("name = \"{package}\"");
        let version = lock
            .split("[[package]]")
            .find(|entry| entry.lines().any(|line| line == name))
            .and_then(|entry| {
                entry
                    .lines()
                    .find_map(|line| line.strip_prefix("version = "))
            });
        match version {
            Some(version) => Ok(version.trim_matches('"').to_owned()),
            None => bail!("{} has no package `{package}`", path.display()),
        }
    }
}
