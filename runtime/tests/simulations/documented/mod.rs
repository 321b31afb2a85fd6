//! The code of `docs/testing.md`, as it stands there, and as it runs.

mod lock;
mod reminders;

use super::failing::report_of;

const PAGE: &str = include_str!("../../../../docs/testing.md");

/// The Rust code of the page, block by block.
fn blocks() -> Vec<&'static str> {
    PAGE.split("```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

/// The report of the page names a seed, by which it is made again.
#[test]
fn page_shows_the_report_of_its_seed() {
    let shown = PAGE.split("```text\n").find_map(|rest| {
        let block = rest.split("```").next()?;
        block.starts_with("failed with seed").then_some(block)
    });
    let shown = shown.expect("the page has a report");
    let seed = shown["failed with seed ".len()..]
        .split(':')
        .next()
        .unwrap();
    let variables = [("ANCHORHOLD_SEED".to_owned(), seed.to_owned())];
    let report = report_of(
        "documented::lock::tokens_only_rise_whatever_fails",
        &variables,
    );
    // A user's test is not in these modules.
    let report = report.replace("documented::lock::", "");
    assert!(
        report.contains(shown),
        "copy this report to the page:\n{report}"
    );
}

#[test]
fn page_shows_the_code_that_is_tested() {
    let tested = [include_str!("reminders.rs"), include_str!("lock.rs")].map(|file| {
        // The page's reader sees the test fail.
        let shown = file
            .lines()
            .filter(|line| !line.starts_with("#[should_panic"));
        shown.flat_map(|line| [line, "\n"]).collect::<String>()
    });
    assert_eq!(blocks(), tested, "copy the code from the tests to the page");
}
