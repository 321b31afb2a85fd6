//! The events of a run, one line each, with a digest of the values behind each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::super::executor::slot::Slot;
use super::super::executor::work::{Output, Work};
use super::super::kernel::{Effect, Now, ObjectIndex};
use super::digest::{digest_of_output, digest_of_request, digest_of_work};
use super::labels::{Named, label_of_output, label_of_run, label_of_work, summary};
use super::pending_run::PendingRun;
use crate::http::Request;
use crate::object::id::RawId;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    now: Now,
    event: String,
    /// A digest of arguments, answers and stored values. Two runs with the same events may still
    /// differ in these.
    values: u64,
}

impl Line {
    /// Whether a turn starts at this line.
    pub(super) fn is_turn(&self) -> bool {
        self.event.starts_with("start ")
    }

    /// Whether this line is an injected fault.
    pub(super) fn is_fault(&self) -> bool {
        self.event.starts_with("!! ")
    }

    /// Formats the line with its date, in milliseconds since 1970.
    pub(super) fn dated(&self) -> String {
        format!("{} {}", self.now.wall, self.event)
    }

    pub(super) fn has_event_of(&self, other: &Self) -> bool {
        (self.now, &self.event) == (other.now, &other.event)
    }
}

/// Formats the line with the elapsed seconds. A step of the clock does not affect them.
impl fmt::Display for Line {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.now.steady as f64 / 1_000.0;
        write!(formatter, "{seconds:>9.3}  {}", self.event)
    }
}

/// The lines of a run.
#[derive(Default)]
pub(in super::super) struct Trace {
    lines: RefCell<Vec<Line>>,
    /// The objects seen so far. Names outlive crashes.
    known: RefCell<BTreeMap<RawId, Named>>,
}

impl Trace {
    pub(super) fn lines(&self) -> Vec<Line> {
        self.lines.borrow().clone()
    }

    pub(super) fn push(&self, now: Now, event: String, values: u64) {
        self.lines.borrow_mut().push(Line { now, event, values });
    }

    /// Adds to the values behind the last line.
    pub(in super::super) fn add_values(&self, values: u64) {
        if let Some(line) = self.lines.borrow_mut().last_mut() {
            line.values = line.values.rotate_left(1) ^ values;
        }
    }

    /// The name of an object in the trace.
    pub(in super::super) fn name_of(&self, id: RawId) -> String {
        match self.known.borrow().get(&id) {
            Some(known) => known.to_string(),
            None => Named::new("object", id).to_string(),
        }
    }

    fn learn(&self, class: &'static str, id: RawId, name: Option<Arc<str>>) -> String {
        let mut known = self.known.borrow_mut();
        let entry = known.entry(id).or_insert_with(|| Named::new(class, id));
        entry.class = class;
        if name.is_some() {
            entry.name = name;
        }
        entry.to_string()
    }

    fn name_of_slot(&self, slot: &Slot) -> String {
        let name = slot.name.borrow().clone();
        self.learn(slot.class.name, slot.id, name)
    }

    /// Records a decision of a kernel if it concerns the work of objects.
    pub(in super::super) fn note(
        &self,
        now: Now,
        effect: &Effect<Work, Output>,
        slot_at: impl Fn(ObjectIndex) -> Option<Rc<Slot>>,
    ) {
        let named = |object: &ObjectIndex| match slot_at(*object) {
            Some(slot) => self.name_of_slot(&slot),
            None => "an object that is gone".to_owned(),
        };
        let output_label = |output: &Output| {
            label_of_output(output, |delivery| {
                let class = delivery.class.name;
                self.learn(class, delivery.id, delivery.name.clone())
            })
        };
        let mut values = 0;
        let event = match effect {
            Effect::Wake { object } => format!("wake {}", named(object)),
            Effect::Start { object, work, .. } => {
                values = digest_of_work(work);
                format!("start {} of {}", label_of_work(work), named(object))
            }
            Effect::Refuse { work, fault } => {
                format!("refuse {}: {}", label_of_work(work), summary(fault))
            }
            Effect::Release { object, output } => {
                values = digest_of_output(output);
                let (what, detail) = output_label(output);
                match output {
                    Output::Delivery(_) => format!("release {what} by {}: {detail}", named(object)),
                    Output::Barrier(_) => format!("release {what} of {}", named(object)),
                    _ => format!("release {what} of {}: {detail}", named(object)),
                }
            }
            Effect::Fail { output, fault } => {
                let (what, detail) = output_label(output);
                let what = match output {
                    Output::Delivery(_) => format!("{what} {detail}"),
                    _ => what,
                };
                format!("fail {what}: {}", summary(fault))
            }
            Effect::Commit { objects } => {
                let objects: Vec<String> = objects.iter().map(named).collect();
                format!("commit {}", objects.join(", "))
            }
            Effect::FireAlarm { id } => format!("alarm {}", self.name_of(*id)),
            Effect::Leave {
                object,
                reset: None,
            } => format!("evict {}", named(object)),
            Effect::Leave {
                object,
                reset: Some(fault),
            } => format!("reset {}: {}", named(object), summary(fault)),
            Effect::RequestCommit
            | Effect::UpdateIndex { .. }
            | Effect::PauseInIndex { .. }
            | Effect::LoadAlarms
            | Effect::Close { .. }
            | Effect::Forget { .. } => return,
        };
        self.push(now, event, values);
    }
}

impl Trace {
    /// Records what the test itself does.
    pub(in super::super) fn note_test(&self, now: Now, action: &str) {
        self.push(now, format!("-- {action}"), 0);
    }

    /// Records a request to the outside world.
    pub(in super::super) fn note_request(&self, now: Now, request: &Request) {
        let (method, address) = (request.method(), request.path());
        let event = format!("request {method} {address}");
        self.push(now, event, digest_of_request(request));
    }

    /// Records the runs for which an object's alarm starts.
    pub(in super::super) fn note_due_runs<'a>(
        &self,
        now: Now,
        slot: &Slot,
        runs: impl Iterator<Item = &'a PendingRun>,
    ) {
        let runs: Vec<String> = runs.map(label_of_run).collect();
        if !runs.is_empty() {
            let event = format!("due in {}: {}", self.name_of_slot(slot), runs.join("; "));
            self.push(now, event, 0);
        }
    }
}
