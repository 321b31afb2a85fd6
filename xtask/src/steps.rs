//! Everything that `cargo xtask test` runs.

/// One step. It passes if its command does.
pub struct Step {
    pub name: &'static str,
    /// The words are separated by spaces.
    pub command: &'static str,
}

/// Run in this order, in parallel to the [`CHECKS`], because the compiler optimises a bundle on one
/// core. All are built before the tests: tests that start an app on workerd would otherwise wait
/// for one another's builds.
pub const BUNDLES: &[Step] = &[
    Step {
        name: "bundle of the demo",
        command: "cargo xtask build",
    },
    Step {
        name: "bundle of the conformance tests",
        command: "cargo xtask build --app tests/conformance",
    },
];

/// Run in this order.
pub const CHECKS: &[Step] = &[
    Step {
        name: "format",
        command: "cargo fmt --all --check",
    },
    Step {
        name: "lints",
        command: "cargo clippy --workspace --all-targets --all-features -- -D warnings",
    },
    Step {
        name: "lints of what runs on Workers",
        command: "cargo clippy --target wasm32-unknown-unknown --lib --examples -p anchorhold -p demo \
                  -p conformance -p bench-anchorhold -p bench-hand-written -p examples -p ui-tests \
                  -- -D warnings",
    },
    Step {
        name: "lints of each feature alone",
        command: "cargo xtask features",
    },
    Step {
        name: "tests, compiled",
        command: TESTS_COMPILED,
    },
];

/// Run in this order, after the [`CHECKS`] and the [`BUNDLES`].
pub const REST: &[Step] = &[
    // Unit tests, compile-fail tests, and the conformance and end-to-end suites. The suites start
    // the apps on both hosts.
    Step {
        name: "tests",
        command: TESTS,
    },
    Step {
        name: "examples in the documentation",
        command: "cargo test --workspace --doc --all-features",
    },
    Step {
        name: "documentation",
        command: "cargo rustdoc -p anchorhold --all-features -- -D warnings",
    },
    Step {
        name: "documentation of the macros",
        command: "cargo rustdoc -p anchorhold-macros -- -D warnings",
    },
    // Builds both crates from their packages, as crates.io would serve them.
    Step {
        name: "packages",
        command: "cargo package --allow-dirty -p anchorhold-macros -p anchorhold --all-features",
    },
    // Planting all of them takes two hours. This checks in seconds that they still apply.
    Step {
        name: "planted bugs apply",
        command: "cargo xtask mutants --check",
    },
    // The projects that a user has: crates outside the workspace, which depend on anchorhold by
    // path.
    Step {
        name: "a crate outside of the workspace",
        command: "cargo clippy --manifest-path tests/outside/Cargo.toml -- -D warnings",
    },
    Step {
        name: "the same for Workers",
        command: "cargo clippy --manifest-path tests/outside/Cargo.toml --lib \
                  --target wasm32-unknown-unknown -- -D warnings",
    },
    Step {
        name: "format of the starter",
        command: "cargo fmt --manifest-path examples/starter/Cargo.toml --check",
    },
    Step {
        name: "lints of the starter",
        command: "cargo clippy --manifest-path examples/starter/Cargo.toml --all-targets \
                  -- -D warnings",
    },
    Step {
        name: "lints of the starter for Workers",
        command: "cargo clippy --manifest-path examples/starter/Cargo.toml --lib \
                  --target wasm32-unknown-unknown -- -D warnings",
    },
    // An integration test, because cargo builds the program for the embedded host with it.
    Step {
        name: "test of the starter",
        command: "cargo test --manifest-path examples/starter/Cargo.toml --test notebook",
    },
];

/// The folders of crates outside the workspace.
pub const OUTSIDE: &[&str] = &["examples/starter", "tests/outside"];

/// Replaced by [`TESTS_SIDE_BY_SIDE`] if cargo-nextest is installed.
pub const TESTS: &str = "cargo test --workspace --all-targets --all-features --no-fail-fast";
pub const TESTS_COMPILED: &str = "cargo test --workspace --all-targets --all-features --no-run";
/// The tests of all packages at once.
pub const TESTS_SIDE_BY_SIDE: &str = "cargo nextest run --workspace --all-features --no-fail-fast";
/// Replaces [`TESTS_COMPILED`] in the same case.
pub const TESTS_SIDE_BY_SIDE_COMPILED: &str =
    "cargo nextest run --workspace --all-features --no-run";
