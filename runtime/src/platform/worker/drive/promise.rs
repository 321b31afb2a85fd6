//! Futures that are driven as promises, and the handling of panics and traps.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::super::js::bindings::{self, Deferred};
use super::super::js::failure::thrown;
use super::memory::Memory;
use super::{tasks, timer, wear};
use crate::error::fault::Fault;
use crate::turn::{LocalFuture, poll_once};

pub(in super::super) type Answer = Result<JsValue, JsValue>;

thread_local! {
    static PREPARED: Cell<bool> = const { Cell::new(false) };
}

/// Answers an event of an object. If the future is ready, as most are, answers immediately, which
/// saves a promise and two turns of the event loop. Otherwise answers with a promise. `event` runs
/// code of the object.
pub(in super::super) fn answer(
    memory: &Memory,
    event: impl FnOnce() -> LocalFuture<'static, Answer>,
) -> Answer {
    runs(memory);
    let mut future = event();
    match poll_once(&mut future) {
        Some(answer) => {
            end_if_doomed(memory);
            answer
        }
        None => Ok(drive(memory, future)),
    }
}

/// Drives a future of an object to completion.
pub(in super::super) fn drive(memory: &Memory, future: LocalFuture<'static, Answer>) -> JsValue {
    let owned = Owned {
        memory: memory.clone(),
        future,
    };
    let (promised, driven) = promise(Some(memory), owned);
    tasks::spawn(Some(memory.clone()), Box::pin(driven));
    promised.into()
}

/// Drives work of an object that no event waits for.
pub(in super::super) fn drive_in_background(memory: &Memory, work: LocalFuture<'static, ()>) {
    let done = drive(
        memory,
        Box::pin(async move {
            work.await;
            Ok(JsValue::UNDEFINED)
        }),
    );
    memory.raw().wait_until(&done);
}

/// Answers a request to the app, always with a promise, whose failure becomes a response. Without a
/// promise, a panic in the first poll would reach the platform from the entry, which could not
/// answer it.
pub(in super::super) fn answer_unowned(
    request: &bindings::Request,
    future: LocalFuture<'static, Answer>,
) -> Answer {
    let (promised, driven) = promise(None, future);
    let task = tasks::spawn(None, Box::pin(driven));
    bindings::watch(request, task)?;
    bindings::answered(&promised)
}

/// The platform's answer to an operation that the current context has started. The context is told
/// when its task waits for the answer.
pub(in super::super) struct PlatformAnswer {
    context: timer::Context,
    answer: JsFuture,
}

impl PlatformAnswer {
    pub(in super::super) fn new(promise: js_sys::Promise) -> Self {
        Self {
            context: timer::Context::current(),
            answer: promise.into(),
        }
    }
}

impl Future for PlatformAnswer {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Answer> {
        let polled = Pin::new(&mut self.answer).poll(task);
        if polled.is_pending() {
            self.context.await_platform(task.waker());
        }
        polled
    }
}

impl Drop for PlatformAnswer {
    fn drop(&mut self) {
        // The platform still answers, but the answer wakes no task.
        self.context.gives_up_platform();
    }
}

fn promise(
    owner: Option<&Memory>,
    future: impl Future<Output = Answer> + 'static,
) -> (js_sys::Promise, impl Future<Output = ()> + 'static) {
    let promised = Promised(Deferred::new(owner.map(Memory::raw)));
    let promise = promised.0.promise();
    let driven = async move {
        match future.await {
            Ok(value) => promised.0.settle(&value),
            Err(error) => promised.0.fail(&error),
        }
    };
    (promise, driven)
}

/// A promise that leaves the list of unsettled ones when its task is dropped.
struct Promised(Deferred);

impl Drop for Promised {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

struct Owned {
    memory: Memory,
    future: LocalFuture<'static, Answer>,
}

impl Future for Owned {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        runs(&self.memory);
        let polled = self.future.as_mut().poll(context);
        if end_if_doomed(&self.memory) {
            // The platform answers for an object that is reset. This task is dropped before.
            return Poll::Pending;
        }
        polled
    }
}

fn runs(memory: &Memory) {
    memory.context().enter();
    // This cannot fail: it only sets a variable.
    let _ = bindings::runs(memory.raw());
}

/// If a reset is due, has the object reset after Rust's frames have returned. Returns whether it
/// is.
fn end_if_doomed(memory: &Memory) -> bool {
    let Some(reason) = memory.take_doom() else {
        return false;
    };
    tasks::end(memory);
    // This cannot fail: it only sets a variable.
    let _ = bindings::doom(memory.raw(), &reason);
    true
}

/// Prepares this WebAssembly instance for its end. `life.js` describes what happens then.
///
/// Called at the first use. A start function would not do: start functions run in an undefined
/// order, and the hooks of `worker` must come first.
pub(in super::super) fn prepare() {
    if PREPARED.replace(true) {
        return;
    }
    let lost =
        Fault::Reset("a panic or trap ended the memory of every object beside it".to_owned());
    let forget = Closure::<dyn Fn()>::new(tasks::forget_ended).into_js_value();
    let drop = Closure::<dyn Fn(u32)>::new(tasks::drop_task).into_js_value();
    // Without it an instance ends without answers. Nothing else depends on it.
    let [stack, set_stack] = wear::stack_functions();
    let _ = bindings::prepare(
        &thrown(&lost),
        &forget,
        &drop,
        &hooks::nudge(),
        &stack,
        &set_stack,
    );
    hooks::set();
}

/// If a panic is a trap, the entry replaces the instance at the next event after it is told to.
#[cfg(not(panic = "unwind"))]
mod hooks {
    use super::{JsValue, bindings};

    pub(super) fn set() {
        // Detected at the trap itself, whatever called into WebAssembly. The hook that `worker`
        // sets would let the next call of any kind replace the instance, and then use pointers of
        // the old instance in the new one.
        let _ = wasm_bindgen::handler::set_on_abort(died);
        // The panic hook runs even earlier, and also covers calls by a finalizer, which are not
        // watched.
        let mark_for_rebuilding = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            mark_for_rebuilding(info);
            died();
        }));
    }

    fn died() {
        // If this fails, a panic could only fail again.
        let _ = bindings::died();
    }

    pub(super) fn nudge() -> JsValue {
        JsValue::UNDEFINED
    }
}

/// If a panic unwinds (`worker-build --panic-unwind`), the engine catches it, and only a trap ends
/// the instance. Only a call then replaces the instance, so a call is made that uses no pointers.
#[cfg(panic = "unwind")]
mod hooks {
    use super::{Closure, JsValue, bindings};

    pub(super) fn set() {
        let _ = wasm_bindgen::handler::set_on_abort(died);
    }

    fn died() {
        wasm_bindgen::handler::schedule_reinit();
        // If this fails, a trap could only fail again.
        let _ = bindings::died();
    }

    pub(super) fn nudge() -> JsValue {
        Closure::<dyn Fn()>::new(|| {}).into_js_value()
    }
}
