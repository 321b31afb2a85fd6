//! Everything that `cargo xtask test` runs, in order.

/// One step; it passes if its command does.
pub struct Step {
    pub name: &'static str,
    /// Words separated by spaces.
    pub command: &'static str,
}

pub const STEPS: &[Step] = &[
    Step { name: "format", command: "cargo fmt --all --check" },
    Step {
        name: "lints",
        command: "cargo clippy --workspace --all-targets -- -D warnings",
    },
    Step {
        name: "lints of what runs on Workers",
        command: "cargo clippy --target wasm32-unknown-unknown --lib \
                  -p anchorhold -p demo -p conformance -- -D warnings",
    },
    Step { name: "bundle", command: "cargo xtask build" },
    // Unit tests, compile-fail tests, and the conformance and end-to-end suites: those start the
    // apps on both hosts themselves.
    Step { name: "tests", command: "cargo test --workspace --all-targets" },
    Step { name: "examples in the documentation", command: "cargo test --workspace --doc" },
];
