//! A copy of the repository's files in which bugs are planted. They are never planted in the user's
//! own tree.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::patch::Patch;
use super::scratch;
use crate::command;
use crate::workspace::Workspace;

/// One copy, with a separate target folder.
pub struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Updates copy `number` to the state of the repository's folder, including uncommitted
    /// changes.
    pub fn make(workspace: &Workspace, number: u8) -> Result<Self> {
        let folder = scratch(workspace).join(number.to_string());
        let copy = Self {
            tree: folder.join("tree"),
            target: folder.join("target"),
        };
        let listed = command::output(
            Command::new("git")
                .args(["ls-files", "--cached", "--others", "--exclude-standard"])
                .current_dir(&workspace.root),
        )?;
        let wanted: HashSet<PathBuf> = listed
            .lines()
            .map(PathBuf::from)
            // Omits files that were deleted without a commit.
            .filter(|path| workspace.root.join(path).is_file())
            .collect();
        for path in &wanted {
            refresh(&workspace.root.join(path), &copy.tree.join(path))?;
        }
        for path in files_below(&copy.tree, Path::new(""))? {
            if !wanted.contains(&path) {
                let stale = copy.tree.join(path);
                std::fs::remove_file(&stale)
                    .with_context(|| format!("cannot remove {}", stale.display()))?;
            }
        }
        Ok(copy)
    }

    pub fn tree(&self) -> &Path {
        &self.tree
    }

    pub fn apply(&self, patch: &Patch) -> Result<()> {
        patch.apply(&self.tree)
    }

    pub fn take_back(&self, patch: &Patch) -> Result<()> {
        patch.take_back(&self.tree)
    }

    /// Returns a command that runs in the copy.
    pub fn cargo(&self) -> Command {
        let mut cargo = command::cargo();
        cargo
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // A mutant is not debugged, and linking takes most of the time.
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        cargo
    }
}

/// Copies a file if it differs. An identical file keeps its time, and what was built from it.
fn refresh(from: &Path, to: &Path) -> Result<()> {
    let wanted = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if std::fs::read(to).is_ok_and(|present| present == wanted) {
        return Ok(());
    }
    let write = || {
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(to, &wanted)
    };
    write().with_context(|| format!("cannot write {}", to.display()))
}

/// Returns the files of `root` that are in `folder`, relative to `root`.
fn files_below(root: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let here = root.join(folder);
    let mut found = Vec::new();
    let entries =
        std::fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            found.extend(files_below(root, &path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
