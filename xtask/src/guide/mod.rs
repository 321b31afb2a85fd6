//! The guide in `docs/`: tests of its code blocks, limits, messages and links.

mod blocks;
mod held;
mod limits;
mod links;
mod messages;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// A file, by its path in the repository with `/` between the folders.
struct Page {
    path: String,
    text: String,
}

fn root() -> Result<PathBuf> {
    Ok(Workspace::find()?.root)
}

fn read(root: &Path, path: &str) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))
}

/// Reads the pages in `docs/`, sorted.
fn pages(root: &Path) -> Result<Vec<Page>> {
    files_below(root, "docs", "md")
}

/// Reads the files in a folder whose names have this extension, sorted.
fn files_below(root: &Path, folder: &str, extension: &str) -> Result<Vec<Page>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(root.join(folder)).with_context(|| format!("cannot read {folder}"))?;
    for entry in entries {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            found.extend(files_below(root, &path, extension)?);
        } else if entry.path().extension().is_some_and(|its| its == extension) {
            let text = read(root, &path)?;
            found.push(Page { path, text });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Returns the cells of a line if it is a row of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix("| ")?.strip_suffix('|')?;
    Some(row.split(" | ").map(str::trim).collect())
}
