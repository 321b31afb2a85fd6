//! Runs that are repeated to investigate a failure. The messages of their panics are not printed
//! again.

use std::cell::{Cell, RefCell};
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST_PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Calls `run` without printing the panics of this thread. Other threads are not affected.
pub(super) fn quietly<T>(run: impl FnOnce() -> T) -> T {
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if IS_QUIET.get() {
                LAST_PLACE.set(panic.location().map(ToString::to_string));
            } else {
                before(panic);
            }
        }));
    });
    let _loud_again = LoudAgain;
    IS_QUIET.set(true);
    run()
}

struct LoudAgain;

impl Drop for LoudAgain {
    fn drop(&mut self) {
        IS_QUIET.set(false);
    }
}

/// Where the last quiet panic of this thread happened.
pub(super) fn place_of_last_panic() -> Option<String> {
    LAST_PLACE.take()
}
