//! Plans: steps of clients, one after the other.

use conformance::differential::{Act, SOON, Spoken, Turn};
use serde::Serialize;

/// The objects of a plan, by the last part of their names.
pub const OBJECTS: [&str; 3] = ["a", "b", "c"];

/// One step of a client.
#[derive(Clone, Debug, Serialize)]
pub enum Step {
    Turn(Turn),
    Request(Request),
    /// Opens a socket with this label.
    Connect {
        object: &'static str,
        label: &'static str,
        /// Encoded into the query string.
        tags: String,
        padding: usize,
        refuse: bool,
    },
    Say {
        label: &'static str,
        spoken: Spoken,
    },
    /// Sends several messages without waiting for the answers. Each appends its number to the log.
    SayMany {
        label: &'static str,
        count: usize,
    },
    SayText {
        label: &'static str,
        text: String,
    },
    SayBytes {
        label: &'static str,
        bytes: usize,
    },
    /// Sends a Close.
    HangUp {
        label: &'static str,
        code: u16,
        reason: String,
    },
    /// Drops the connection.
    Vanish {
        label: &'static str,
    },
}

/// A request to an object's routes.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    pub object: &'static str,
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Option<String>,
}

/// Steps, in phases. Between two phases both hosts are killed and restarted.
#[derive(Clone, Debug)]
pub struct Plan {
    pub phases: Vec<Vec<Step>>,
    /// Whether it may panic, which on workerd deletes the memory of all objects of the isolate.
    /// Such a plan runs alone and does not check memory.
    pub panics: bool,
}

impl Step {
    /// Returns the acts of its turn.
    fn acts(&self) -> &[Act] {
        match self {
            Self::Turn(turn) => &turn.acts,
            Self::Say { spoken, .. } => &spoken.acts,
            _ => &[],
        }
    }

    /// Whether something still happens automatically after it is done.
    pub fn leaves_work(&self) -> bool {
        any(self.acts(), &|act| match act {
            Act::Ring { key, .. } => SOON.contains(&key.as_str()),
            Act::Later { .. } => true,
            _ => false,
        })
    }

    /// Whether a panic is among its acts.
    pub fn panics(&self) -> bool {
        any(self.acts(), &|act| matches!(act, Act::Panic))
    }
}

impl Plan {
    pub fn steps(&self) -> usize {
        self.phases.iter().map(Vec::len).sum()
    }
}

/// Whether an act, or one inside it, satisfies a condition.
fn any(acts: &[Act], is: &impl Fn(&Act) -> bool) -> bool {
    acts.iter().any(|act| {
        is(act)
            || match act {
                Act::Transaction { acts, .. } => any(acts, is),
                Act::Ring { ring, .. } => any(&ring.acts, is),
                Act::Call(turn)
                | Act::Later {
                    call: Some(turn), ..
                } => any(&turn.acts, is),
                _ => false,
            }
    })
}
