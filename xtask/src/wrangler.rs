//! The part of a Wrangler configuration that a local workerd can honour.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// The configuration of one Worker.
#[derive(Deserialize)]
pub struct Configuration {
    pub name: String,
    pub compatibility_date: String,
    #[serde(default)]
    pub compatibility_flags: Vec<String>,
    #[serde(default)]
    durable_objects: DurableObjects,
    #[serde(default)]
    migrations: Vec<Migration>,
    #[serde(default)]
    pub vars: BTreeMap<String, Value>,
    pub assets: Option<Assets>,
    /// What a deployment understands and this does not.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
struct DurableObjects {
    bindings: Vec<ObjectBinding>,
}

/// A class of objects and the name it is bound to.
#[derive(Deserialize)]
pub struct ObjectBinding {
    pub name: String,
    pub class_name: String,
    script_name: Option<String>,
}

#[derive(Deserialize)]
struct Migration {
    #[serde(default)]
    new_sqlite_classes: Vec<String>,
}

/// Static files.
#[derive(Deserialize)]
pub struct Assets {
    pub directory: PathBuf,
    pub binding: Option<String>,
}

/// Settings that change nothing here.
const WITHOUT_EFFECT: &[&str] = &[
    "$schema",
    "account_id",
    "build",
    "dev",
    "keep_vars",
    "limits",
    "logpush",
    "main",
    "minify",
    "no_bundle",
    "observability",
    "placement",
    "preview_urls",
    "route",
    "routes",
    "rules",
    "upload_source_maps",
    "workers_dev",
];

impl Configuration {
    pub fn read(app: &Path) -> Result<Self> {
        let path = ["wrangler.jsonc", "wrangler.json"]
            .map(|name| app.join(name))
            .into_iter()
            .find(|path| path.is_file())
            .with_context(|| format!("no wrangler.jsonc in {}", app.display()))?;
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let value: Value =
            jsonc_parser::parse_to_serde_value(&text, &jsonc_parser::ParseOptions::default())
                .with_context(|| format!("{} is not JSON with comments", path.display()))?;
        let configuration: Self = serde_json::from_value(value)
            .with_context(|| format!("{} is not a Wrangler configuration", path.display()))?;
        configuration.check(&path)?;
        Ok(configuration)
    }

    fn check(&self, path: &Path) -> Result<()> {
        for setting in self
            .rest
            .keys()
            .filter(|setting| !WITHOUT_EFFECT.contains(&setting.as_str()))
        {
            eprintln!(
                "{}: `{setting}` has no counterpart on the local workerd",
                path.display()
            );
        }
        for ObjectBinding {
            name,
            class_name,
            script_name,
        } in self.objects()
        {
            if script_name.is_some() {
                bail!(
                    "{}: `{name}` is bound to another Worker, which is not there",
                    path.display()
                );
            }
            if !self
                .migrations
                .iter()
                .any(|migration| migration.new_sqlite_classes.contains(class_name))
            {
                bail!(
                    "{}: the class `{class_name}` is in no migration: add it to `new_sqlite_classes`",
                    path.display()
                );
            }
        }
        Ok(())
    }

    pub fn objects(&self) -> &[ObjectBinding] {
        &self.durable_objects.bindings
    }
}
