//! The cause of a turn, and whether its caller has disconnected.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::chain::CallChain;

/// The cause of a turn. The default is that of events without a caller: alarms, socket events,
/// initialisations.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    pub(crate) chain: Rc<CallChain>,
    pub(crate) caller: Caller,
}

/// The caller that waits for a turn's response.
#[derive(Clone, Default)]
pub(crate) struct Caller(Option<Rc<Presence>>);

type Ask = Box<dyn FnOnce(Caller)>;

#[derive(Default)]
struct Presence {
    /// Starts watching the caller.
    ask: Cell<Option<Ask>>,
    gone: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Caller {
    /// A caller that the platform watches. The platform reports a disconnect with
    /// [`leave`](Self::leave). `ask` is called when a turn first asks for it.
    pub(crate) fn asked(ask: impl FnOnce(Self) + 'static) -> Self {
        let ask = Cell::new(Some(Box::new(ask) as Ask));
        Self(Some(Rc::new(Presence {
            ask,
            ..Presence::default()
        })))
    }

    /// Records that the caller has disconnected.
    pub(crate) fn leave(&self) {
        if let Some(presence) = &self.0
            && !presence.gone.replace(true)
        {
            // After the borrow has ended, because a waker may run what it wakes.
            let waiting = presence.waiting.take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Resolves when the caller has disconnected. Never resolves if the platform cannot tell.
    pub(crate) fn gone(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|context| {
            let Some(presence) = &self.0 else {
                return Poll::Pending;
            };
            if let Some(ask) = presence.ask.take() {
                ask(self.clone());
            }
            if presence.gone.get() {
                return Poll::Ready(());
            }
            let mut waiting = presence.waiting.borrow_mut();
            let waker = context.waker();
            if !waiting.iter().any(|known| known.will_wake(waker)) {
                waiting.push(waker.clone());
            }
            Poll::Pending
        })
    }
}
