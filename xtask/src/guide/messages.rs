//! Tests that the messages and codes on the troubleshooting page are those of the code.

use anyhow::Result;

use super::{cells, files_below, read, root};

const PAGE: &str = "docs/troubleshooting.md";
/// Where messages are defined.
const SOURCES: &[&str] = &["runtime/src", "xtask/src"];
/// Where the codes of responses are defined.
const CODES: &[&str] = &[
    "runtime/src/error.rs",
    "runtime/src/error/fault.rs",
    "runtime/src/platform/native/network/bodies.rs",
];

/// Returns source text as its messages are printed: without the escapes of string literals.
fn as_printed(source: &str) -> String {
    let mut text = String::new();
    // A literal whose line ends with a backslash continues at the first word of the next line.
    let mut goes_on = false;
    for line in source.lines() {
        let line = if goes_on { line.trim_start() } else { line };
        let literal = line.strip_suffix('\\');
        text.push_str(literal.unwrap_or(line));
        goes_on = literal.is_some();
        if !goes_on {
            text.push('\n');
        }
    }
    text.replace("\\\"", "\"")
}

/// Returns the text between the backticks around a cell.
fn code(cell: &str) -> &str {
    let ticks = cell.len() - cell.trim_start_matches('`').len();
    let inner = cell
        .get(ticks..cell.len().saturating_sub(ticks))
        .unwrap_or_default();
    if ticks > 1 { inner.trim() } else { inner }
}

#[test]
fn messages_are_those_of_the_code() -> Result<()> {
    let root = root()?;
    let mut sources = String::new();
    for folder in SOURCES {
        for file in files_below(&root, folder, "rs")? {
            if !file.path.starts_with("xtask/src/guide/") {
                sources.push_str(&as_printed(&file.text));
            }
        }
    }
    let mut codes = String::new();
    for file in CODES {
        codes.push_str(&read(&root, file)?);
    }
    let codes = codes.split_whitespace().collect::<Vec<_>>().join(" ");

    let page = read(&root, PAGE)?;
    let (mut header, mut checked, mut unknown) = (Vec::new(), 0, Vec::new());
    for row in page.lines().map(cells) {
        let Some(row) = row else {
            header.clear();
            continue;
        };
        if header.is_empty() {
            header = row;
            continue;
        }
        let known = match (header[0], row[0]) {
            (_, rule) if rule.starts_with("---") => continue,
            ("message", message) => sources.contains(code(message)),
            ("status", status) => codes.contains(&format!("{status}, \"{}\"", code(row[1]))),
            _ => continue,
        };
        checked += 1;
        if !known {
            unknown.push(row.join(" | "));
        }
    }
    assert!(checked > 40, "the tables of {PAGE} were not found");
    assert!(
        unknown.is_empty(),
        "no message contains this text:\n{}",
        unknown.join("\n")
    );
    Ok(())
}

#[test]
fn literals_are_read_as_they_are_printed() {
    let source = "bail!(\n    \"a \\\"b\\\" \\\n     c\"\n);\n";
    assert!(as_printed(source).contains("a \"b\" c\""));
    assert_eq!(code("`a`"), "a");
    assert_eq!(code("`` `a` is ``"), "`a` is");
}
