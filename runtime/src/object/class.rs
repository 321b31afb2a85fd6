//! The description of a class of Durable Objects, without its code.
#![allow(missing_docs, reason = "the vocabulary of generated code")]

use std::any::Any;

/// One class of Durable Objects.
pub struct Class {
    pub name: &'static str,
    pub binding: &'static str,
    /// The keys of the stored fields.
    pub keys: &'static [&'static str],
    pub migrations: &'static [&'static str],
    pub alarms: &'static [Alarm],
    /// The code of the class, for the hosts.
    pub table: fn() -> &'static (dyn Any + Sync),
}

impl Class {
    pub(crate) fn alarm(&self, name: &str) -> Option<&'static Alarm> {
        self.alarms.iter().find(|alarm| alarm.name == name)
    }
}

/// An `#[alarm]` method.
pub struct Alarm {
    pub name: &'static str,
    pub recurrence: Recurrence,
}

/// How an alarm recurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recurrence {
    OnDemand,
    EveryMillis(u64),
    Cron(&'static str),
}

impl Recurrence {
    /// Returns a text that identifies the recurrence across versions of a class, or `None` for an
    /// alarm without one.
    pub(crate) fn text(self) -> Option<String> {
        match self {
            Self::OnDemand => None,
            Self::EveryMillis(interval) => Some(format!("every {interval} ms")),
            Self::Cron(pattern) => Some(format!("cron {pattern}")),
        }
    }
}
