//! Drives futures: each is polled in a separate microtask, whenever it was woken.
//!
//! `wasm_bindgen_futures::spawn_local` keeps one queue for all futures, with a flag that its next
//! run is scheduled. When the platform ends an object, it ends execution inside that run and
//! empties the isolate's list of microtasks. The flag remains set, the run never happens, and every
//! object of the isolate waits forever. Here nothing is shared: what such an end loses belonged to
//! the object that ended.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use wasm_bindgen::prelude::*;

use super::super::js::bindings;
use super::memory::Memory;
use super::timer;
use crate::turn::LocalFuture;

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
    static RUN: Closure<dyn Fn(u32)> = Closure::new(run);
    /// Objects that were reset, whose memory is not freed yet.
    static ENDED: RefCell<Vec<Memory>> = RefCell::default();
}

#[derive(Default)]
struct Tasks {
    next: u32,
    waiting: HashMap<u32, Task>,
}

struct Task {
    /// The object that the future belongs to. `None` for a future of the app.
    owner: Option<Memory>,
    future: LocalFuture<'static, ()>,
    alarm_clock: Arc<AlarmClock>,
    context: timer::Context,
    has_waited: bool,
}

impl Drop for Task {
    fn drop(&mut self) {
        // This cannot fail: it only changes lists.
        let _ = bindings::silence(self.alarm_clock.task);
    }
}

/// Wakes one task. Holds only the task's number: wakers may move to other threads, futures may not.
struct AlarmClock {
    task: u32,
    rings: AtomicBool,
}

impl Wake for AlarmClock {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rings.swap(true, Ordering::Relaxed) {
            // The thread-local is unreachable only while the thread ends. The call itself cannot
            // fail.
            let _ = RUN.try_with(|run| bindings::in_a_microtask(run.as_ref(), self.task));
        }
    }
}

/// Drives a future in the current context, from the next microtask on. Returns the number of its
/// task.
pub(in super::super) fn spawn(owner: Option<Memory>, future: LocalFuture<'static, ()>) -> u32 {
    let alarm_clock = TASKS.with_borrow_mut(|tasks| {
        while tasks.waiting.contains_key(&tasks.next) {
            tasks.next = tasks.next.wrapping_add(1);
        }
        let task = tasks.next;
        tasks.next = task.wrapping_add(1);
        let alarm_clock = Arc::new(AlarmClock {
            task,
            rings: AtomicBool::new(false),
        });
        let entry = Task {
            owner,
            future,
            alarm_clock: alarm_clock.clone(),
            context: timer::Context::current(),
            has_waited: false,
        };
        tasks.waiting.insert(task, entry);
        alarm_clock
    });
    alarm_clock.wake_by_ref();
    alarm_clock.task
}

fn run(number: u32) {
    // Removed from the list while it runs: it may spawn others, and an abort may prevent its
    // return.
    let Some(mut task) = TASKS.with_borrow_mut(|tasks| tasks.waiting.remove(&number)) else {
        return;
    };
    task.alarm_clock.rings.store(false, Ordering::Relaxed);
    task.context.enter();
    let waker = Waker::from(task.alarm_clock.clone());
    task.context.polls(&waker);
    match task.future.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(()) if task.owner.is_none() => {
            // This cannot fail: it only changes a list.
            let _ = bindings::unwatch(number);
        }
        Poll::Ready(()) => {}
        Poll::Pending => {
            // A request that is woken by the platform's answer is not treated as hung during its
            // first wait. Most need only that one wait, and a timer for it would cost them.
            if task.owner.is_none() && (task.has_waited || !task.context.awaits_platform()) {
                // This sets a timer. If that fails, the platform ends what is hung.
                let _ = bindings::keep(number);
            }
            task.has_waited = true;
            TASKS.with_borrow_mut(|tasks| tasks.waiting.insert(number, task));
        }
    }
}

/// Drops the future of a task whose caller has disconnected.
pub(super) fn drop_task(number: u32) {
    let task = TASKS.with_borrow_mut(|tasks| tasks.waiting.remove(&number));
    // Dropped outside the borrow, because the future's drop may wake other tasks.
    drop(task);
}

/// Records that an object is reset. [`forget_ended`] drops its futures and its value as soon as no
/// frame uses them.
pub(in super::super) fn end(owner: &Memory) {
    ENDED.with_borrow_mut(|ended| ended.push(owner.clone()));
}

/// Frees the memory of the objects that were reset. An abort ends execution inside frames. What
/// they borrowed remains until `life.js` replaces the instance.
pub(super) fn forget_ended() {
    for owner in ENDED.take() {
        forget(&owner);
        owner.leave();
    }
}

/// Drops what an earlier activation of the object left behind, because the platform may end one
/// without notice.
pub(in super::super) fn forget_former(now: &Memory) {
    forget_where(|owner| owner != now && owner.id() == now.id());
}

fn forget(owner: &Memory) {
    forget_where(|other| other == owner);
}

fn forget_where(is_over: impl Fn(&Memory) -> bool) {
    let forgotten: Vec<Task> = TASKS.with_borrow_mut(|tasks| {
        tasks
            .waiting
            .extract_if(|_, task| task.owner.as_ref().is_some_and(&is_over))
            .map(|(_, task)| task)
            .collect()
    });
    // Dropped outside the borrow, because their drop may wake other tasks.
    drop(forgotten);
}
