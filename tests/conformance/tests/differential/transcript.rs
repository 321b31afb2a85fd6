//! What clients observed, and the comparison of two such transcripts.

use std::fmt::Write;

use serde_json::Value;

use crate::plan::Step;

/// How much of a step or of an observation a report shows.
const SHOWN: usize = 600;

/// The result of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub step: String,
    pub what: Value,
}

/// What clients observed of one plan on one host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript(pub Vec<Seen>);

impl Transcript {
    pub fn note(&mut self, step: &Step, what: Value) {
        let step = serde_json::to_string(step).expect("a step has a form in JSON");
        self.note_as(step, what);
    }

    pub fn note_as(&mut self, step: impl Into<String>, what: Value) {
        let step = step.into();
        self.0.push(Seen { step, what });
    }
}

/// Formats both transcripts side by side, step by step. Steps that differ are marked.
pub fn side_by_side([embedded, workerd]: &[Transcript; 2]) -> String {
    let mut text = String::new();
    for index in 0..embedded.0.len().max(workerd.0.len()) {
        let (left, right) = (embedded.0.get(index), workerd.0.get(index));
        let step = left.or(right).map_or("", |seen| &seen.step);
        let shown =
            |seen: Option<&Seen>| seen.map_or_else(String::new, |seen| cut(&seen.what.to_string()));
        let (left_text, right_text) = (shown(left), shown(right));
        let _ = writeln!(text, "{index:>3}. {}", cut(step));
        if left == right {
            let _ = writeln!(text, "     both      {left_text}");
        } else {
            let place = differing(left, right);
            let _ = writeln!(
                text,
                "  != embedded  {left_text}\n  != workerd   {right_text}{place}"
            );
        }
    }
    text
}

/// Returns where two results of one step differ, if they are too long to be shown.
fn differing(left: Option<&Seen>, right: Option<&Seen>) -> String {
    let (Some(left), Some(right)) = (left, right) else {
        return String::new();
    };
    let mut found = String::new();
    find(&left.what, &right.what, "", &mut found);
    found
}

fn find(left: &Value, right: &Value, path: &str, found: &mut String) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) if left.keys().eq(right.keys()) => {
            for (key, value) in left {
                find(value, &right[key], &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                find(left, right, &format!("{path}[{index}]"), found);
            }
        }
        (left, right) if left != right => {
            let _ = write!(
                found,
                "\n     at {path}: {} | {}",
                cut(&left.to_string()),
                cut(&right.to_string())
            );
        }
        _ => {}
    }
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        let _ = write!(shown, "… ({} bytes)", text.len());
    }
    shown
}
