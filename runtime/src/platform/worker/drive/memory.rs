//! One activation of an object, which owns its tasks and promises.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use super::super::ids::raw_id;
use super::super::js::bindings::State;
use super::timer::Context;
use crate::object::id::RawId;

/// A clone is the same activation.
#[derive(Clone)]
pub(in super::super) struct Memory(Rc<Inner>);

struct Inner {
    state: State,
    context: Context,
    id: OnceCell<RawId>,
    doom: Cell<Option<String>>,
    /// Frees the object's value after this activation has ended.
    at_the_end: Cell<Option<Box<dyn FnOnce()>>>,
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Memory {
    pub(in super::super) fn new(state: State) -> Self {
        Self(Rc::new(Inner {
            state,
            context: Context::new(),
            id: OnceCell::new(),
            doom: Cell::new(None),
            at_the_end: Cell::new(None),
        }))
    }

    pub(in super::super) fn raw(&self) -> &State {
        &self.0.state
    }

    pub(in super::super) fn context(&self) -> &Context {
        &self.0.context
    }

    pub(in super::super) fn id(&self) -> RawId {
        *self.0.id.get_or_init(|| raw_id(&self.0.state.id()))
    }

    /// Ends this activation when the current event is answered.
    pub(in super::super) fn doom(&self, reason: &str) {
        self.0.doom.set(Some(reason.to_owned()));
    }

    /// Why this activation may not handle another event, if so. See [`doom`](Self::doom).
    pub(in super::super) fn take_doom(&self) -> Option<String> {
        self.0.doom.take()
    }

    /// Sets what frees the object's value after this activation has ended.
    pub(in super::super) fn set_at_the_end(&self, free: impl FnOnce() + 'static) {
        self.0.at_the_end.set(Some(Box::new(free)));
    }

    /// Frees what remains of the object after a reset.
    pub(super) fn leave(&self) {
        if let Some(free) = self.0.at_the_end.take() {
            free();
        }
    }
}
