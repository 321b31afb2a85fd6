//! Tests that links between the documents lead to existing files and headings.

use anyhow::Result;

use super::{Page, pages, read, root};

/// Documents in addition to the guide.
const OTHERS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "runtime/README.md",
    "macros/README.md",
    "examples/README.md",
];

/// Returns the targets of the links on a page, outside code blocks.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| {
        part.split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
    })
}

/// Returns the anchor of a heading, as GitHub makes it.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn has_heading(text: &str, name: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| slug(line.trim_start_matches('#').trim()))
        .any(|slug| slug == name)
}

#[test]
fn links_lead_to_files_and_headings() -> Result<()> {
    let root = root()?;
    let mut documents = pages(&root)?;
    for path in OTHERS {
        documents.push(Page {
            path: (*path).to_owned(),
            text: read(&root, path)?,
        });
    }
    let mut broken = Vec::new();
    for Page { path, text } in &documents {
        let folder = root.join(path);
        let folder = folder.parent().unwrap_or(&root);
        for target in targets(text).filter(|target| !target.contains("://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let named = if file.is_empty() {
                root.join(path)
            } else {
                folder.join(file)
            };
            let leads = if heading.is_empty() {
                named.exists()
            } else {
                std::fs::read_to_string(&named).is_ok_and(|text| has_heading(&text, heading))
            };
            if !leads {
                broken.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// Readers cannot find a page of the guide that the index does not list.
#[test]
fn index_names_every_page() -> Result<()> {
    let root = root()?;
    let index = read(&root, "docs/README.md")?;
    for page in pages(&root)? {
        let name = page.path.trim_start_matches("docs/");
        assert!(
            name == "README.md" || index.contains(&format!("({name})")),
            "docs/README.md does not name {name}"
        );
    }
    Ok(())
}

#[test]
fn headings_are_named_as_github_names_them() {
    assert_eq!(slug("`message`, `close`, `error`"), "message-close-error");
    assert_eq!(slug("A turn is a transaction"), "a-turn-is-a-transaction");
}
