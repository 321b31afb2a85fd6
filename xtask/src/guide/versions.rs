//! Tests that the versions in the guide are those of the code.

use anyhow::{Context, Result};

use super::{read, root};
use crate::workspace::Workspace;
use crate::{tools, wrangler};

#[test]
fn versions_are_those_of_the_code() -> Result<()> {
    let root = root()?;
    let manifest = read(&root, "Cargo.toml")?;
    let rust = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .context("the manifest states Rust's version")?
        .trim_matches('"');
    let worker = Workspace::find()?.locked_version("worker")?;
    let page = read(&root, "docs/versions.md")?;
    for row in [
        format!("| Rust | {rust} or later |"),
        format!("| `worker` | {worker} |"),
        format!("| `worker-build` | {} |", tools::WORKER_BUILD),
        format!(
            "| compatibility date of the Wrangler configuration | {} or later |",
            wrangler::EARLIEST_DATE
        ),
        format!("| workerd, for the tests | {} |", tools::WORKERD),
    ] {
        assert!(page.contains(&row), "docs/versions.md lacks {row}");
    }
    let stated = format!("Rust {rust} or later");
    assert!(read(&root, "docs/start.md")?.contains(&stated), "{stated}");
    let stated = format!("must be {} or later", wrangler::EARLIEST_DATE);
    assert!(read(&root, "docs/deploy.md")?.contains(&stated), "{stated}");
    let image = format!("FROM rust:{rust}-");
    assert!(
        read(&root, "examples/hosting/Dockerfile")?.contains(&image),
        "{image}"
    );
    let stated = format!("rust-version = \"{rust}\"");
    assert!(
        read(&root, "examples/starter/Cargo.toml")?.contains(&stated),
        "{stated}"
    );
    Ok(())
}
