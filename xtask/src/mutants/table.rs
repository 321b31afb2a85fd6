//! The table in `tests/mutants/README.md`, which each run updates.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::FOLDER;
use super::hunt::Found;
use super::patch::{self, Patch};
use crate::workspace::Workspace;

const HEAD: &str = "| mutant | breaks | guarantee | found first by | tests | general test | s |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n";

/// The rows by the names of their mutants, and the text before the rows.
pub struct Table {
    path: PathBuf,
    introduction: String,
    rows: BTreeMap<String, String>,
}

impl Table {
    /// Reads the table of the last run, without the rows of deleted patches.
    pub fn read(workspace: &Workspace) -> Result<Self> {
        let path = workspace.root.join(FOLDER).join("README.md");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let (introduction, table) = text
            .split_once(HEAD)
            .with_context(|| format!("{} has no table that begins\n{HEAD}", path.display()))?;
        let known = patch::all(workspace, None)?;
        let name_of = |row: &str| row.split('`').nth(1).map(str::to_owned);
        let rows = table
            .lines()
            .filter_map(|row| Some((name_of(row)?, row.to_owned())))
            .filter(|(name, _)| known.iter().any(|patch| patch.name == *name))
            .collect();
        Ok(Self {
            path,
            introduction: introduction.to_owned(),
            rows,
        })
    }

    pub fn knows(&self, patch: &Patch) -> bool {
        self.rows.contains_key(&patch.name)
    }

    pub fn enter(&mut self, patch: Patch, found: Found) {
        let Patch {
            name,
            breaks,
            guarantee,
            ..
        } = patch;
        let quoted =
            |test: Option<&str>| test.map_or("none".to_owned(), |test| format!("`{test}`"));
        let row = format!(
            "| `{name}` | {breaks} | {guarantee} | {} | {} | {} | {:.0} |",
            quoted(found.by.first().map(String::as_str)),
            found.by.len(),
            quoted(found.general.as_deref()),
            found.took.as_secs_f32()
        );
        self.rows.insert(name, row);
    }

    pub fn write(&self) -> Result<()> {
        let mut text = format!("{}{HEAD}", self.introduction);
        for row in self.rows.values() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{row}");
        }
        std::fs::write(&self.path, text)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}
