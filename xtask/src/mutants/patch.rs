//! One planted bug: a unified diff with a header that says what it breaks.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::FOLDER;
use crate::command;
use crate::workspace::Workspace;

/// A patch of `tests/mutants`.
pub struct Patch {
    /// Its file's name without the extension.
    pub name: String,
    path: PathBuf,
    /// How the program misbehaves with it.
    pub breaks: String,
    /// The guarantee or fault that it concerns.
    pub guarantee: String,
    /// Tests beyond the runtime's own, as arguments of `cargo nextest run`.
    pub also: Option<String>,
}

/// Returns every patch whose name contains `only`, sorted by name.
pub fn all(workspace: &Workspace, only: Option<&str>) -> Result<Vec<Patch>> {
    let folder = workspace.root.join(FOLDER);
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut patches = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "patch")
        {
            patches.push(Patch::read(path)?);
        }
    }
    patches.retain(|patch| only.is_none_or(|only| patch.name.contains(only)));
    if patches.is_empty() {
        bail!("no patch in {FOLDER} matches; omit `--only` to use all");
    }
    patches.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(patches)
}

impl Patch {
    fn read(path: PathBuf) -> Result<Self> {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let field = |name: &str| {
            let header = text.lines().take_while(|line| !line.is_empty());
            header
                .filter_map(|line| line.split_once(": "))
                .find_map(|(key, value)| (key == name).then(|| value.to_owned()))
        };
        let needed = |name: &str| {
            field(name).with_context(|| {
                format!(
                    "{}: the header has no line `{name}: …`; it ends at the first empty line",
                    path.display()
                )
            })
        };
        let (breaks, guarantee) = (needed("Breaks")?, needed("Guarantee")?);
        let name = path.file_stem().unwrap_or_default();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            breaks,
            guarantee,
            also: field("Also"),
            path,
        })
    }

    /// # Errors
    /// Fails if the patch does not apply to the sources in `folder`.
    pub fn check(&self, folder: &Path) -> Result<()> {
        self.git_apply(folder, &["--check"])
    }

    pub fn apply(&self, folder: &Path) -> Result<()> {
        self.git_apply(folder, &[])
    }

    pub fn take_back(&self, folder: &Path) -> Result<()> {
        self.git_apply(folder, &["--reverse"])
    }

    fn git_apply(&self, folder: &Path, arguments: &[&str]) -> Result<()> {
        let mut git = Command::new("git");
        git.arg("apply")
            .args(arguments)
            .arg(&self.path)
            .current_dir(folder)
            // In a repository, git would ignore files that are not below the current folder.
            .env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder));
        command::output(&mut git)
            .map(drop)
            .with_context(|| format!("{} does not apply", self.name))
    }
}
