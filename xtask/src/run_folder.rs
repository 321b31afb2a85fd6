//! The files of one run of workerd: its configuration, and a copy of the bundle, so that a later
//! build does not change what runs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bundle::{SCRIPT, WASM};
use crate::capnp::{self, ASSETS_SCRIPT, CALLER_SCRIPT, Run};
use crate::workerd::Options;
use crate::wrangler::Configuration;

/// The folder. It is removed when this is dropped.
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Creates the folder. `data` is the folder of the databases, which must exist.
    pub fn create(target: &Path, options: &Options<'_>, data: &Path) -> Result<Self> {
        let mut configuration = Configuration::read(options.app)?;
        let flags = &mut configuration.compatibility_flags;
        // workerd refuses duplicate flags.
        flags.extend(options.flags.iter().cloned());
        flags.sort();
        flags.dedup();
        let name = format!("{}-{}", configuration.name, std::process::id());
        let folder = Self(target.join("workerd").join(name));
        fs::create_dir_all(&folder.0)
            .with_context(|| format!("cannot create {}", folder.0.display()))?;
        for file in [SCRIPT, WASM] {
            let from = options.app.join("build").join(file);
            fs::copy(&from, folder.0.join(file)).with_context(|| {
                format!(
                    "{} is missing: `cargo xtask build` makes it",
                    from.display()
                )
            })?;
        }
        if let Some(caller) = options.caller {
            fs::copy(caller, folder.0.join(CALLER_SCRIPT))
                .with_context(|| format!("cannot read {}", caller.display()))?;
        }
        let assets = configuration
            .assets
            .as_ref()
            .map(|assets| options.app.join(&assets.directory));
        if assets.is_some() {
            fs::write(folder.0.join(ASSETS_SCRIPT), include_str!("assets.js"))?;
        }
        let text = capnp::write(&Run {
            configuration: &configuration,
            port: options.port,
            data,
            assets: assets.as_deref(),
            has_caller: options.caller.is_some(),
        })?;
        fs::write(folder.configuration(), text)?;
        Ok(folder)
    }

    pub fn configuration(&self) -> PathBuf {
        self.0.join("config.capnp")
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // At worst the folder remains in the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
