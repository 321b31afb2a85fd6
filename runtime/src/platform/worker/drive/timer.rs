//! Waiting for time to pass.
//!
//! The platform allows 10,000 timers in a context (P23), and an object may have more waiting turns.
//! So all sleepers of a context share one timer of the platform, set for the earliest of them.
//!
//! A context is an object, or one request to the app. What the platform provides in one context may
//! not be used in another, and its timers fire in the context that set them. A sleep belongs to the
//! context that polls it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use wasm_bindgen::prelude::*;

use super::super::clock;
use super::super::js::bindings;

/// The platform's timers can take 100 years. What is due later is checked again then.
const LONGEST_MS: i64 = 36_500 * 24 * 3_600 * 1_000;

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
    static CONTEXTS: RefCell<HashMap<u32, Weak<Timers>>> = RefCell::default();
    static NEXT: Cell<u32> = const { Cell::new(0) };
    static FIRED: Closure<dyn Fn(u32)> = Closure::new(fired);
}

/// One of the platform's contexts. A clone is the same context.
#[derive(Clone)]
pub(in super::super) struct Context(Rc<Timers>);

/// A value that the platform provided, in each context that needed it.
pub(in super::super) struct InContext<T>(RefCell<Vec<(Weak<Timers>, T)>>);

impl<T> Default for InContext<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Clone> InContext<T> {
    /// Returns the value of the current context. Makes one if there is none.
    pub(in super::super) fn get_or_try_make<E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let current = Rc::downgrade(&Context::current().0);
        let known = self.0.borrow();
        let of_current = known.iter().find(|(context, _)| context.ptr_eq(&current));
        if let Some((_, value)) = of_current {
            return Ok(value.clone());
        }
        drop(known);
        let made = make()?;
        let mut known = self.0.borrow_mut();
        known.retain(|(context, _)| context.strong_count() > 0);
        known.push((current, made.clone()));
        Ok(made)
    }

    /// Forgets the value of the current context.
    pub(in super::super) fn forget(&self) {
        let current = Rc::downgrade(&Context::current().0);
        self.0
            .borrow_mut()
            .retain(|(context, _)| !context.ptr_eq(&current));
    }
}

