//! Who is waiting for whom: the turns that led to a call, so that a call that would wait for
//! itself fails with the cycle in its text and never hangs.

use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::awaited_calls::is_awaited;
use crate::object::id::RawId;

/// One waiting turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) id: RawId,
    /// The turn's number in its object; numbers are not reused by the object's next life.
    pub(crate) turn: u64,
    /// The number of the call that the turn waits for, on the thread of its object.
    #[serde(default)]
    pub(crate) call: u64,
    /// For people: `Counter "a" in increment`.
    pub(crate) label: String,
}

/// The turns waiting for a call, outermost first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CallChain {
    pub(crate) links: Vec<Link>,
}

/// Deeper than any sound design nests its calls; a runaway recursion across objects stops here.
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

    /// The turns of one object of this thread that wait for this call, and have not given it up.
    pub(crate) fn turns_of(&self, id: RawId) -> impl Iterator<Item = u64> + '_ {
        self.links
            .iter()
            .filter(move |link| link.id == id && is_awaited(link.call))
            .map(|link| link.turn)
    }

    /// `A -> B -> A`, closed with the call that cannot proceed.
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
