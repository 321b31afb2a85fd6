//! The demo on the embedded host. Cargo gives a package's tests only the paths of the package's own
//! programs, so the demo's two-line `main` is repeated here.

fn main() -> std::process::ExitCode {
    anchorhold::serve(demo::app)
}
