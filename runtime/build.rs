//! Links two functions that read and set WebAssembly's stack pointer: see `stack/stack.s`.

use std::path::Path;
use std::{env, fs, io};

const OBJECT: &[u8] = include_bytes!("stack/stack.o");
const LIBRARY: &str = "anchorhold_stack";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=stack");
    if env::var_os("CARGO_CFG_TARGET_ARCH").is_none_or(|target| target != "wasm32") {
        return Ok(());
    }
    let folder = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(
        Path::new(&folder).join(format!("lib{LIBRARY}.a")),
        archive(),
    )?;
    println!("cargo::rustc-link-search=native={folder}");
    println!("cargo::rustc-link-lib=static={LIBRARY}");
    Ok(())
}

/// The object as an archive of `ar`, which is what a static library is.
fn archive() -> Vec<u8> {
    let header = format!(
        "!<arch>\n{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
        "stack.o/",
        0,
        0,
        0,
        644,
        OBJECT.len()
    );
    let mut archive = [header.as_bytes(), OBJECT].concat();
    if archive.len() % 2 == 1 {
        archive.push(b'\n');
    }
    archive
}
