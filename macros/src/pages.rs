//! The pages of the attributes, for editors and rustdoc, are sections of `docs/attributes.md`.
//!
//! A published crate cannot read a file outside its own folder, so `pages/` holds copies. Run
//! `UPDATE_PAGES=1 cargo test -p anchorhold-macros pages` to rewrite them.

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
    ("arguments", &["`body`, `query`"]),
    ("alarm", &["`alarm`"]),
    ("websocket", &["`websocket`"]),
    ("socket_events", &["`message`, `close`, `error`"]),
    ("app", &["`app`"]),
    ("test", &["`test`"]),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Reads the attribute reference.
pub fn reference() -> String {
    fs::read_to_string(folder("../docs/attributes.md")).expect("docs/attributes.md is readable")
}

/// Returns the text between a heading and the next one of any level.
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
    without_local_links(page.trim()) + "\n"
}

/// Returns where the bracket begins that is still open at the end.
fn opening(text: &str) -> usize {
    let mut closed = 0;
    for (position, character) in text.char_indices().rev() {
        match character {
            ']' => closed += 1,
            '[' if closed == 0 => return position,
            '[' => closed -= 1,
            _ => {}
        }
    }
    panic!("a link begins nowhere: {text}")
}

/// Removes local links, because the page is shown elsewhere. `[testing.md](testing.md)` becomes ``
/// `docs/testing.md` ``, and `[routes](#routes)` becomes `routes`.
fn without_local_links(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(middle) = rest.find("](") {
        let end = middle + rest[middle..].find(')').expect("a link ends");
        let start = opening(&rest[..middle]);
        let (label, target) = (&rest[start + 1..middle], &rest[middle + 2..end]);
        result.push_str(&rest[..start]);
        if target.ends_with(".md") {
            result.push_str(&format!("`docs/{target}`"));
        } else if target.starts_with('#') {
            result.push_str(label);
        } else {
            result.push_str(&rest[start..=end]);
        }
        rest = &rest[end + 1..];
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
fn local_links_become_text() {
    assert_eq!(
        without_local_links(
            "See [the table](guarantees.md), [`#[x]`](#y) and [z](https://z.example)."
        ),
        "See `docs/guarantees.md`, `#[x]` and [z](https://z.example)."
    );
}