struct Timers {
    number: u32,
    /// The waker of the running task.
    running: RefCell<Option<Waker>>,
    /// Whether an answer of the platform wakes that task.
    awaits_platform: Cell<bool>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// How far the wall clock is behind the time that has passed here, because it may be set back.
    behind: i64,
    next: u64,
    /// Sorted by the time at which they are due.
    sleepers: BTreeMap<(i64, u64), Waker>,
    /// The platform's timer, and the time at which it fires.
    armed: Option<(i64, JsValue)>,
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Context {
    pub(in super::super) fn new() -> Self {
        let number = NEXT.replace(NEXT.get().wrapping_add(1));
        let timers = Rc::new(Timers {
            number,
            running: RefCell::default(),
            awaits_platform: Cell::default(),
            state: RefCell::default(),
        });
        CONTEXTS.with_borrow_mut(|contexts| contexts.insert(number, Rc::downgrade(&timers)));
        Self(timers)
    }

    /// Returns the context whose code runs.
    pub(super) fn current() -> Self {
        CURRENT.with_borrow_mut(|current| current.get_or_insert_with(Self::new).clone())
    }

    /// Makes this the current context until another one is entered. Every entry enters its own
    /// context: an abort ends execution inside Rust's frames, so a frame cannot be relied on to
    /// leave its context.
    pub(in super::super) fn enter(&self) {
        CURRENT.set(Some(self.clone()));
    }

    /// Records that a poll of the context's task begins.
    pub(super) fn polls(&self, waker: &Waker) {
        *self.0.running.borrow_mut() = Some(waker.clone());
        self.0.awaits_platform.set(false);
    }

    /// Whether an answer of the platform to this context wakes the task that ran here last.
    pub(super) fn awaits_platform(&self) -> bool {
        self.0.awaits_platform.get()
    }

    /// Records that an answer to this context is pending and will wake `waker`, which may be the
    /// task's own.
    pub(super) fn await_platform(&self, waker: &Waker) {
        let running = self.0.running.borrow();
        let is_own = running.as_ref().is_some_and(|own| own.will_wake(waker));
        if is_own && *self == Self::current() {
            self.0.awaits_platform.set(true);
        }
    }

    /// Records that an answer will wake no task.
    pub(super) fn gives_up_platform(&self) {
        self.0.awaits_platform.set(false);
    }

    fn now(&self) -> i64 {
        clock::now() + self.0.state.borrow().behind
    }

    fn add(&self, due: i64, waker: Waker) -> (i64, u64) {
        let mut state = self.0.state.borrow_mut();
        let key = (due, state.next);
        state.next += 1;
        state.sleepers.insert(key, waker);
        key
    }

    /// Sets the platform's timer for the earliest sleeper, unless it is already set for it.
    fn arm(&self) {
        let now = self.now();
        let mut state = self.0.state.borrow_mut();
        let Some((&(due, _), _)) = state.sleepers.first_key_value() else {
            return;
        };
        let due = due.clamp(now, now.saturating_add(LONGEST_MS));
        match &state.armed {
            Some((armed, _)) if *armed <= due => return,
            Some((_, timer)) => {
                let _ = bindings::clear_timer(timer);
            }
            None => {}
        }
        #[expect(clippy::cast_precision_loss, reason = "clamped to 100 years")]
        let delay = (due - now) as f64;
        let timer = FIRED.with(|fired| bindings::set_timer(fired.as_ref(), self.0.number, delay));
        // Refused only where timers are not allowed, such as at the start of the module.
        state.armed = timer.ok().map(|timer| (due, timer));
    }

    fn remove(&self, key: (i64, u64)) {
        let mut state = self.0.state.borrow_mut();
        let removed = state.sleepers.remove(&key);
        // A timer would keep an idle object in memory (P20).
        let idle = if state.sleepers.is_empty() {
            state.armed.take()
        } else {
            None
        };
        drop(state);
        if let Some((_, timer)) = idle {
            let _ = bindings::clear_timer(&timer);
        }
        drop(removed);
    }

    fn fired(&self) {
        let mut state = self.0.state.borrow_mut();
        let Some((armed, _)) = state.armed.take() else {
            return;
        };
        let now = clock::now() + state.behind;
        // That the timer fired proves that the time has passed.
        state.behind += (armed - now).max(0);
        let later = state
            .sleepers
            .split_off(&(now.max(armed).saturating_add(1), 0));
        let awake = mem::replace(&mut state.sleepers, later);
        drop(state);
        awake.into_values().for_each(Waker::wake);
        self.arm();
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        // The thread-local is unreachable only while the thread ends.
        let _ = CONTEXTS.try_with(|contexts| contexts.borrow_mut().remove(&self.number));
        if let Some((_, timer)) = self.state.get_mut().armed.take() {
            let _ = bindings::clear_timer(&timer);
        }
    }
}

fn fired(number: u32) {
    let timers = CONTEXTS.with_borrow(|contexts| contexts.get(&number).and_then(Weak::upgrade));
    if let Some(timers) = timers {
        let context = Context(timers);
        context.enter();
        context.fired();
    }
}

/// Ready when the time is over, never before.
pub(in super::super) struct Sleep {
    duration: i64,
    /// The context in which it is registered, and its key there.
    registered: Option<(Context, (i64, u64))>,
    /// The time at which it is over, by the clock.
    over: i64,
}

impl Sleep {
    pub(in super::super) fn new(duration: Duration) -> Self {
        let duration = duration.as_nanos().div_ceil(1_000_000);
        let duration = i64::try_from(duration).unwrap_or(i64::MAX);
        Self {
            duration,
            registered: None,
            over: Context::current().now().saturating_add(duration),
        }
    }

    fn register(&mut self, due: i64, waker: Waker) {
        let context = Context::current();
        let key = context.add(due, waker);
        context.arm();
        self.registered = Some((context, key));
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let Some((context, key)) = self.registered.clone() else {
            let due = self.over;
            self.register(due, task.waker().clone());
            return Poll::Pending;
        };
        let mut state = context.0.state.borrow_mut();
        let Some(waker) = state.sleepers.get_mut(&key) else {
            return Poll::Ready(());
        };
        if context == Context::current() {
            waker.clone_from(task.waker());
            return Poll::Pending;
        }
        drop(state);
        // The sleep began in another context, which may have ended, and continues in this one.
        let left = (key.0 - context.now()).clamp(0, self.duration);
        context.remove(key);
        let due = Context::current().now().saturating_add(left);
        self.register(due, task.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some((context, key)) = &self.registered {
            context.remove(*key);
        }
    }
}
