//! Random input of the kinds that clients, earlier versions and an object's own SQL may pass to the
//! runtime.
//!
//! Each target is a test that runs for [`SHORT`] with random inputs, after those that failed before
//! (`__fuzz__/<target>/crashes`). `cargo xtask fuzz` runs the same targets for longer under
//! libFuzzer, which is guided by the branches that an input takes.

use std::future::Future;
use std::time::Duration;

use crate::Sim;

mod cron;
mod own_code;
mod paths;
mod requests;
mod shapes;
mod sockets;
mod values;

/// How long a target runs in the test command.
pub(crate) const SHORT: Duration = Duration::from_millis(800);

/// Defines the test `$name`: `$check` must hold for every value of `$generator`.
macro_rules! target {
    ($(#[$document:meta])* $name:ident, $generator:expr, $check:expr) => {
        $(#[$document])*
        #[test]
        fn $name() {
            let _hint = $crate::fuzz::Hint {
                module: module_path!(),
                name: stringify!($name),
            };
            bolero::check!()
                .with_test_time($crate::fuzz::SHORT)
                .with_generator($generator)
                .for_each($check);
        }
    };
}
pub(crate) use target;

/// Prints how to repeat a failure, below the input that failed.
pub(crate) struct Hint {
    pub(crate) module: &'static str,
    pub(crate) name: &'static str,
}

impl Drop for Hint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let module = self.module.trim_start_matches("anchorhold::");
            let name = self.name;
            eprintln!(
                "the same again: BOLERO_RANDOM_SEED=<as above> cargo nextest run -p anchorhold --all-features --lib {module}::{name}\n\
                 a search from here: cargo xtask fuzz --target {name} --seconds 600"
            );
        }
    }
}

/// Runs `body` in its own simulator.
fn simulated<F: Future<Output = ()>>(body: impl Fn(Sim) -> F) {
    crate::__private::run_test(Some(1), module_path!(), body);
}
