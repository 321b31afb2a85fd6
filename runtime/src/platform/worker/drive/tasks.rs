//! Drives futures on: each is polled in a microtask of its own, whenever it was woken.
//!
//! `wasm_bindgen_futures::spawn_local` keeps one queue for all of them, with a note that its next
//! run is on the way. When the platform ends an object it ends execution inside of that run and
//! empties the isolate's list of microtasks: the note stays, the run never comes, and every object
//! of the isolate waits for ever. Here nothing is shared; what such an end loses belonged to the
//! object that ended.

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
    /// Objects that were reset, and whose memory is still to be freed.
    static ENDED: RefCell<Vec<Memory>> = RefCell::default();
}

#[derive(Default)]
struct Tasks {
    next: u32,
    waiting: HashMap<u32, Task>,
}

struct Task {
    /// The object that the future belongs to; none if it is the app's.
    owner: Option<Memory>,
    future: LocalFuture<'static, ()>,
    alarm_clock: Arc<AlarmClock>,
    context: timer::Context,
    has_waited: bool,
}

impl Drop for Task {
    fn drop(&mut self) {
        // It only changes lists.
        let _ = bindings::silence(self.alarm_clock.task);
    }
}

/// Wakes one task. It knows the task by number only: wakers may go to other threads, futures may not.
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
            // Out of reach only while the thread ends; the call itself cannot fail.
            let _ = RUN.try_with(|run| bindings::in_a_microtask(run.as_ref(), self.task));
        }
    }
}

/// Drives a future on, in the present context, from the next microtask on. Returns the number of its task.
pub(super) fn spawn(owner: Option<Memory>, future: LocalFuture<'static, ()>) -> u32 {
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
    // Out of the list while it runs: it may spawn others, and an abort may keep it from coming back.
    let Some(mut task) = TASKS.with_borrow_mut(|tasks| tasks.waiting.remove(&number)) else {
        return;
    };
    task.alarm_clock.rings.store(false, Ordering::Relaxed);
    task.context.enter();
    let waker = Waker::from(task.alarm_clock.clone());
    task.context.polls(&waker);
    match task.future.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(()) if task.owner.is_none() => {
            // It only changes a list.
            let _ = bindings::unwatch(number);
        }
        Poll::Ready(()) => {}
        Poll::Pending => {
            // A request that waits for the platform's answer, and is woken by it, is not taken for
            // hung before: most need no more than that one wait, and a timer costs them.
            if task.owner.is_none() && (task.has_waited || !task.context.awaits_platform()) {
                // It sets a timer; where there is none, the platform ends what is hung.
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
    // Not under the borrow: what it drops may wake others.
    drop(task);
}

/// Notes that an object is reset. Its futures and its value are dropped by [`forget_ended`], as soon
/// as no frame uses them.
pub(in super::super) fn end(owner: &Memory) {
    ENDED.with_borrow_mut(|ended| ended.push(owner.clone()));
}

/// Frees the memory of the objects that were reset. An abort ends execution inside of frames: what
/// they borrowed stays, until `life.js` replaces the instance.
pub(super) fn forget_ended() {
    for owner in ENDED.take() {
        forget(&owner);
        owner.leave();
    }
}

/// Drops what an earlier memory of the object left behind: the platform may end one without a word.
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
    // Not under the borrow: what they drop may wake others.
    drop(forgotten);
}
