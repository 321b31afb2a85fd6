//! The external effects of an atomic turn (socket messages and closes, calls, background work),
//! held until the turn has succeeded. Also the changes outside of the database that must be
//! reverted if the turn fails: sessions, automatic responses.
//!
//! An atomic turn runs without an await, so everything that the thread does meanwhile belongs to
//! it. The turn is found by its thread, so that it need not be passed through every call. An
//! `async` turn does not hold effects: they leave immediately, as on the platform.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::error::fault::Fault;
use crate::turn::LocalFuture;

thread_local! {
    static TURN: RefCell<Option<Vec<Effect>>> = const { RefCell::new(None) };
}

/// A held effect, or a change to be reverted.
struct Effect {
    release: Box<dyn FnOnce()>,
    take_back: Box<dyn FnOnce()>,
}

/// The effects of one atomic turn. If it is dropped without release, they are reverted.
pub(crate) struct Held(());

impl Held {
    /// Starts to hold effects. A turn that was aborted on Workers, where nothing unwinds, may have
    /// left its effects here: they are discarded with its object.
    pub(crate) fn begin() -> Self {
        drop(TURN.replace(Some(Vec::new())));
        Self(())
    }

    /// Ends the turn. If it succeeded, the effects happen in order.
    pub(crate) fn end(self, succeeded: bool) {
        if !succeeded {
            return;
        }
        let effects = TURN.take().unwrap_or_default();
        std::mem::forget(self);
        for effect in effects {
            (effect.release)();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let effects = TURN.take().unwrap_or_default();
        for effect in effects.into_iter().rev() {
            (effect.take_back)();
        }
    }
}

/// Reverts the effects of the running atomic turn, as its end would.
pub(crate) fn abandon() {
    drop(Held(()));
}

/// Holds an effect of the running atomic turn: runs `release` if the turn succeeds, otherwise
/// `take_back`.
pub(crate) fn hold(release: impl FnOnce() + 'static, take_back: impl FnOnce() + 'static) {
    let effect = Effect {
        release: Box::new(release),
        take_back: Box::new(take_back),
    };
    TURN.with_borrow_mut(|turn| {
        if let Some(effects) = turn {
            effects.push(effect);
        }
    });
}

/// Returns `true` if an atomic turn is running, whose effects are held.
pub(crate) fn are_held() -> bool {
    TURN.with_borrow(Option::is_some)
}

/// Runs `release` now, or when the running atomic turn has succeeded. If the turn fails, runs
/// `take_back` instead.
pub(crate) fn when_kept(release: impl FnOnce() + 'static, take_back: impl FnOnce() + 'static) {
    if are_held() {
        hold(release, take_back);
    } else {
        release();
    }
}

/// Reverts a change that was just made, if the running atomic turn fails.
pub(crate) fn if_taken_back(take_back: impl FnOnce() + 'static) {
    if are_held() {
        hold(|| {}, take_back);
    }
}

/// Starts something that has a result: now, or when the running atomic turn has succeeded.
pub(crate) fn begin<T: 'static>(
    begin: impl FnOnce() -> LocalFuture<'static, Result<T, Fault>> + 'static,
) -> LocalFuture<'static, Result<T, Fault>> {
    if !are_held() {
        return begin();
    }
    let begun = Rc::new(RefCell::new(Begun::NotYet(None)));
    let (release, take_back) = (Rc::clone(&begun), Rc::clone(&begun));
    hold(
        move || Begun::resolve(&release, begin()),
        move || {
            let fault = Fault::Reset("the turn that began this was rolled back".to_owned());
            Begun::resolve(&take_back, Box::pin(std::future::ready(Err(fault))));
        },
    );
    Box::pin(poll_fn(move |context| {
        let future = match &mut *begun.borrow_mut() {
            Begun::NotYet(waker) => {
                *waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Begun::Under(future) => std::mem::replace(future, Box::pin(std::future::pending())),
        };
        // After the borrow has ended, because a poll runs other code.
        let mut future = future;
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            *begun.borrow_mut() = Begun::Under(future);
        }
        polled
    }))
}

enum Begun<T> {
    NotYet(Option<Waker>),
    Under(LocalFuture<'static, T>),
}

impl<T> Begun<T> {
    fn resolve(begun: &RefCell<Self>, future: LocalFuture<'static, T>) {
        let before = begun.replace(Self::Under(future));
        if let Self::NotYet(Some(waker)) = before {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::poll_once;

    fn note(into: &Rc<RefCell<Vec<&'static str>>>, what: &'static str) -> impl FnOnce() + 'static {
        let into = Rc::clone(into);
        move || into.borrow_mut().push(what)
    }

    #[test]
    fn effects_happen_at_once_outside_of_an_atomic_turn() {
        let seen = Rc::default();
        when_kept(note(&seen, "sent"), note(&seen, "not sent"));
        if_taken_back(note(&seen, "undone"));
        assert_eq!(*seen.borrow(), ["sent"]);
    }

    #[test]
    fn effects_of_a_kept_turn_happen_in_order_at_its_end() {
        let seen = Rc::default();
        let held = Held::begin();
        when_kept(note(&seen, "first"), note(&seen, "not first"));
        when_kept(note(&seen, "second"), note(&seen, "not second"));
        assert!(seen.borrow().is_empty());
        held.end(true);
        assert_eq!(*seen.borrow(), ["first", "second"]);
    }

    #[test]
    fn effects_of_a_failed_turn_are_taken_back_last_first() {
        let seen = Rc::default();
        let held = Held::begin();
        if_taken_back(note(&seen, "first back"));
        when_kept(note(&seen, "second"), note(&seen, "second back"));
        drop(held);
        assert_eq!(*seen.borrow(), ["second back", "first back"]);
        when_kept(note(&seen, "after"), || {});
        assert_eq!(seen.borrow().last(), Some(&"after"));
    }

    #[test]
    fn effects_happen_at_once_after_a_turn_that_was_abandoned() {
        let seen = Rc::default();
        std::mem::forget(Held::begin());
        when_kept(note(&seen, "of the turn"), note(&seen, "taken back"));
        abandon();
        when_kept(note(&seen, "of another"), note(&seen, "not of another"));
        assert_eq!(*seen.borrow(), ["taken back", "of another"]);
    }

    #[test]
    fn work_begun_in_a_turn_begins_when_the_turn_is_kept_and_fails_when_it_is_not() {
        for keep in [true, false] {
            let held = Held::begin();
            let mut work = begin(|| Box::pin(std::future::ready(Ok(7))));
            assert!(poll_once(&mut work).is_none());
            if keep {
                held.end(true);
                assert_eq!(poll_once(&mut work), Some(Ok(7)));
            } else {
                drop(held);
                assert!(matches!(poll_once(&mut work), Some(Err(Fault::Reset(_)))));
            }
        }
    }
}
