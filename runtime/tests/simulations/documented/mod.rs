//! The code of `docs/testing.md`, as it stands there, and as it runs.

mod lock;
mod reminders;

const PAGE: &str = include_str!("../../../../docs/testing.md");

/// The Rust code of the page, block by block.
fn blocks() -> Vec<&'static str> {
    PAGE.split("```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
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
