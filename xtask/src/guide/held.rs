//! Each code block of the guide is run by a test, or compared with a file that a test runs.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use serde_json::Value;

use super::blocks::{Block, Source, blocks};
use super::{pages, read, root};
use crate::Arguments;
use crate::workspace::Workspace;

/// Files that include pages, and the languages whose blocks they test: as documentation tests, by
/// comparison with their own tests, and by sending the requests shown.
const INCLUDING: &[(&str, &[&str])] = &[
    ("runtime/src/lib.rs", &["rust"]),
    (
        "runtime/tests/simulations/documented/mod.rs",
        &["rust", "text"],
    ),
    ("runtime/tests/rate_limiter/http.rs", &["http", "sh"]),
];
/// The manifest with the features of the ready-made objects.
const RUNTIME: &str = "runtime/Cargo.toml";
/// The configuration with the bindings of the ready-made objects.
const DEMO: &str = "examples/demo/wrangler.jsonc";

/// Command lines of other programs, so that a new one is noticed. Those of `cargo xtask` are
/// parsed.
const KNOWN: &[&str] = &[
    "cargo build --release",
    "cargo check --lib --target wasm32-unknown-unknown",
    "cargo install worker-build --version 0.8.7",
    "cargo run",
    "cargo test",
    "cd ../my-app",
    "cp -r examples/starter ../my-app",
    "npx wrangler deploy",
    "npx wrangler dev",
    "npx wrangler login",
    "npx wrangler secret put API_KEY",
    "npx wrangler tail",
    "rustup target add wasm32-unknown-unknown",
    "sudo chown -R starter: /var/lib/starter",
    "sudo install -d /usr/local/share/starter",
    "sudo install target/release/starter /usr/local/bin/starter",
    "sudo mv /var/lib/starter /var/lib/starter.old",
    "sudo sh examples/hosting/backup.sh /var/lib/starter /var/backups/starter.tar.gz",
    "sudo sh examples/hosting/restore.sh /var/backups/starter.tar.gz /var/lib/starter",
    "sudo systemctl daemon-reload",
    "sudo systemctl enable --now starter",
    "sudo systemctl start starter",
    "sudo systemctl stop starter",
    "sudo useradd --system starter",
];

/// The destination to which the guide copies the starter.
const COPY: &str = "../my-app";
const STARTER: &str = "examples/starter";

/// Blocks of pages about objects: the page, the language, and words that must be both in the block
/// and in the file with the actual code.
const NAMED: &[(&str, &str, &str, &[&str])] = &[
    (
        "docs/objects/chat-room.md",
        "js",
        "runtime/src/objects/chat_room/protocol.rs",
        &["client_id", "text"],
    ),
    (
        "docs/objects/scheduled-task.md",
        "ts",
        "runtime/src/objects/scheduled_task/mod.rs",
        &["start(", "history("],
    ),
];

/// Checks that a file or a test covers a block.
fn check(root: &Path, block: &Block<'_>) -> Result<()> {
    match block.source {
        Source::PartOf(file) => {
            let text = read(root, file)?;
            ensure!(
                format!("\n{text}").contains(&format!("\n{}", block.text)),
                "is not a part of {file}: copy the lines"
            );
            return Ok(());
        }
        Source::RequestsOf(file) => return check_requests(&read(root, file)?, &block.text),
        Source::Unsaid => {}
    }
    for (page, language, file, words) in NAMED {
        if (*page, *language) == (block.page, block.language) {
            let text = read(root, file)?;
            for word in *words {
                ensure!(block.text.contains(word), "lacks `{word}`");
                ensure!(text.contains(word), "{file} lacks `{word}`");
            }
            return Ok(());
        }
    }
    let included = format!("../{}\"", block.page);
    for (file, languages) in INCLUDING {
        if languages.contains(&block.language) && read(root, file)?.contains(&included) {
            return Ok(());
        }
    }
    match block.language {
        "sh" => block
            .text
            .lines()
            .try_for_each(|line| check_command(root, line)),
        "toml" => check_features(&read(root, RUNTIME)?, &block.text),
        "jsonc" => check_bindings(&read(root, DEMO)?, &block.text),
        "" => bail!("has no language"),
        language => bail!(
            "no test holds `{language}` of this page: say `<!-- part of FILE -->` above the block, or \
             include the page in a test"
        ),
    }
}

/// Checks that each `curl` sends a body and a path that the test also sends.
fn check_requests(test: &str, commands: &str) -> Result<()> {
    for line in commands.lines() {
        let Some(words) = line.strip_prefix("curl ") else {
            bail!("`{line}` is not a request by curl");
        };
        let body = words
            .split_once("-d '")
            .and_then(|(_, rest)| rest.split('\'').next());
        ensure!(
            body.is_none_or(|body| test.contains(body)),
            "no test sends the body of `{line}`"
        );
        let path = words
            .split_once("://")
            .and_then(|(_, address)| Some(address[address.find('/')?..].trim_end_matches('\'')));
        let path = path.with_context(|| format!("`{line}` has no address"))?;
        ensure!(
            test.contains(&format!("\"{path}\"")),
            "no test sends a request to `{path}`"
        );
    }
    Ok(())
}

