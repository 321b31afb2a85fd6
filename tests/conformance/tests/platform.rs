//! Tests that `docs/platform.md` says of every point where it is shown, and that what it names
//! exists.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The points of the document.
const POINTS: std::ops::RangeInclusive<u8> = 1..=74;
/// How the second part of an entry begins.
const VERDICTS: [&str; 4] = [
    "Both hosts:",
    "Embedded host:",
    "workerd:",
    "Not observable:",
];
/// The document's word for the random plans.
const RANDOM_PLANS: &str = "differential";
/// The folder of a test whose file is named without a folder.
const CASES: &str = "tests/conformance/tests/cases";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the entries by their numbers, each on one line.
fn entries() -> BTreeMap<u8, Vec<String>> {
    let document = fs::read_to_string(root().join("docs/platform.md")).expect("the document");
    let mut entries = BTreeMap::<u8, Vec<String>>::new();
    let mut open = None;
    for line in document.lines() {
        if let Some(entry) = line.strip_prefix("- **P") {
            let (number, text) = entry.split_once("** ").expect("a number in bold");
            let number = number.parse().expect("a number");
            entries.entry(number).or_default().push(text.to_owned());
            open = Some(number);
        } else if let (Some(more), Some(number)) = (line.strip_prefix("  "), open) {
            let entry = entries.get_mut(&number).and_then(|entry| entry.last_mut());
            let entry = entry.expect("it was begun");
            entry.push(' ');
            entry.push_str(more);
        } else {
            open = None;
        }
    }
    entries
}

/// Returns the parts of an entry in backticks that look like tests: `alarms::times`,
/// `runtime/tests/alarms.rs::crash_during_a_run_repeats_it_once`, `tests/ui/fail/rpc/…`.
fn citations(entry: &str) -> Vec<&str> {
    let quoted = entry.split('`').skip(1).step_by(2);
    quoted
        .filter(|text| {
            let is_path = |text: &str| {
                text.chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || "_./-:".contains(letter))
            };
            is_path(text)
                && (text.contains("::") || text.starts_with("tests/") || *text == RANDOM_PLANS)
        })
        .collect()
}

fn check(citation: &str) -> Result<(), String> {
    let (file, function) = citation.split_once("::").unwrap_or((citation, ""));
    let path = if file == RANDOM_PLANS {
        root().join("tests/conformance/tests/differential/main.rs")
    } else if file.contains('/') {
        root().join(file)
    } else {
        root().join(CASES).join(file).with_extension("rs")
    };
    let source = fs::read_to_string(&path).map_err(|error| format!("`{file}`: {error}"))?;
    let is_there = function.is_empty()
        || ["(", "<"]
            .iter()
            .any(|end| source.contains(&format!("fn {function}{end}")));
    is_there
        .then_some(())
        .ok_or_else(|| format!("`{file}` has no test `{function}`"))
}

#[test]
fn every_point_of_the_platform_says_where_it_is_shown() {
    let entries = entries();
    let mut wrong = Vec::new();
    for point in POINTS {
        let found = entries.get(&point).map_or(&[][..], Vec::as_slice);
        let [entry] = found else {
            wrong.push(format!("P{point} has {} entries", found.len()));
            continue;
        };
        let verdicts: Vec<_> = VERDICTS
            .iter()
            .filter(|verdict| entry.contains(**verdict))
            .collect();
        if verdicts.is_empty() {
            wrong.push(format!("P{point} says none of {VERDICTS:?}"));
        }
        let is_shown = verdicts
            .iter()
            .any(|verdict| **verdict != "Not observable:");
        if is_shown && citations(entry).is_empty() {
            wrong.push(format!("P{point} is shown, and no test is named"));
        }
    }
    let unknown = entries.keys().filter(|point| !POINTS.contains(point));
    wrong.extend(unknown.map(|point| format!("P{point} is not a point")));
    assert!(wrong.is_empty(), "docs/platform.md: {wrong:#?}");
}

#[test]
fn every_test_that_the_document_names_exists() {
    let entries = entries();
    let wrong: Vec<_> = entries
        .iter()
        .flat_map(|(point, entries)| {
            let cited = entries.iter().flat_map(|entry| citations(entry));
            cited.filter_map(move |citation| Some(format!("P{point}: {}", check(citation).err()?)))
        })
        .collect();
    assert!(wrong.is_empty(), "docs/platform.md: {wrong:#?}");
}
