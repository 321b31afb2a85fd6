//! Futures driven on as promises, and what a panic does to them.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use wasm_bindgen::prelude::*;

use super::bindings::{self, Deferred};
use super::failure::error_of;
use super::state::ObjectState;
use super::tasks;
use crate::fault::Fault;
use crate::turn::{LocalFuture, poll_once};

pub(super) type Answer = Result<JsValue, JsValue>;

thread_local! {
    static HOOKED: Cell<bool> = const { Cell::new(false) };
    /// The object whose code runs: the one that a panic resets.
    static RUNNING: RefCell<Option<ObjectState>> = const { RefCell::new(None) };
}

/// Answers an event of an object: at once if the future is ready, which most are and which saves a
/// promise and two turns of the event loop, otherwise with a promise.
pub(super) fn answer(state: &ObjectState, mut future: LocalFuture<'static, Answer>) -> Answer {
    match running(state, || poll_once(&mut future)) {
        Some(answer) => {
            end_if_doomed(state);
            answer
        }
        None => Ok(drive(state, future)),
    }
}

/// Drives a future of an object on.
pub(super) fn drive(state: &ObjectState, future: LocalFuture<'static, Answer>) -> JsValue {
    let owned = Owned {
        state: state.clone(),
        future,
    };
    promise(Some(state.clone()), owned)
}

/// Answers a request to the app.
pub(super) fn answer_unowned(mut future: LocalFuture<'static, Answer>) -> Answer {
    match poll_once(&mut future) {
        Some(answer) => answer,
        None => Ok(promise(None, future)),
    }
}

fn promise(owner: Option<ObjectState>, future: impl Future<Output = Answer> + 'static) -> JsValue {
    let promised = Promised(Deferred::new());
    let promise = promised.0.promise();
    let driven = async move {
        match future.await {
            Ok(value) => promised.0.settle(&value),
            Err(error) => promised.0.fail(&error),
        }
    };
    tasks::spawn(owner, Box::pin(driven));
    promise
}

/// A promise that is off the list of unsettled ones when nobody is left to settle it.
struct Promised(Deferred);

impl Drop for Promised {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

struct Owned {
    state: ObjectState,
    future: LocalFuture<'static, Answer>,
}

impl Future for Owned {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let state = self.state.clone();
        let polled = running(&state, || self.future.as_mut().poll(context));
        end_if_doomed(&state);
        polled
    }
}

/// Runs code of an object.
pub(super) fn running<T>(state: &ObjectState, run: impl FnOnce() -> T) -> T {
    let outer = RUNNING.replace(Some(state.clone()));
    let result = run();
    RUNNING.set(outer);
    result
}

/// For an end that unwinds through no Rust frame.
pub(super) fn stop_running() {
    RUNNING.set(None);
}

fn end_if_doomed(state: &ObjectState) {
    if let Some(reason) = state.take_doom() {
        tasks::forget(state);
        state.abort(&reason);
    }
}

/// Prepares this WebAssembly instance for a panic. A trap ends it without unwinding: `worker`'s own
/// hook marks it for rebuilding, and this one leaves the rest of the world as an eviction would:
///
/// - what only this memory could have answered fails now, instead of never;
/// - the object that panicked is reset, which drops the writes of its turn (P18).
///
/// Called at the first use and not from a start function: those run in no stated order, and the
/// mark has to be made before the reset ends everything.
pub(super) fn prepare_for_panics() {
    if HOOKED.replace(true) {
        return;
    }
    let mark_for_rebuilding = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        mark_for_rebuilding(info);
        let lost = Fault::Reset("a panic ended the memory of every object beside it".to_owned());
        // A panic can do no more about a failure than about itself.
        let _ = bindings::fail_all(&error_of(&lost));
        // Borrowed only for the length of a swap, which does not panic.
        if let Ok(Some(state)) = RUNNING.try_with(RefCell::take) {
            state.abort("the object's handler panicked; its turn was rolled back");
        }
    }));
}
