//! The demo on the embedded host: `cargo run -p demo`.

fn main() -> std::process::ExitCode {
    anchorhold::serve(demo::app)
}