fn check_command(root: &Path, line: &str) -> Result<()> {
    if line.starts_with("cargo xtask ") {
        let words = line.split_whitespace().skip(1);
        Arguments::try_parse_from(words.clone())?;
        let app = words.skip_while(|word| *word != "--app").nth(1);
        let app = app.map(|app| if app == COPY { STARTER } else { app });
        ensure!(
            app.is_none_or(|app| root.join(app).join("Cargo.toml").is_file()),
            "`{line}` names no app"
        );
        return Ok(());
    }
    ensure!(
        KNOWN.contains(&line),
        "`{line}` is a new command: try it, and add it to the list in {}",
        file!()
    );
    Ok(())
}

/// Checks the features that a dependency on anchorhold requests.
fn check_features(manifest: &str, block: &str) -> Result<()> {
    let (_, features) = block
        .split_once("features = [")
        .context("is not a dependency on anchorhold: say `<!-- part of FILE -->` above it")?;
    for feature in features.split('"').skip(1).step_by(2) {
        ensure!(
            manifest.contains(&format!("\n{feature} = [")),
            "anchorhold has no feature `{feature}`"
        );
    }
    Ok(())
}

/// Checks that the bindings of a ready-made object are those of the demo.
fn check_bindings(demo: &str, block: &str) -> Result<()> {
    let parse = |text: &str| -> Result<Value> {
        Ok(jsonc_parser::parse_to_serde_value(
            text,
            &jsonc_parser::ParseOptions::default(),
        )?)
    };
    let (demo, block) = (parse(demo)?, parse(&format!("{{{block}}}"))?);
    let bindings = |of: &Value| of["durable_objects"]["bindings"].as_array().cloned();
    let known = bindings(&demo).context("the demo has bindings")?;
    for binding in bindings(&block).context("has no bindings")? {
        ensure!(known.contains(&binding), "the demo does not have {binding}");
        let classes = block["migrations"][0]["new_sqlite_classes"].as_array();
        ensure!(
            classes.is_some_and(|classes| classes.contains(&binding["class_name"])),
            "{binding} is in no migration"
        );
    }
    Ok(())
}

#[test]
fn every_code_block_is_held_by_a_test() -> Result<()> {
    let root = root()?;
    let mut loose = Vec::new();
    for page in pages(&root)? {
        for block in blocks(&page) {
            if let Err(why) = check(&root, &block) {
                loose.push(format!("{}:{}: {why:#}", block.page, block.line));
            }
        }
    }
    assert!(loose.is_empty(), "{}", loose.join("\n"));
    Ok(())
}

/// A block whose language is not tested, and one that differs from its file.
#[test]
fn loose_blocks_are_found() -> Result<()> {
    let root = root()?;
    let text = "```yaml\na: 1\n```\n\n<!-- part of Cargo.toml -->\n```toml\nnothing = true\n```\n\n\
                ```sh\nrm -rf x\ncargo xtask nonsense\n```\n\n```rust\nlet a = 1;\n```\n";
    let page = super::Page {
        path: "docs/no-such-page.md".to_owned(),
        text: text.to_owned(),
    };
    let found = blocks(&page);
    assert_eq!(found.len(), 4);
    for block in &found {
        assert!(check(&root, block).is_err(), "{}", block.text);
    }
    Ok(())
}

#[test]
fn commands_name_the_version_of_the_tool_that_is_installed() {
    let version = crate::tools::WORKER_BUILD;
    assert!(KNOWN.contains(&format!("cargo install worker-build --version {version}").as_str()));
}

#[test]
fn configurations_of_the_examples_fit_together() -> Result<()> {
    let root = Workspace::find()?.root;
    let read = |path: &str| -> Result<Value> {
        Ok(jsonc_parser::parse_to_serde_value(
            &read(&root, path)?,
            &jsonc_parser::ParseOptions::default(),
        )?)
    };
    crate::wrangler::Configuration::read(&root.join(STARTER))?;
    let (demo, caller) = (read(DEMO)?, read("examples/caller/wrangler.jsonc")?);
    let bindings = |of: &Value| of["durable_objects"]["bindings"].as_array().cloned();
    let known = bindings(&demo).context("the demo has bindings")?;
    for mut binding in bindings(&caller).context("the caller has bindings")? {
        let script = binding
            .as_object_mut()
            .and_then(|binding| binding.remove("script_name"));
        assert_eq!(script.as_ref(), Some(&demo["name"]));
        assert!(known.contains(&binding), "the demo does not have {binding}");
    }
    Ok(())
}
