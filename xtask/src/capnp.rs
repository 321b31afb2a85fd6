//! Writes workerd's own configuration, which is text in Cap'n Proto's language.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bundle::{SCRIPT, WASM};
use crate::wrangler::Configuration;

/// The script that turns files into responses. See `assets.js`.
pub const ASSETS_SCRIPT: &str = "assets.js";
/// The Worker that a test places in front of the app.
pub const CALLER_SCRIPT: &str = "caller.js";

/// The network of `fetch`. workerd's default excludes private addresses. Wrangler's local mode
/// includes them, so that a developer's other services can be reached.
const INTERNET: &str = "(name = \"internet\", network = (allow = [\"public\", \"private\"], tlsOptions = (trustBrowserCas = true)))";

/// The paths of a run's parts.
pub struct Run<'a> {
    pub configuration: &'a Configuration,
    pub port: u16,
    pub data: &'a Path,
    pub assets: Option<&'a Path>,
    pub has_caller: bool,
}

/// Returns the configuration. Scripts are embedded from its own folder.
pub fn write(run: &Run<'_>) -> Result<String> {
    let entry = if run.has_caller { "caller" } else { "app" };
    let mut services = format!(
        "    (name = \"app\", worker = .app),\n    {INTERNET},\n    (name = \"data\", disk = (path = {}, writable = true)),\n",
        path(run.data)?
    );
    let mut workers = app(run)?;
    if run.has_caller {
        services.push_str("    (name = \"caller\", worker = .caller),\n");
        workers.push_str(&caller(run.configuration));
    }
    if let Some(folder) = run.assets {
        write!(
            services,
            "    (name = \"assets\", worker = .assets),\n    (name = \"files\", disk = (path = {})),\n",
            path(folder)?
        )?;
        workers.push_str(&assets(run.configuration));
    }
    Ok(format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\n\
         const config :Workerd.Config = (\n  \
           services = [\n{services}  ],\n  \
           sockets = [(name = \"http\", address = \"127.0.0.1:{}\", http = (), service = \"{entry}\")],\n\
         );\n{workers}",
        run.port
    ))
}

fn app(run: &Run<'_>) -> Result<String> {
    let Run { configuration, .. } = run;
    let mut namespaces = String::new();
    let mut bindings = String::new();
    for object in configuration.objects() {
        let class = text(&object.class_name);
        // Composed as in Wrangler's own local mode.
        let key = text(&format!("{}-{}", configuration.name, object.class_name));
        writeln!(
            namespaces,
            "    (className = {class}, uniqueKey = {key}, enableSql = true),"
        )?;
        writeln!(
            bindings,
            "    (name = {}, durableObjectNamespace = {class}),",
            text(&object.name)
        )?;
    }
    for (name, value) in &configuration.vars {
        let name = text(name);
        match value {
            Value::String(value) => {
                writeln!(bindings, "    (name = {name}, text = {}),", text(value))?
            }
            value => writeln!(
                bindings,
                "    (name = {name}, json = {}),",
                text(&value.to_string())
            )?,
        }
    }
    if let Some(binding) = configuration
        .assets
        .as_ref()
        .and_then(|assets| assets.binding.as_ref())
    {
        writeln!(
            bindings,
            "    (name = {}, service = \"assets\"),",
            text(binding)
        )?;
    }
    let modules = format!(
        "    (name = \"{SCRIPT}\", esModule = embed \"{SCRIPT}\"),\n    (name = \"{WASM}\", wasm = embed \"{WASM}\"),\n"
    );
    Ok(worker(
        "app",
        configuration,
        &modules,
        &bindings,
        &format!(
            "  durableObjectNamespaces = [\n{namespaces}  ],\n  durableObjectStorage = (localDisk = \"data\"),\n"
        ),
    ))
}

fn caller(configuration: &Configuration) -> String {
    let mut bindings = String::from("    (name = \"APP\", service = \"app\"),\n");
    for object in configuration.objects() {
        bindings.push_str(&format!(
            "    (name = {}, durableObjectNamespace = (className = {}, serviceName = \"app\")),\n",
            text(&object.name),
            text(&object.class_name)
        ));
    }
    let modules =
        format!("    (name = \"{CALLER_SCRIPT}\", esModule = embed \"{CALLER_SCRIPT}\"),\n");
    worker("caller", configuration, &modules, &bindings, "")
}

fn assets(configuration: &Configuration) -> String {
    let modules =
        format!("    (name = \"{ASSETS_SCRIPT}\", esModule = embed \"{ASSETS_SCRIPT}\"),\n");
    worker(
        "assets",
        configuration,
        &modules,
        "    (name = \"FILES\", service = \"files\"),\n",
        "",
    )
}

fn worker(
    name: &str,
    configuration: &Configuration,
    modules: &str,
    bindings: &str,
    more: &str,
) -> String {
    let flags: Vec<_> = configuration
        .compatibility_flags
        .iter()
        .map(|flag| text(flag))
        .collect();
    format!(
        "\nconst {name} :Workerd.Worker = (\n  modules = [\n{modules}  ],\n  bindings = [\n{bindings}  ],\n\
         {more}  compatibilityDate = {},\n  compatibilityFlags = [{}],\n);\n",
        text(&configuration.compatibility_date),
        flags.join(", ")
    )
}

fn path(path: &Path) -> Result<String> {
    let path = path
        .to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(text(path))
}

fn text(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn text_is_escaped() {
        assert_eq!(text("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
    }
}
