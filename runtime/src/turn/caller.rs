//! What caused a turn, and whether the caller has disconnected.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::chain::CallChain;

/// What caused a turn. The default is that of events without a caller: alarms, sockets,
/// initialisations.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    pub(crate) chain: Rc<CallChain>,
    pub(crate) caller: Caller,
}

/// Who waits for a turn's answer.
#[derive(Clone, Default)]
pub(crate) struct Caller(Option<Rc<Presence>>);

type Ask = Box<dyn FnOnce(Caller)>;

#[derive(Default)]
struct Presence {
    /// What has to be done before it is told.
    ask: Cell<Option<Ask>>,
    gone: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Caller {
    /// A caller that the platform watches; it tells with [`leave`](Self::leave). `ask` is called when a
    /// turn wants to know.
    pub(crate) fn asked(ask: impl FnOnce(Self) + 'static) -> Self {
        let ask = Cell::new(Some(Box::new(ask) as Ask));
        Self(Some(Rc::new(Presence {
            ask,
            ..Presence::default()
        })))
    }

    /// The caller hung up.
    pub(crate) fn leave(&self) {
        if let Some(presence) = &self.0
            && !presence.gone.replace(true)
        {
            // Not under the borrow: a waker may run what it wakes.
            let waiting = presence.waiting.take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Resolves when the caller has disconnected; never if the platform cannot tell.
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
