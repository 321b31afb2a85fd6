//! The benchmark's counters on the embedded host.

fn main() -> std::process::ExitCode {
    anchorhold::serve(bench_anchorhold::app)
}
