//! The language of the differential plans: instructions for a turn.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::storage::Step;

/// One act of a turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Adds to the stored number.
    Add {
        by: i64,
    },
    /// Replaces the stored text.
    Rename {
        text: String,
    },
    /// Puts an entry into the stored map.
    Insert {
        key: String,
        value: Value,
    },
    /// Removes an entry from the stored map.
    Remove {
        key: String,
    },
    /// Puts an entry into the stored map whose keys are numbers.
    Number {
        key: i64,
        value: f64,
    },
    /// Assigns an empty map to the field.
    Clear,
    /// Appends to the stored log, which keeps five entries.
    Push {
        value: Value,
    },
    /// Counts in memory.
    Remember,
    /// Reads all stored fields.
    Fields,
    /// One operation of storage, or a transaction of operations.
    Storage(Step),
    /// Acts that are kept together or not at all.
    Transaction {
        acts: Vec<Act>,
        keep: bool,
    },
    /// Schedules a run.
    Ring {
        key: String,
        when: When,
        ring: Ring,
    },
    /// Cancels a run.
    Cancel {
        key: String,
    },
    /// Returns when a run is due.
    Next {
        key: String,
    },
    /// Sends a text to sockets.
    Send {
        to: Recipients,
        text: String,
    },
    /// Sets the session of a socket.
    SetSession {
        of: String,
        padding: usize,
    },
    /// Lists the sockets.
    Sessions,
    /// Closes a socket.
    Close {
        of: String,
        code: u16,
        reason: String,
    },
    /// Makes the platform answer a text automatically.
    AnswerPings {
        pair: Option<(String, String)>,
    },
    /// Continues in the background, with storage and then with a call.
    Later {
        steps: Vec<Step>,
        call: Option<Turn>,
    },
    /// Waits briefly (`async` turns).
    Sleep,
    /// Waits until its writes are durable (`async` turns).
    Sync,
    /// Makes another object of the plan run a turn, and waits for it (`async` turns).
    Call(Turn),
    Panic,
    Abort,
}

/// A turn of an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Turn {
    /// The object, by the last part of its name.
    pub to: String,
    pub way: Way,
    pub acts: Vec<Act>,
    pub ending: Ending,
}

/// The receiver of the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// `fn(&mut self)`
    Atomic,
    /// `fn(&self)`
    Look,
    /// `async fn(&mut self)`
    Exclusive,
    /// `async fn(&self)`
    Shared,
}

impl Way {
    /// Returns the path of the method.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Atomic => "/atomic",
            Self::Look => "/look",
            Self::Exclusive => "/exclusive",
            Self::Shared => "/shared",
        }
    }
}

/// How a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    Succeed,
    Fail,
}

/// When a run is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// This many milliseconds after the turn began.
    After(u64),
    /// At a point in time, in milliseconds since 1970.
    At(i64),
}

/// What a run does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ring {
    pub acts: Vec<Act>,
    /// How many tries fail.
    pub failures: u32,
    /// Whether a failing try resets the object.
    pub aborts: bool,
}

/// A selection of sockets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Recipients {
    All,
    Tagged(String),
    One(String),
}

/// A message of a client over a socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spoken {
    pub acts: Vec<Act>,
    pub ending: Ending,
}
