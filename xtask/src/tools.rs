//! The tools for building and serving a bundle. They are installed once into `target/tools`.
//!
//! They come from the Rust and npm registries by name and exact version, so that two machines build
//! the same bundle. Each is in a folder named after its version. A folder that exists is complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::workspace::Workspace;

pub const WORKER_BUILD: &str = "0.8.7";
pub const WORKERD: &str = "1.20261117.1";
const BINARYEN: &str = "132.0.0";
const ESBUILD: &str = "0.28.2";
const PLAYWRIGHT: &str = "1.65.1";

/// The names of Chromium on various systems.
const BROWSERS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// The target for which bundles are compiled.
const WASM_TARGET: &str = "wasm32-unknown-unknown";

type Tool = fn(&Workspace) -> Result<PathBuf>;

/// Installs the tools that are compiled, in addition to those that are downloaded.
pub fn install_all(workspace: &Workspace) -> Result<()> {
    const COMPILED: &[Tool] = &[worker_build, wasm_bindgen];
    const DOWNLOADED: &[Tool] = &[wasm_opt, esbuild, workerd, playwright, chromium];
    add_wasm_target()?;
    thread::scope(|scope| {
        let compiled = scope.spawn(|| install_each(workspace, COMPILED));
        install_each(workspace, DOWNLOADED)?;
        match compiled.join() {
            Ok(installed) => installed,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn install_each(workspace: &Workspace, tools: &[Tool]) -> Result<()> {
    for tool in tools {
        println!("{}", tool(workspace)?.display());
    }
    Ok(())
}

/// Adds the target for which bundles are compiled, if it is missing.
pub fn add_wasm_target() -> Result<()> {
    let libraries = command::output(Command::new("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        WASM_TARGET,
    ]))?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    eprintln!("adding the target {WASM_TARGET}");
    command::run(Command::new("rustup").args(["target", "add", WASM_TARGET])).with_context(|| {
        format!("Rust's standard library for {WASM_TARGET} is missing; without rustup, install it in the way that you installed Rust")
    })
}

pub fn worker_build(workspace: &Workspace) -> Result<PathBuf> {
    let options = ["--bin", "worker-build"];
    cargo_tool(workspace, "worker-build", WORKER_BUILD, &options)
}

pub fn wasm_bindgen(workspace: &Workspace) -> Result<PathBuf> {
    wasm_bindgen_for(workspace, workspace)
}

/// Returns the program in exactly the version with which the bundle was compiled. An app outside
/// the repository has its own lock file for this.
pub fn wasm_bindgen_for(workspace: &Workspace, app: &Workspace) -> Result<PathBuf> {
    let version = app.locked_version("wasm-bindgen")?;
    let options = ["--no-default-features", "--bin", "wasm-bindgen"];
    cargo_tool(workspace, "wasm-bindgen-cli", &version, &options)
}

pub fn wasm_opt(workspace: &Workspace) -> Result<PathBuf> {
    let folder = npm_tool(workspace, "binaryen", BINARYEN)?;
    existing(folder.join("binaryen/bin/wasm-opt"))
}

pub fn esbuild(workspace: &Workspace) -> Result<PathBuf> {
    let folder = npm_tool(workspace, "esbuild", ESBUILD)?;
    of_this_platform(&folder.join("@esbuild"), "bin/esbuild")
}

pub fn workerd(workspace: &Workspace) -> Result<PathBuf> {
    let folder = npm_tool(workspace, "workerd", WORKERD)?;
    of_this_platform(&folder.join("@cloudflare"), "bin/workerd")
}

/// Returns the library that drives a browser. It does not include a browser.
pub fn playwright(workspace: &Workspace) -> Result<PathBuf> {
    let folder = npm_tool(workspace, "playwright-core", PLAYWRIGHT)?;
    existing(folder.join("playwright-core/index.mjs"))
}

/// Returns the browser on this machine. Installs one on Debian if run as root.
pub fn chromium(_: &Workspace) -> Result<PathBuf> {
    if let Some(path) = browser() {
        return Ok(path);
    }
    if nix::unistd::geteuid().is_root() && Path::new("/etc/debian_version").is_file() {
        eprintln!("installing Debian's chromium");
        let apt = |arguments: &[&str]| {
            command::run(
                Command::new("apt-get")
                    .args(["-q", "-y", "-o", "DPkg::Lock::Timeout=300"])
                    .args(arguments)
                    .env("DEBIAN_FRONTEND", "noninteractive"),
            )
        };
        apt(&["update"])?;
        apt(&["install", "--no-install-recommends", "chromium"])?;
    }
    browser().context(
        "the tests of the demo's page need Chromium or Chrome on the PATH (on Debian `apt-get install chromium`); \
         then run `cargo xtask setup`",
    )
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    BROWSERS.iter().find_map(|name| {
        std::env::split_paths(&path)
            // For an absolute name, `join` ignores the folder.
            .map(|folder| folder.join(name))
            .find(|program| program.is_file())
    })
}

fn cargo_tool(
    workspace: &Workspace,
    package: &str,
    version: &str,
    options: &[&str],
) -> Result<PathBuf> {
    let program = package.trim_end_matches("-cli");
    let folder = install(workspace, package, version, |folder| {
        command::run(
            command::cargo()
                .args(["install", package, "--version", &format!("={version}")])
                // Optimising them takes minutes, and saves only seconds per bundle.
                .arg("--debug")
                .args(options)
                .arg("--root")
                .arg(folder)
                // A separate folder, because a build would otherwise wait for the lock of the
                // workspace's artefacts.
                .arg("--target-dir")
                .arg(workspace.target.join("tools/build"))
                .env("CARGO_INSTALL_ROOT", folder),
        )
    })?;
    existing(
        folder
            .join("bin")
            .join(format!("{program}{}", std::env::consts::EXE_SUFFIX)),
    )
}

/// Installs an npm package and returns its `node_modules`. Scripts of packages are not run.
fn npm_tool(workspace: &Workspace, package: &str, version: &str) -> Result<PathBuf> {
    let folder = install(workspace, package, version, |folder| {
        // Without its own package.json, npm would search the parent folders for one.
        fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        command::run(
            Command::new("npm")
                .args([
                    "install",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--loglevel=error",
                ])
                .arg(format!("{package}@{version}"))
                .current_dir(folder),
        )
        .context("npm is needed: it comes with Node, from nodejs.org or your system's packages")
    })?;
    Ok(folder.join("node_modules"))
}

fn install(
    workspace: &Workspace,
    package: &str,
    version: &str,
    install_into: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let tools = workspace.target.join("tools");
    let folder = tools.join(format!("{package}-{version}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    eprintln!(
        "installing {package} {version} into {}; this takes some minutes, once",
        tools.display()
    );
    // Moved into place when it is complete, so that an interrupted installation does not look
    // complete.
    let unfinished = tools.join(format!("unfinished-{}-{package}", std::process::id()));
    fs::create_dir_all(&unfinished)
        .with_context(|| format!("cannot create {}", unfinished.display()))?;
    let installed = install_into(&unfinished).and_then(|()| {
        fs::rename(&unfinished, &folder).or_else(|error| {
            // Another task was faster.
            if folder.is_dir() {
                Ok(())
            } else {
                Err(error.into())
            }
        })
    });
    // Does nothing if the folder was moved.
    let _ = fs::remove_dir_all(&unfinished);
    installed.with_context(|| format!("cannot install {package} {version}"))?;
    Ok(folder)
}

/// Finds the program in the package for this machine. npm installs only that one of several.
fn of_this_platform(scope: &Path, program: &str) -> Result<PathBuf> {
    let packages = fs::read_dir(scope).with_context(|| {
        format!(
            "npm installed nothing into {}; is this platform supported?",
            scope.display()
        )
    })?;
    for package in packages {
        let path = package?
            .path()
            .join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
        if path.is_file() {
            return Ok(path);
        }
    }
    bail!("no package in {} has a {program}", scope.display())
}

fn existing(path: PathBuf) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path);
    }
    bail!(
        "{} is missing; remove its folder in target/tools to install it again",
        path.display()
    )
}
