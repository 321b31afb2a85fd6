//! Call provenance: the chain of waiting turns that led to a call. A call that would wait for
//! itself fails with the cycle in its text instead of hanging.

use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::awaited_calls::{is_awaited, is_given_up};
use crate::object::id::RawId;

/// One waiting turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) id: RawId,
    /// The turn's number in its object. Later activations of the object do not reuse it.
    pub(crate) turn: u64,
    /// The number of the call that the turn waits for, on the thread of its object.
    #[serde(default)]
    pub(crate) call: u64,
    /// A description for humans: `Counter "a" in increment`.
    pub(crate) label: String,
}

/// The turns waiting for a call, outermost first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CallChain {
    pub(crate) links: Vec<Link>,
}

/// The maximum depth. It is larger than a sound design needs, and stops runaway recursion across
/// objects.
const MAX_LINKS: usize = 64;

impl CallChain {
    pub(crate) fn followed_by(&self, link: Link) -> Rc<Self> {
        let mut links = self.links.clone();
        links.push(link);
        Rc::new(Self { links })
    }

    pub(crate) fn is_too_deep(&self) -> bool {
        self.links.len() >= MAX_LINKS
    }

    /// Returns the turns of one object of this thread that still wait for this call, innermost
    /// first. A turn does not wait for it if a later turn of the chain has given up its own call.
    pub(crate) fn turns_of(&self, id: RawId) -> impl Iterator<Item = u64> + '_ {
        self.links
            .iter()
            .rev()
            .take_while(|link| !is_given_up(link.turn, link.call))
            .filter(move |link| link.id == id && is_awaited(link.call))
            .map(|link| link.turn)
    }

    /// Returns the cycle as `A -> B -> A`, ending with the call that cannot proceed.
    pub(crate) fn cycle_text(&self, id: RawId, last: &str) -> String {
        let start = self
            .links
            .iter()
            .position(|link| link.id == id)
            .unwrap_or(0);
        let mut text = String::new();
        for link in &self.links[start..] {
            text.push_str(&link.label);
            text.push_str(" -> ");
        }
        text.push_str(last);
        text
    }
}

impl fmt::Display for CallChain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, link) in self.links.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" -> ")?;
            }
            formatter.write_str(&link.label)?;
        }
        Ok(())
    }
}
