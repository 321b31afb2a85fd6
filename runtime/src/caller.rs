//! Where a call comes from: which turns wait for it, and whether anybody still does.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::chain::CallChain;

/// What a turn knows of whoever caused it. The default is that of events without a caller: alarms,
/// sockets, initialisations.
#[derive(Clone, Default)]
pub(crate) struct Origin {
    pub(crate) chain: Rc<CallChain>,
    pub(crate) caller: Caller,
}

/// Who waits for a turn's answer.
#[derive(Clone, Default)]
pub(crate) struct Caller(Option<Rc<Presence>>);

#[derive(Default)]
struct Presence {
    gone: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Caller {
    /// A caller that the platform watches; it tells with [`leave`](Self::leave).
    pub(crate) fn watched() -> Self {
        Self(Some(Rc::default()))
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

    /// Resolves when the caller hung up; never if nobody would notice.
    pub(crate) fn gone(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|context| match &self.0 {
            Some(presence) if presence.gone.get() => Poll::Ready(()),
            Some(presence) => {
                let mut waiting = presence.waiting.borrow_mut();
                let waker = context.waker();
                if !waiting.iter().any(|known| known.will_wake(waker)) {
                    waiting.push(waker.clone());
                }
                Poll::Pending
            }
            None => Poll::Pending,
        })
    }
}
