//! The app on the embedded host.

fn main() -> std::process::ExitCode {
    anchorhold::serve(outside::app)
}
