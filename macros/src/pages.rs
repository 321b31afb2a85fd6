//! The pages that the attributes show in an editor and in rustdoc are sections of `docs/attributes.md`.
//!
//! A published crate cannot read a file outside its own folder, so `pages/` holds copies. `UPDATE_PAGES=1 cargo test -p
//! anchorhold-macros pages` writes them again.

use std::fs;
use std::path::{Path, PathBuf};

/// Each page, and the headings of its sections.
const PAGES: &[(&str, &[&str])] = &[
    (
        "durable_object",
        &[
            "`durable_object` on the struct",
            "`durable_object` on the impl block",
        ],
    ),
    ("memory", &["`memory`"]),
    ("stored", &["`stored`"]),
    ("init", &["`init`"]),
    ("rpc", &["`rpc`"]),
    ("routes", &["routes"]),
    ("body", &["`body`"]),
    ("alarm", &["`alarm`"]),
    ("websocket", &["`websocket`"]),
    ("socket_events", &["`message`, `close`, `error`"]),
    ("app", &["`app`"]),
    ("test", &["`test`"]),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The attribute reference.
pub fn reference() -> String {
    fs::read_to_string(folder("../docs/attributes.md")).expect("docs/attributes.md is readable")
}

/// The text between a heading and the next one of any level.
pub fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let mut in_code = false;
    let mut start = None;
    let mut position = 0;
    for line in document.split_inclusive('\n') {
        in_code ^= line.starts_with("```");
        if line.starts_with('#') && !in_code {
            if let Some(start) = start {
                return &document[start..position];
            }
            if line.trim_start_matches('#').trim() == heading {
                start = Some(position + line.len());
            }
        }
        position += line.len();
    }
    &document[start.unwrap_or_else(|| panic!("no section {heading}"))..]
}

fn page(document: &str, headings: &[&str]) -> String {
    let mut page = String::new();
    for heading in headings {
        if headings.len() > 1 {
            page.push_str(&format!("\n# {heading}\n"));
        }
        page.push_str(section(document, heading));
    }
    without_links_to_files(page.trim()) + "\n"
}

/// `[testing.md](testing.md)` is `` `docs/testing.md` ``: the page is shown elsewhere.
fn without_links_to_files(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(end) = rest.find(".md)") {
        let start = rest[..end].rfind('[').expect("a link to a file");
        let target = rest[start..end].rsplit('(').next().expect("its target");
        result.push_str(&format!("{}`docs/{target}.md`", &rest[..start]));
        rest = &rest[end + ".md)".len()..];
    }
    result.push_str(rest);
    result
}

#[test]
fn pages_are_the_sections_of_the_attribute_reference() {
    let document = reference();
    let mut stale = Vec::new();
    for (name, headings) in PAGES {
        let expected = page(&document, headings);
        let path = folder("pages").join(format!("{name}.md"));
        if fs::read_to_string(&path).unwrap_or_default() == expected {
            continue;
        }
        if std::env::var_os("UPDATE_PAGES").is_some() {
            fs::write(&path, expected).expect("a writable page");
        }
        stale.push(*name);
    }
    assert!(
        stale.is_empty(),
        "stale pages: {stale:?}; run `UPDATE_PAGES=1 cargo test -p anchorhold-macros pages` until it passes"
    );
}

#[test]
fn links_to_files_become_text() {
    assert_eq!(
        without_links_to_files("See [the table](guarantees.md), [x](#y)."),
        "See `docs/guarantees.md`, [x](#y)."
    );
}
