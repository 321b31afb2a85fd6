//! Tests that every mistake in `fail/` is one error at the user's own tokens. Everything in
//! `examples/` compiles, as cargo builds it with these tests, without a warning from clippy.

use std::fs;
use std::path::{Path, PathBuf};

/// One half of a declaration cannot see whether the other half exists, so both sides report the
/// first two. rustc also refuses the last one, without the fix. One of the two messages names it.
const TWO_ERRORS: [&str; 3] = [
    "impl_not_marked.rs",
    "struct_not_marked.rs",
    "default_as_in_rust.rs",
];

#[test]
fn compiler_messages() {
    trybuild::TestCases::new().compile_fail("fail/*/*.rs");
}

#[test]
fn every_mistake_is_one_error_in_the_users_file() {
    let messages = files_with_extension(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("fail"),
        "stderr",
    );
    assert!(messages.len() >= 230, "only {} cases", messages.len());
    let mut wrong = Vec::new();
    for path in messages {
        let text = fs::read_to_string(&path).expect("a readable message");
        let errors = text
            .lines()
            .filter(|line| line.starts_with("error"))
            .count();
        let first_place = text
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("--> "));
        let case = path.with_extension("rs");
        let name = case
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let expected = if TWO_ERRORS.contains(&name) { 2 } else { 1 };
        if errors != expected || !first_place.is_some_and(|place| place.contains(name)) {
            wrong.push(format!(
                "{}: {errors} errors, first at {first_place:?}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn files_with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of cases") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_with_extension(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files
}
