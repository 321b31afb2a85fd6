//! The probes on the embedded host.

fn main() -> std::process::ExitCode {
    anchorhold::serve(conformance::app)
}
