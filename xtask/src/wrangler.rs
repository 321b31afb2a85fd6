//! The part of a Wrangler configuration that a local workerd supports.

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
    /// Settings that a deployment supports and this does not.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
struct DurableObjects {
    bindings: Vec<ObjectBinding>,
}

/// A class of objects, and the name to which it is bound.
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

/// Settings without an effect here.
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

/// Before this date errors lose their name and code between Workers
/// (`enhanced_error_serialization`). Evicted objects are freed from 2025-05-05 on, and `deleteAll`
/// deletes the alarm from 2026-02-24 on.
pub const EARLIEST_DATE: &str = "2026-04-21";

/// Flags that undo what the date enables.
const REFUSED_FLAGS: &[&str] = &[
    "legacy_error_serialization",
    "no_handle_cross_request_promise_resolution",
];

/// The parts of a configuration that every build checks.
#[derive(Deserialize)]
struct Compatibility {
    compatibility_date: Option<String>,
    #[serde(default)]
    compatibility_flags: Vec<String>,
}

impl Compatibility {
    fn check(&self, path: &Path) -> Result<()> {
        let path = path.display();
        let Some(date) = &self.compatibility_date else {
            bail!("{path}: `compatibility_date` is missing; must be {EARLIEST_DATE} or later");
        };
        if !is_date(date) {
            bail!(
                "{path}: `compatibility_date` is {date:?}; must be a date such as \"{EARLIEST_DATE}\""
            );
        }
        // Dates in this form sort as text.
        if date.as_str() < EARLIEST_DATE {
            bail!(
                "{path}: `compatibility_date` is {date:?}; must be {EARLIEST_DATE} or later: before \
                 that, errors lose their name and code between Workers"
            );
        }
        for flag in REFUSED_FLAGS {
            if self.compatibility_flags.iter().any(|set| set == flag) {
                bail!(
                    "{path}: remove `{flag}` from `compatibility_flags`: anchorhold needs the default"
                );
            }
        }
        Ok(())
    }
}

fn is_date(text: &str) -> bool {
    let form = text
        .bytes()
        .map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    form.eq(*b"0000-00-00")
}

/// Refuses an app whose compatibility date is too early. Accepts apps that have neither
/// `wrangler.jsonc` nor `wrangler.json`.
pub fn check_compatibility(app: &Path) -> Result<()> {
    let Some(path) = file_of(app) else {
        return Ok(());
    };
    let compatibility: Compatibility = serde_json::from_value(parse(&path)?)
        .with_context(|| format!("{} is not a Wrangler configuration", path.display()))?;
    compatibility.check(&path)
}

fn file_of(app: &Path) -> Option<PathBuf> {
    ["wrangler.jsonc", "wrangler.json"]
        .map(|name| app.join(name))
        .into_iter()
        .find(|path| path.is_file())
}

fn parse(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    jsonc_parser::parse_to_serde_value(&text, &jsonc_parser::ParseOptions::default())
        .with_context(|| format!("{} is not JSON with comments", path.display()))
}

impl Configuration {
    pub fn read(app: &Path) -> Result<Self> {
        let path =
            file_of(app).with_context(|| format!("no wrangler.jsonc in {}", app.display()))?;
        check_compatibility(app)?;
        let value = parse(&path)?;
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
                    "{}: `{name}` is bound to another Worker, which is not available here",
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::Compatibility;

    fn refusal(configuration: Value) -> Option<String> {
        let compatibility: Compatibility =
            serde_json::from_value(configuration).expect("the form of a configuration");
        let checked = compatibility.check(Path::new("app/wrangler.jsonc"));
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn dates_that_are_too_early_are_refused_with_file_date_and_minimum() {
        for date in ["2024-09-23", "2025-05-05", "2026-04-20"] {
            let message = refusal(json!({ "compatibility_date": date })).expect("too early");
            for part in ["app/wrangler.jsonc", date, "2026-04-21"] {
                assert!(message.contains(part), "{message}");
            }
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for date in [
            "",
            "2026",
            "2026-4-21",
            "21.04.2026",
            "2026-04-21 ",
            "yyyy-mm-dd",
        ] {
            let message = refusal(json!({ "compatibility_date": date })).expect("no date");
            assert!(message.contains("must be a date"), "{message}");
        }
        assert!(refusal(json!({})).is_some_and(|message| message.contains("missing")));
    }

    #[test]
    fn the_minimum_and_later_dates_pass_unless_a_flag_takes_them_back() {
        for date in ["2026-04-21", "2026-11-01", "2030-01-01"] {
            assert_eq!(refusal(json!({ "compatibility_date": date })), None);
            let flags = json!({
                "compatibility_date": date,
                "compatibility_flags": ["legacy_error_serialization"],
            });
            assert!(refusal(flags).is_some_and(|message| message.contains("remove")));
        }
    }
}
